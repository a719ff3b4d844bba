//! Which system calls the process may make, by seccomp (seccomp(2)). What only an attacker wants kills the process; what is
//! not known to be needed is refused with EPERM, so that a C library not seen before fails in one place and not as a whole.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod filter;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod table;

/// Puts every thread under the filter; how many calls it allows, or why there is none.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn confine() -> Result<usize, String> {
    use nix::errno::Errno;

    let filter = filter::program();
    crate::platform::sys::seccomp(&filter).map(|()| table::ALLOWED.len() + table::OLD.len() + filter::JUDGED).map_err(|e| match e.raw_os_error() {
        Some(code) if [Errno::ENOSYS, Errno::EINVAL].contains(&Errno::from_raw(code)) => "absent: this kernel was built without filters".into(),
        _ => format!("off: the kernel refuses: {e}"),
    })
}

/// Elsewhere there is no list of calls.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn confine() -> Result<usize, String> {
    Err("absent: there is no list of system calls for this processor".into())
}
