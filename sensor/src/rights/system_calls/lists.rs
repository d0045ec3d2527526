//! Who may call what, and why.

use libc::c_long;

use super::{
    Allowed::{self, Always, When},
    Bits,
};

type Calls = &'static [(c_long, Allowed)];

const fn bits(index: u8, mask: i32, value: i32) -> Bits {
    Bits { index, mask: mask.cast_unsigned(), value: value.cast_unsigned() }
}

const fn is(index: u8, value: i32) -> Bits {
    bits(index, -1, value)
}

/// bpf(2)'s commands on a map that is held: look up, update, delete, next key. No map is made, no program loaded, nothing opened by number.
const ON_MAPS: Allowed = When(&[&[is(0, 1)], &[is(0, 2)], &[is(0, 3)], &[is(0, 4)]]);

/// Nothing becomes executable any more.
const NOT_EXECUTABLE: Allowed = When(&[&[bits(2, libc::PROT_EXEC, 0)]]);

const NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;
/// A thread of this process, in the namespaces that it has. No process.
const A_THREAD: Allowed = When(&[&[bits(0, libc::CLONE_THREAD | NAMESPACES, libc::CLONE_THREAD)]]);

const TYPE: i32 = 0xf;
/// To the correlator and to name servers; to name services of this host; to the kernel's routes, of which the resolver asks which addresses
/// this host has. No raw and no packet sockets.
const SOCKETS: Allowed = When(&[
    &[is(0, libc::AF_INET), bits(1, TYPE, libc::SOCK_STREAM)],
    &[is(0, libc::AF_INET), bits(1, TYPE, libc::SOCK_DGRAM)],
    &[is(0, libc::AF_INET6), bits(1, TYPE, libc::SOCK_STREAM)],
    &[is(0, libc::AF_INET6), bits(1, TYPE, libc::SOCK_DGRAM)],
    &[is(0, libc::AF_UNIX), bits(1, TYPE, libc::SOCK_STREAM)],
    &[is(0, libc::AF_UNIX), bits(1, TYPE, libc::SOCK_DGRAM)],
    &[is(0, libc::AF_NETLINK), is(2, libc::NETLINK_ROUTE)],
]);
const LOCAL_PAIR: Allowed = When(&[&[is(0, libc::AF_UNIX)]]);

/// PERF_EVENT_IOC_DISABLE: a tracepoint is let go by it.
const PERF_DISABLE: i32 = 0x2401;
const FIONREAD: i32 = 0x541b;
const FIONBIO: i32 = 0x5421;
const REQUESTS: Allowed = When(&[&[is(1, PERF_DISABLE)], &[is(1, FIONREAD)], &[is(1, FIONBIO)]]);

/// PR_SET_VMA: newer C libraries name their memory by it.
const NAME_MEMORY: i32 = 0x5356_4d41;
/// Names of threads, the pulse's exercise among them.
const NAMING: Allowed = When(&[&[is(0, libc::PR_SET_NAME)], &[is(0, NAME_MEMORY)]]);

/// Limits are read (no pointer to new ones), when a thread's stack is made.
const READ_LIMITS: Allowed = When(&[&[is(2, 0)]]);

/// O_TMPFILE without the bit that it shares with O_DIRECTORY.
const UNNAMED: i32 = libc::O_TMPFILE & !libc::O_DIRECTORY;
const TO_READ: Allowed = When(&[&[bits(2, libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | UNNAMED, libc::O_RDONLY)]]);

/// The pulse's steps on files: a mode that opens nothing to others, no owner, no length.
const MODE_OF_PULSE: Allowed = When(&[&[is(1, 0o600)]]);
const NO_OWNER: Allowed = When(&[&[is(1, -1), is(2, -1)]]);
const NO_LENGTH: Allowed = When(&[&[is(1, 0)]]);

