//! What this kernel could confine a process by. Asked, not used: nothing here changes the process.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use nix::errno::Errno;

use super::sys;

/// Each ability with `yes`, `no`, or a word more: `landlock`, `seccomp`, `userNamespaces`.
pub fn sandbox() -> BTreeMap<String, String> {
    let text = |path: &str| fs::read_to_string(path).ok();
    BTreeMap::from([
        ("landlock".to_owned(), landlock(sys::landlock_version())),
        ("seccomp".to_owned(), seccomp(text("/proc/sys/kernel/seccomp/actions_avail").as_deref(), text("/proc/self/status").as_deref())),
        ("userNamespaces".to_owned(), namespaces(text("/proc/sys/user/max_user_namespaces").as_deref())),
    ])
}

fn landlock(asked: io::Result<u32>) -> String {
    match asked {
        Ok(version) => format!("yes, version {version}"),
        Err(e) if e.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) => "no: built in, but off at boot (kernel parameter lsm=)".into(),
        Err(_) => "no: this kernel has none".into(),
    }
}

fn seccomp(actions: Option<&str>, status: Option<&str>) -> String {
    match (actions, status) {
        (Some(actions), _) if actions.split_whitespace().any(|a| a == "errno") => "yes, with filters".into(),
        (_, Some(status)) if status.lines().any(|l| l.starts_with("Seccomp:")) => "yes, without filters".into(),
        _ => "no: this kernel has none".into(),
    }
}

fn namespaces(most: Option<&str>) -> String {
    match most.and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(0) => "no: switched off (user.max_user_namespaces)".into(),
        Some(_) => "yes".into(),
        None => "no: this kernel has none".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(landlock(Ok(5)), "yes, version 5");
        assert!(landlock(Err(Errno::EOPNOTSUPP.into())).contains("off at boot"));
        assert!(landlock(Err(Errno::ENOSYS.into())).starts_with("no: this kernel"));
        assert_eq!(seccomp(Some("kill_process trap errno allow\n"), None), "yes, with filters");
        assert_eq!(seccomp(None, Some("Name:\tx\nSeccomp:\t0\n")), "yes, without filters");
        assert!(seccomp(None, Some("Name:\tx\n")).starts_with("no"));
        assert_eq!(namespaces(Some("7723\n")), "yes");
        assert!(namespaces(Some("0\n")).contains("switched off") && namespaces(None).starts_with("no"));
    }

    #[test]
    fn this_machine_tells() {
        let told = sandbox();
        assert_eq!(told.len(), 3);
        assert!(told.values().all(|v| v.starts_with("yes") || v.starts_with("no")), "{told:?}");
    }
}
