//! The program the kernel runs before each system call (classic BPF over `struct seccomp_data`).

use nix::libc::{self, c_int, c_long, sock_filter};

use super::table::{ALLOWED, DEADLY, OLD};

// `linux/audit.h`: machine, 64-bit, little-endian.
#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xC000_00B7;

/// Calls that are judged by their arguments: socket, clone, mmap, mprotect, ioctl.
pub(super) const JUDGED: usize = 5;

// Offsets in `struct seccomp_data`; of an argument, its low half.
const NUMBER: u32 = 0;
const MACHINE: u32 = 4;
const fn argument(n: u32) -> u32 {
    16 + 8 * n
}

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const JUMP_IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const JUMP_IF_ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const fn refuse(errno: c_int) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno as u32
}

/// New namespaces of any kind: users, mounts, processes, networks, …
const NEW_NAMESPACES: c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;
const WRITE_AND_EXECUTE: c_int = libc::PROT_WRITE | libc::PROT_EXEC;
/// What is asked of sockets, pipes and terminals, and what a device's name and number are.
const IOCTLS: [u32; 10] = [
    libc::FIONREAD as u32,
    libc::TIOCOUTQ as u32,
    libc::FIONBIO as u32,
    libc::FIOCLEX as u32,
    libc::TCGETS as u32,
    libc::TIOCGWINSZ as u32,
    0x8910, // SIOCGIFNAME
    0x8933, // SIOCGIFINDEX
    0x8913, // SIOCGIFFLAGS
    0x8946, // SIOCETHTOOL, which anybody may ask and only root tell
];

/// The whole program: some 400 instructions, of which a call on the way of a byte takes about a dozen.
pub(super) fn program() -> Vec<sock_filter> {
    let mut out = vec![op(LOAD, MACHINE), branch(JUMP_IF_EQUAL, ARCH, 1, 0), op(RETURN, KILL), op(LOAD, NUMBER)];
    for call in ALLOWED.iter().chain(OLD) {
        on(&mut out, *call, &[op(RETURN, ALLOW)]);
    }
    let prot = [
        op(LOAD, argument(2)),
        op(AND, WRITE_AND_EXECUTE as u32),
        branch(JUMP_IF_EQUAL, WRITE_AND_EXECUTE as u32, 0, 1),
        op(RETURN, refuse(libc::EPERM)),
        op(RETURN, ALLOW),
    ];
    on(&mut out, libc::SYS_mmap, &prot);
    on(&mut out, libc::SYS_mprotect, &prot);
    let clone = [op(LOAD, argument(0)), branch(JUMP_IF_ANY_BIT, NEW_NAMESPACES as u32, 0, 1), op(RETURN, KILL), op(RETURN, ALLOW)];
    on(&mut out, libc::SYS_clone, &clone);
    // Its flags lie in memory, where no filter sees them. A C library to whom it is not there takes clone.
    on(&mut out, libc::SYS_clone3, &[op(RETURN, refuse(libc::ENOSYS))]);
    let mut socket = vec![op(LOAD, argument(0))];
    for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6] {
        socket.extend([branch(JUMP_IF_EQUAL, family as u32, 0, 1), op(RETURN, ALLOW)]);
    }
    let route = [op(LOAD, argument(2)), branch(JUMP_IF_EQUAL, libc::NETLINK_ROUTE as u32, 0, 1), op(RETURN, ALLOW)];
    socket.extend([branch(JUMP_IF_EQUAL, libc::AF_NETLINK as u32, 0, route.len() as u8)].into_iter().chain(route));
    socket.push(op(RETURN, refuse(libc::EAFNOSUPPORT)));
    on(&mut out, libc::SYS_socket, &socket);
    let mut ioctl = vec![op(LOAD, argument(1))];
    for request in IOCTLS {
        ioctl.extend([branch(JUMP_IF_EQUAL, request, 0, 1), op(RETURN, ALLOW)]);
    }
    ioctl.push(op(RETURN, refuse(libc::ENOTTY)));
    on(&mut out, libc::SYS_ioctl, &ioctl);
    for call in DEADLY {
        on(&mut out, *call, &[op(RETURN, KILL)]);
    }
    out.push(op(RETURN, refuse(libc::EPERM)));
    out
}

/// `then`, which returns, where the call is `call`; else what comes after.
fn on(out: &mut Vec<sock_filter>, call: c_long, then: &[sock_filter]) {
    out.push(branch(JUMP_IF_EQUAL, call as u32, 0, then.len() as u8));
    out.extend_from_slice(then);
}