/// Of the sensor.
pub(crate) const SENSOR: Calls = &[
    // Maps of the kernel programs: counters, the pulse, sensitive files.
    (libc::SYS_bpf, ON_MAPS),
    // Files. Reading is everywhere: /proc, logs, the user database, programs as evidence, the resolver's files. Writing is the spool's and
    // the identity's; where, Landlock says.
    (libc::SYS_openat, Always),
    (libc::SYS_read, Always),
    (libc::SYS_readv, Always),
    (libc::SYS_pread64, Always),
    (libc::SYS_write, Always),
    (libc::SYS_writev, Always),
    (libc::SYS_pwrite64, Always),
    (libc::SYS_lseek, Always),
    (libc::SYS_close, Always),
    (libc::SYS_fstat, Always),
    (libc::SYS_newfstatat, Always),
    (libc::SYS_statx, Always),
    (libc::SYS_faccessat, Always),
    (libc::SYS_faccessat2, Always),
    (libc::SYS_readlinkat, Always),
    (libc::SYS_getdents64, Always),
    (libc::SYS_getcwd, Always),
    (libc::SYS_fcntl, Always),
    (libc::SYS_ioctl, REQUESTS),
    (libc::SYS_fsync, Always),
    (libc::SYS_fdatasync, Always),
    (libc::SYS_ftruncate, Always),
    (libc::SYS_renameat, Always),
    (libc::SYS_renameat2, Always),
    (libc::SYS_unlinkat, Always),
    (libc::SYS_mkdirat, Always),
    // The pulse's own folder and memory.
    (libc::SYS_fchmod, MODE_OF_PULSE),
    (libc::SYS_fchown, NO_OWNER),
    (libc::SYS_linkat, Always),
    (libc::SYS_truncate, NO_LENGTH),
    // Logs that grow, and appear.
    (libc::SYS_inotify_init1, Always),
    (libc::SYS_inotify_add_watch, Always),
    (libc::SYS_inotify_rm_watch, Always),
    // Waiting: for rings, sockets, time, each other.
    (libc::SYS_ppoll, Always),
    (libc::SYS_pselect6, Always),
    (libc::SYS_epoll_create1, Always),
    (libc::SYS_epoll_ctl, Always),
    (libc::SYS_epoll_pwait, Always),
    (libc::SYS_eventfd2, Always),
    (libc::SYS_pipe2, Always),
    (libc::SYS_futex, Always),
    (libc::SYS_clock_gettime, Always),
    (libc::SYS_clock_nanosleep, Always),
    (libc::SYS_nanosleep, Always),
    (libc::SYS_gettimeofday, Always),
    (libc::SYS_restart_syscall, Always),
    (libc::SYS_sched_yield, Always),
    // The correlator, name servers, name services; the opener; the runtime's own signal pipe.
    (libc::SYS_socket, SOCKETS),
    (libc::SYS_socketpair, LOCAL_PAIR),
    (libc::SYS_connect, Always),
    // The resolver binds its netlink socket. Nothing can listen.
    (libc::SYS_bind, Always),
    (libc::SYS_sendto, Always),
    (libc::SYS_sendmsg, Always),
    (libc::SYS_sendmmsg, Always),
    (libc::SYS_recvfrom, Always),
    (libc::SYS_recvmsg, Always),
    (libc::SYS_shutdown, Always),
    (libc::SYS_getsockname, Always),
    (libc::SYS_getpeername, Always),
    (libc::SYS_getsockopt, Always),
    (libc::SYS_setsockopt, Always),
    // The pulse's connection to its own listener, which was made before.
    (libc::SYS_accept4, Always),
    // Memory.
    (libc::SYS_brk, Always),
    (libc::SYS_mmap, NOT_EXECUTABLE),
    (libc::SYS_mprotect, NOT_EXECUTABLE),
    (libc::SYS_mremap, Always),
    (libc::SYS_munmap, Always),
    (libc::SYS_madvise, Always),
    // Threads. clone3 passes here, since another filter answers it with "unknown": see `restrict`.
    (libc::SYS_clone, A_THREAD),
    (libc::SYS_clone3, Always),
    (libc::SYS_set_robust_list, Always),
    (libc::SYS_rseq, Always),
    (libc::SYS_prctl, NAMING),
    (libc::SYS_prlimit64, READ_LIMITS),
    (libc::SYS_sched_getaffinity, Always),
    (libc::SYS_sigaltstack, Always),
    (libc::SYS_rt_sigaction, Always),
    (libc::SYS_rt_sigprocmask, Always),
    (libc::SYS_rt_sigreturn, Always),
    // Who and where we are.
    (libc::SYS_getpid, Always),
    (libc::SYS_gettid, Always),
    (libc::SYS_getuid, Always),
    (libc::SYS_geteuid, Always),
    (libc::SYS_getgid, Always),
    (libc::SYS_getegid, Always),
    (libc::SYS_uname, Always),
    (libc::SYS_sysinfo, Always),
    // Keys, nonces, seeds.
    (libc::SYS_getrandom, Always),
    // The end of a thread, and of all.
    (libc::SYS_exit, Always),
    (libc::SYS_exit_group, Always),
];

/// As [`SENSOR`], where the C library still makes the calls from before the `at`.
#[cfg(target_arch = "x86_64")]
pub(crate) const OLD: Calls = &[
    (libc::SYS_access, Always),
    (libc::SYS_readlink, Always),
    (libc::SYS_rename, Always),
    (libc::SYS_unlink, Always),
    (libc::SYS_link, Always),
    (libc::SYS_mkdir, Always),
    (libc::SYS_poll, Always),
    (libc::SYS_epoll_wait, Always),
];
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const OLD: Calls = &[];

/// Of the opener.
pub(crate) const OPENER: Calls = &[
    // Requests and answers, by the socket that it holds.
    (libc::SYS_recvfrom, Always),
    (libc::SYS_recvmsg, Always),
    (libc::SYS_sendmsg, Always),
    // What it is for.
    (libc::SYS_openat, TO_READ),
    (libc::SYS_readlinkat, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_readlink, Always),
    (libc::SYS_close, Always),
    // Last words.
    (libc::SYS_write, Always),
    // Memory.
    (libc::SYS_brk, Always),
    (libc::SYS_mmap, NOT_EXECUTABLE),
    (libc::SYS_mprotect, NOT_EXECUTABLE),
    (libc::SYS_mremap, Always),
    (libc::SYS_munmap, Always),
    (libc::SYS_madvise, Always),
    (libc::SYS_futex, Always),
    // Signals that it ignores may interrupt it.
    (libc::SYS_restart_syscall, Always),
    (libc::SYS_rt_sigprocmask, Always),
    (libc::SYS_rt_sigreturn, Always),
    (libc::SYS_exit_group, Always),
];
