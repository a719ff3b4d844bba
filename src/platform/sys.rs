//! The system calls no crate offers safely. The one file where `unsafe` is allowed.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::libc;

/// `SO_MEMINFO` of `asm-generic/socket.h`, since Linux 4.12. x86, ARM, MIPS, PowerPC and RISC-V share the number.
const SO_MEMINFO: libc::c_int = 55;
/// Entries the kernel fills (`SK_MEMINFO_*` of `linux/sock_diag.h`), and those that are read here.
const MEMINFO_ENTRIES: usize = 9;
const RECEIVE_QUEUED: usize = 0;
const RECEIVE_LIMIT: usize = 1;
const SEND_LIMIT: usize = 3;
const SEND_QUEUED: usize = 5;

/// Flag of landlock_create_ruleset(2): ask for the version only (`linux/landlock.h`).
const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;

/// `LANDLOCK_RULE_PATH_BENEATH` (`linux/landlock.h`).
const LANDLOCK_RULE_PATH_BENEATH: libc::c_uint = 1;
/// `_LINUX_CAPABILITY_VERSION_3` (`linux/capability.h`): two words of 32 capabilities each.
const CAPABILITY_VERSION: u32 = 0x2008_0522;
/// `SIOCETHTOOL` of `linux/sockios.h`, and the question whether received packets are merged, of `linux/ethtool.h`.
const SIOCETHTOOL: libc::c_int = 0x8946;
const ETHTOOL_GGRO: u32 = 0x2b;

mod raw {
    use nix::libc;

    nix::ioctl_read_bad!(outq, libc::TIOCOUTQ, libc::c_int);
    nix::ioctl_read_bad!(inq, libc::FIONREAD, libc::c_int);
    nix::ioctl_readwrite_bad!(ethtool, super::SIOCETHTOOL, libc::ifreq);
}

/// Kernel memory of a socket, in bytes of RAM (payload and the kernel's own overhead).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SocketMemory {
    /// Received and not yet read.
    pub receive_queued: usize,
    /// Limit of the former (`SO_RCVBUF`).
    pub receive_limit: usize,
    /// Sent and not yet acknowledged, or not yet sent.
    pub send_queued: usize,
    /// Limit of the former (`SO_SNDBUF`).
    pub send_limit: usize,
}

/// Bytes written to a TCP socket that its peer has not acknowledged (`SIOCOUTQ`).
pub fn unsent(socket: impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open while it is borrowed, and the kernel writes one int to a live, aligned int.
    unsafe { raw::outq(socket.as_fd().as_raw_fd(), &raw mut bytes) }?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Bytes that can be read from a TCP socket now (`SIOCINQ`); 0 also at its end.
pub fn unread(socket: impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: as above.
    unsafe { raw::inq(socket.as_fd().as_raw_fd(), &raw mut bytes) }?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// `struct ethtool_value`: a question, and the kernel's answer.
#[repr(C)]
struct EthtoolValue {
    question: u32,
    answer: u32,
}

/// Whether the network device `name` merges packets it receives (generic receive offload). Anybody may ask.
///
/// # Errors
/// There is no such device, or its driver does not tell.
pub fn merges_received(socket: impl AsFd, name: &str) -> io::Result<bool> {
    let mut value = EthtoolValue { question: ETHTOOL_GGRO, answer: 0 };
    let mut ifr_name = [0; libc::IFNAMSIZ];
    if name.len() >= ifr_name.len() || name.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    let ifr_ifru = libc::__c_anonymous_ifr_ifru { ifru_data: (&raw mut value).cast() };
    let mut request = libc::ifreq { ifr_name, ifr_ifru };
    // SAFETY: the descriptor is open while it is borrowed; the kernel reads the request and reads and writes the value behind
    // its pointer, both of which live as long as this call.
    unsafe { raw::ethtool(socket.as_fd().as_raw_fd(), &raw mut request) }?;
    Ok(value.answer != 0)
}

/// What the kernel holds for a socket, and may hold.
///
/// # Errors
/// The kernel does not tell: it is older than 4.12, or something between passes on less than was asked for, as qemu's
/// user-mode emulation does.
pub fn socket_memory(socket: impl AsFd) -> io::Result<SocketMemory> {
    let mut info = [0u32; MEMINFO_ENTRIES];
    let mut length = libc::socklen_t::try_from(size_of_val(&info)).unwrap_or(0);
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes at most `length` bytes to the array of that size.
    let rc = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, SO_MEMINFO, info.as_mut_ptr().cast(), &raw mut length) };
    if rc != 0 {
        return Err(io::Error::last_os_error());
    }
    if (length as usize) < (SEND_QUEUED + 1) * size_of::<u32>() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let at = |i: usize| info[i] as usize;
    Ok(SocketMemory {
        receive_queued: at(RECEIVE_QUEUED),
        receive_limit: at(RECEIVE_LIMIT),
        send_queued: at(SEND_QUEUED),
        send_limit: at(SEND_LIMIT),
    })
}

