//! The system calls, by what they are for. Those on the way of a byte come first: the kernel tries them in this order.

use nix::libc::{self, c_long};

/// Allowed whatever their arguments.
#[rustfmt::skip] // by what they are for
pub(super) const ALLOWED: &[c_long] = &[
    // the way of a byte
    libc::SYS_epoll_pwait, libc::SYS_splice, libc::SYS_recvfrom, libc::SYS_sendto, libc::SYS_read, libc::SYS_write, libc::SYS_futex,
    libc::SYS_clock_gettime, libc::SYS_epoll_ctl, libc::SYS_accept4, libc::SYS_connect, libc::SYS_close, libc::SYS_setsockopt, libc::SYS_getsockopt,
    // files that are open
    libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64, libc::SYS_lseek, libc::SYS_fsync, libc::SYS_fdatasync,
    libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_flock, libc::SYS_fcntl, libc::SYS_dup, libc::SYS_dup3, libc::SYS_pipe2, libc::SYS_close_range,
    libc::SYS_sendfile, libc::SYS_copy_file_range, libc::SYS_tee, libc::SYS_fstat, libc::SYS_fstatfs, libc::SYS_fchmod, libc::SYS_fchown, libc::SYS_getdents64,
    // files by name: Landlock and their modes decide
    libc::SYS_openat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_statfs, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_readlinkat,
    libc::SYS_mkdirat, libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_fchmodat, libc::SYS_fchownat, libc::SYS_getcwd, libc::SYS_umask, libc::SYS_truncate,
    // sockets: nftables decides where they lead
    libc::SYS_socketpair, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_shutdown, libc::SYS_getsockname, libc::SYS_getpeername,
    libc::SYS_recvmsg, libc::SYS_sendmsg, libc::SYS_recvmmsg, libc::SYS_sendmmsg,
    // waiting and time
    libc::SYS_epoll_create1, libc::SYS_epoll_pwait2, libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_eventfd2, libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime, libc::SYS_signalfd4, libc::SYS_nanosleep, libc::SYS_clock_nanosleep,
    libc::SYS_clock_getres, libc::SYS_gettimeofday, libc::SYS_times, libc::SYS_restart_syscall,
    // memory
    libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_brk, libc::SYS_membarrier,
    // threads and signals
    libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_rseq, libc::SYS_set_tid_address, libc::SYS_gettid, libc::SYS_exit,
    libc::SYS_exit_group, libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn, libc::SYS_rt_sigtimedwait, libc::SYS_rt_sigsuspend, libc::SYS_sigaltstack, libc::SYS_tgkill, libc::SYS_tkill, libc::SYS_kill,
    // the child that derives a key, which is this program; Landlock leaves no other
    libc::SYS_execve, libc::SYS_wait4, libc::SYS_waitid, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal,
    // what a process asks about itself and the machine
    libc::SYS_getpid, libc::SYS_getppid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid, libc::SYS_getresuid,
    libc::SYS_getresgid, libc::SYS_getgroups, libc::SYS_getrandom, libc::SYS_prlimit64, libc::SYS_getrusage,
    libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_prctl, libc::SYS_getpgid, libc::SYS_getsid,
];

/// The same in their older forms, which only some processors have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(super) const OLD: &[c_long] = &[
    libc::SYS_epoll_wait, libc::SYS_poll, libc::SYS_select, libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink,
    libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_unlink, libc::SYS_rename, libc::SYS_chmod, libc::SYS_getdents, libc::SYS_dup2, libc::SYS_pipe,
    libc::SYS_eventfd, libc::SYS_epoll_create, libc::SYS_time, libc::SYS_fork, libc::SYS_vfork, libc::SYS_arch_prctl, libc::SYS_getpgrp,
    libc::SYS_renameat, libc::SYS_getrlimit, libc::SYS_chown, libc::SYS_lchown,
];
#[cfg(target_arch = "aarch64")]
pub(super) const OLD: &[c_long] = &[38 /* renameat */, 163 /* getrlimit */];

/// No program like this one ever makes these: whoever does has taken it over.
#[rustfmt::skip]
pub(super) const DEADLY: &[c_long] = &[
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_kexec_load, libc::SYS_init_module,
    libc::SYS_finit_module, libc::SYS_delete_module, libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_userfaultfd, libc::SYS_mount,
    libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_unshare, libc::SYS_setns, libc::SYS_add_key, libc::SYS_request_key,
    libc::SYS_keyctl, libc::SYS_io_uring_setup, libc::SYS_open_by_handle_at, libc::SYS_reboot, libc::SYS_swapon, libc::SYS_settimeofday,
    libc::SYS_clock_settime, libc::SYS_setuid, libc::SYS_setgid, libc::SYS_capset,
];
