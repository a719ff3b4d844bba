//! What the machine is and has: RAM, processors, kernel, the process's own size. `None` where the system does not tell.

use std::fs;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

/// All RAM, in bytes.
pub fn ram_bytes() -> Option<u64> {
    meminfo(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal")
}

/// RAM that could be had without swapping, in bytes, as the kernel estimates it.
pub fn available_bytes() -> Option<u64> {
    meminfo(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")
}

/// RAM this process holds, in bytes.
pub fn rss_bytes() -> Option<u64> {
    resident(&fs::read_to_string("/proc/self/statm").ok()?, page_bytes()?)
}

/// Processors this process may use.
pub fn cpus() -> Option<usize> {
    // The standard library's count reads control groups, too: 8 kB of code.
    let set = sched_getaffinity(Pid::this()).ok()?;
    let count = (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).count();
    (count > 0).then_some(count)
}

/// Release of the running kernel: `6.6.86`.
pub fn kernel_release() -> Option<String> {
    nix::sys::utsname::uname().ok()?.release().to_str().map(str::to_owned)
}

/// Model of the device as its device tree names it: `GL.iNet GL-MT300N-V2`.
pub fn model() -> Option<String> {
    let text = fs::read_to_string("/sys/firmware/devicetree/base/model").ok()?;
    let text = text.trim_end_matches('\0').trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn page_bytes() -> Option<u64> {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    u64::try_from(size).ok()
}

/// The member `name` of /proc/meminfo, which is in KiB.
fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

/// The second number of /proc/self/statm, which is in pages.
fn resident(text: &str, page: u64) -> Option<u64> {
    text.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_by_whole_names() {
        let text = "MemTotal:          59416 kB\nMemFree:            4228 kB\nMemAvailable:      11880 kB\nBad: 7\n";
        assert_eq!(meminfo(text, "MemTotal"), Some(59416 * 1024));
        assert_eq!(meminfo(text, "MemAvailable"), Some(11880 * 1024));
        for missing in ["Mem", "Bad", "Cached"] {
            assert_eq!(meminfo(text, missing), None);
        }
        assert_eq!(meminfo(&format!("MemTotal: {} kB", u64::MAX), "MemTotal"), None);
    }

    #[test]
    fn statm_counts_pages() {
        assert_eq!(resident("812 201 170 2 0 95 0\n", 4096), Some(201 * 4096));
        assert_eq!(resident("812", 4096), None);
    }

    #[test]
    fn this_machine_tells() {
        let (ram, rss) = (ram_bytes().unwrap(), rss_bytes().unwrap());
        assert!(rss > 0 && rss < ram && available_bytes().unwrap() <= ram);
        assert!(cpus().unwrap() >= 1);
        assert!(kernel_release().unwrap().contains('.'));
    }
}