/// Version of Landlock in this kernel, from 1.
///
/// # Errors
/// The kernel has none (`ENOSYS`), or it is off (`EOPNOTSUPP`).
pub fn landlock_version() -> io::Result<u32> {
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: landlock_create_ruleset(NULL, 0, VERSION) only answers with a number (landlock(7)); it makes and changes nothing.
    let rc = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, LANDLOCK_CREATE_RULESET_VERSION) };
    u32::try_from(rc).map_err(|_| io::Error::last_os_error())
}

/// What a set of Landlock rules decides on (`struct landlock_ruleset_attr`); the kernel takes it as long as it knows it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LandlockAttr {
    /// Rights on files.
    pub fs: u64,
    /// Rights on ports, since version 4.
    pub net: u64,
    /// What may not be reached outside, since version 6.
    pub scoped: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    access: u64,
    parent: libc::c_int,
}

/// A set of Landlock rules without a rule: what it decides on is refused. `words` = members of `attr` the kernel knows.
///
/// # Errors
/// The kernel has no Landlock, or does not know what is asked for.
pub fn landlock_ruleset(attr: &LandlockAttr, words: usize) -> io::Result<OwnedFd> {
    let size = words.min(3) * size_of::<u64>();
    // SAFETY: the kernel reads `size` bytes of `attr`, which is at least as long, and answers with a new descriptor.
    let rc = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::from_ref(attr), size, 0) };
    match libc::c_int::try_from(rc) {
        // SAFETY: the descriptor is new and nobody else's.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Allows `access` on what `parent` is, and beneath it.
///
/// # Errors
/// `access` is not among what the set decides on, or not for what `parent` is.
pub fn landlock_allow(ruleset: impl AsFd, parent: impl AsFd, access: u64) -> io::Result<()> {
    let rule = PathBeneath { access, parent: parent.as_fd().as_raw_fd() };
    let fd = ruleset.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one `struct landlock_path_beneath_attr`; both descriptors are open while they are borrowed.
    let rc = unsafe { libc::syscall(libc::SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, std::ptr::from_ref(&rule), 0) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts this thread, and what it starts from now on, under the rules. Needs no_new_privs.
///
/// # Errors
/// The kernel refuses: too many sets upon each other.
pub fn landlock_restrict(ruleset: impl AsFd) -> io::Result<()> {
    // SAFETY: takes a descriptor that is open while it is borrowed; no memory is handed over.
    let rc = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_fd().as_raw_fd(), 0) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Puts every thread of this process under a filter of system calls. Needs no_new_privs.
///
/// # Errors
/// The kernel has no filters, refuses this one, or a thread has another set.
pub fn seccomp(filter: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel reads `len` instructions of the slice, and checks them; the pointer is not written through.
    let rc =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_TSYNC, std::ptr::from_ref(&program)) };
    // Above 0: the thread that could not be put under it.
    if rc == 0 {
        Ok(())
    } else if rc > 0 {
        Err(io::ErrorKind::Other.into())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Gives up every capability of this thread, for good where it may: bounding, ambient, and the three sets of its own.
///
/// # Errors
/// The kernel refuses to empty the sets; that of an unprivileged thread is no error, whose bounding set stays but gives nothing.
pub fn drop_capabilities() -> io::Result<()> {
    // Of the width prctl(2) reads them with.
    const NONE: libc::c_ulong = 0;
    const CLEAR_ALL: libc::c_ulong = libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong;
    let header = [CAPABILITY_VERSION, 0];
    // SAFETY: prctl(2) with numbers alone; capset(2) reads two words and, of this version, six.
    let rc = unsafe {
        // Past the last capability the kernel says EINVAL, without the right to it EPERM: both end the round.
        let _ = (0..64).take_while(|cap: &libc::c_ulong| libc::prctl(libc::PR_CAPBSET_DROP, *cap, NONE, NONE, NONE) == 0).count();
        libc::prctl(libc::PR_CAP_AMBIENT, CLEAR_ALL, NONE, NONE, NONE);
        libc::syscall(libc::SYS_capset, header.as_ptr(), [0u32; 6].as_ptr())
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Unmaps the pages of program and libraries that hold code and constants: what is used again is mapped again from the
/// page cache, 64 KiB at a time; what only the start needed is gone.
pub fn forget_code() {
    // SAFETY: the callback keeps to what it is handed, and neither keeps it nor unwinds.
    unsafe { libc::dl_iterate_phdr(Some(forget_object), std::ptr::null_mut()) };
}

unsafe extern "C" fn forget_object(info: *mut libc::dl_phdr_info, _: usize, _: *mut libc::c_void) -> libc::c_int {
    /// `p_flags`: the segment is writable.
    const WRITABLE: u32 = 2;
    // SAFETY: the loader hands over a valid description, whose table has `dlpi_phnum` entries.
    let (base, headers) = unsafe {
        let info = &*info;
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        (info.dlpi_addr as usize, std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)))
    };
    // SAFETY: asks for a number.
    let page = match usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }) {
        Ok(page) if page.is_power_of_two() => page,
        _ => return 0,
    };
    // Nothing is ever written to these, relocations included, so each page is as the file has it.
    for header in headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & WRITABLE == 0) {
        let start = base.wrapping_add(header.p_vaddr as usize);
        let (from, to) = (start & !(page - 1), start.wrapping_add(header.p_memsz as usize).wrapping_add(page - 1) & !(page - 1));
        // SAFETY: a private mapping of a file without changes of its own reads the same after as before.
        unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(from), to.wrapping_sub(from), libc::MADV_DONTNEED) };
    }
    0
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn code_that_was_forgotten_runs_again() {
        let mapped = || std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(2).unwrap().parse::<u64>().unwrap();
        let before = mapped();
        forget_code();
        let after = mapped();
        assert!(after < before, "file pages mapped: {before}, then {after}");
        assert_eq!(format!("{:?}", std::net::Ipv4Addr::LOCALHOST), "127.0.0.1");
    }

    #[test]
    fn a_socket_tells_what_it_holds() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        assert_eq!(unread(&far).unwrap(), 0);
        near.write_all(&[1; 5000]).unwrap();
        far.set_nonblocking(false).unwrap();
        far.read_exact(&mut [0; 1000]).unwrap();
        assert_eq!(unread(&far).unwrap(), 4000);
        let memory = socket_memory(&far).unwrap();
        assert!(memory.receive_queued >= 4000 && memory.receive_limit >= memory.receive_queued, "{memory:?}");
        near.set_nonblocking(true).unwrap();
        while near.write(&[1; 1 << 16]).is_ok() {}
        let memory = socket_memory(&near).unwrap();
        assert!(memory.send_queued > 0 && unsent(&near).unwrap() > 0, "{memory:?}");
        assert!(memory.send_limit > 0);
        assert!(unread(std::fs::File::open("/dev/null").unwrap()).is_err());
    }
}