const fn op(code: u32, k: u32) -> sock_filter {
    branch(code, k, 0, 0)
}

const fn branch(code: u32, k: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: code as u16, jt: yes, jf: no, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with this call.
    fn judged(machine: u32, number: c_long, arguments: [u64; 6]) -> u32 {
        let program = program();
        let field = |offset: u32| match offset {
            NUMBER => number as u32,
            MACHINE => machine,
            at => arguments[((at - 16) / 8) as usize] as u32,
        };
        let (mut at, mut a) = (0, 0);
        loop {
            let op = program[at];
            at += 1;
            let jump = |yes: bool| usize::from(if yes { op.jt } else { op.jf });
            match u32::from(op.code) {
                LOAD => a = field(op.k),
                AND => a &= op.k,
                JUMP_IF_EQUAL => at += jump(a == op.k),
                JUMP_IF_ANY_BIT => at += jump(a & op.k != 0),
                RETURN => return op.k,
                other => panic!("{other}"),
            }
        }
    }

    fn call(number: c_long, arguments: &[u64]) -> u32 {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        judged(ARCH, number, all)
    }

    #[test]
    fn each_call_is_in_one_list() {
        let mut all: Vec<c_long> = [ALLOWED, OLD, DEADLY].concat();
        all.sort_unstable();
        assert!(all.windows(2).all(|w| w[0] < w[1]), "{all:?}");
        assert!(program().len() < 4096, "BPF_MAXINSNS");
    }

    #[test]
    fn what_is_listed_is_allowed_and_nothing_else() {
        for number in 0..600 {
            let special = [libc::SYS_socket, libc::SYS_clone, libc::SYS_clone3, libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_ioctl];
            let want = match number {
                n if special.contains(&n) => continue,
                n if ALLOWED.contains(&n) || OLD.contains(&n) => ALLOW,
                n if DEADLY.contains(&n) => KILL,
                _ => refuse(libc::EPERM),
            };
            assert_eq!(call(number, &[]), want, "{number}");
        }
        assert_eq!(judged(ARCH ^ 1, libc::SYS_read, [0; 6]), KILL, "another machine's numbers");
        assert_eq!(call(0x4000_0000 | libc::SYS_read, &[]), refuse(libc::EPERM), "x32's numbers");
    }

    #[test]
    fn arguments_are_judged() {
        let n = |value: c_int| value as u64;
        for (family, protocol, want) in [
            (libc::AF_UNIX, 0, ALLOW),
            (libc::AF_INET, 0, ALLOW),
            (libc::AF_INET6, 17, ALLOW),
            (libc::AF_NETLINK, libc::NETLINK_ROUTE, ALLOW),
            (libc::AF_NETLINK, libc::NETLINK_NETFILTER, refuse(libc::EAFNOSUPPORT)),
            (libc::AF_PACKET, 3, refuse(libc::EAFNOSUPPORT)),
            (libc::AF_ALG, 0, refuse(libc::EAFNOSUPPORT)),
        ] {
            assert_eq!(call(libc::SYS_socket, &[n(family), n(libc::SOCK_STREAM), n(protocol)]), want, "{family} {protocol}");
        }
        for (prot, want) in [
            (libc::PROT_READ | libc::PROT_WRITE, ALLOW),
            (libc::PROT_READ | libc::PROT_EXEC, ALLOW),
            (libc::PROT_READ | WRITE_AND_EXECUTE, refuse(libc::EPERM)),
        ] {
            assert_eq!((call(libc::SYS_mmap, &[0, 4096, n(prot)]), call(libc::SYS_mprotect, &[0, 4096, n(prot)])), (want, want));
        }
        assert_eq!(call(libc::SYS_clone, &[n(libc::CLONE_VM | libc::CLONE_THREAD)]), ALLOW);
        assert_eq!(call(libc::SYS_clone, &[n(libc::CLONE_NEWUSER | libc::SIGCHLD)]), KILL);
        assert_eq!(call(libc::SYS_clone3, &[]), refuse(libc::ENOSYS));
        assert_eq!(call(libc::SYS_ioctl, &[0, u64::from(libc::FIONREAD as u32)]), ALLOW);
        assert_eq!(call(libc::SYS_ioctl, &[0, n(0x5412)]), refuse(libc::ENOTTY), "TIOCSTI");
    }
}
