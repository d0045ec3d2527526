//! What the pulse does so that hooks have something to see: calls of our own that change nothing. The programs leave out what the sensor does,
//! so no event comes of it.
//!
//! A hook on a point that is not in these tables is not exercised, and nothing is said of it.

use std::{io, net::TcpListener, os::fd::AsFd as _, path::Path, thread};

use rustix::net::{AddressFamily, SocketType, connect, socket};

use super::touch::{Touch, Touched};

/// Something that passes a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exercise {
    /// A system call that cannot succeed.
    Call(libc::c_long),
    /// A thread that ends at once. Threads come by where processes are made.
    Thread,
    /// The thread gives itself the name it has.
    Name,
    /// A connection over the loopback to ourselves.
    Connection,
    /// A step of the file system layer.
    File(Touch),
}

/// Points that are no system calls.
const POINTS: &[(&str, Exercise)] = &[
    ("sched_process_fork", Exercise::Thread),
    ("task_rename", Exercise::Name),
    ("inet_sock_set_state", Exercise::Connection),
    ("tcp_connect", Exercise::Connection),
    ("security_path_unlink", Exercise::File(Touch::Unlink)),
    ("vfs_unlink", Exercise::File(Touch::Unlink)),
    ("security_path_rename", Exercise::File(Touch::Rename)),
    ("vfs_rename", Exercise::File(Touch::Rename)),
    ("security_path_link", Exercise::File(Touch::Link)),
    ("vfs_link", Exercise::File(Touch::Link)),
    ("chmod_common", Exercise::File(Touch::Mode)),
    ("chown_common", Exercise::File(Touch::Owner)),
    ("vfs_truncate", Exercise::File(Touch::Length)),
];

macro_rules! calls {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name),)*] };
}

/// Calls that fail, or change nothing, when each of their arguments is -1: no descriptor, no user, no memory, no flags that exist.
const CALLS: &[(&str, libc::c_long)] = calls! {
    SYS_close SYS_openat SYS_openat2 SYS_unlinkat SYS_renameat SYS_renameat2 SYS_fchmod SYS_fchmodat SYS_linkat SYS_symlinkat SYS_fchown SYS_fchownat
    SYS_truncate SYS_ftruncate SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_removexattr SYS_lremovexattr SYS_fremovexattr
    SYS_accept SYS_accept4 SYS_bind SYS_listen SYS_sendto SYS_sendmsg SYS_setuid SYS_setreuid SYS_setresuid SYS_setgid SYS_setregid SYS_setresgid SYS_capset SYS_setns SYS_unshare
    SYS_mount SYS_move_mount SYS_umount2 SYS_memfd_create
};

/// Those that newer architectures did not take over.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[(&str, libc::c_long)] =
    calls! { SYS_open SYS_creat SYS_unlink SYS_rename SYS_chmod SYS_link SYS_symlink SYS_chown SYS_lchown };
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[(&str, libc::c_long)] = &[];

/// The system calls that may be made, with no argument but -1.
pub(crate) fn calls() -> impl Iterator<Item = libc::c_long> {
    CALLS.iter().chain(OLD_CALLS).map(|(_, number)| *number)
}

impl Exercise {
    /// What passes the point; `None` when nothing here does.
    pub(super) fn of(point: &str) -> Option<Self> {
        if let Some((_, exercise)) = POINTS.iter().find(|(known, _)| *known == point) {
            return Some(*exercise);
        }
        let call = point.strip_prefix("sys_exit_").or_else(|| point.strip_prefix("sys_enter_"))?;
        let mut known = CALLS.iter().chain(OLD_CALLS);
        known.find(|(name, _)| name.strip_prefix("SYS_") == Some(call)).map(|(_, number)| Self::Call(*number))
    }
}

/// What exercises need.
pub(super) struct Ground {
    listener: TcpListener,
    touched: Touched,
}

impl Ground {
    /// `folder` is the sensor's own, if it has one.
    pub(super) fn new(folder: Option<&Path>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind("127.0.0.1:0")?, touched: Touched::new(folder)? })
    }

    /// Where the listener is.
    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Does it. `counted` gives what the kernel counted so far and is called right before and after, so that preparing is not counted.
    pub(super) fn heard(&self, exercise: Exercise, counted: impl Fn() -> Option<u64>) -> io::Result<u64> {
        let socket = match exercise {
            Exercise::Connection => Some(socket(AddressFamily::INET, SocketType::STREAM, None)?),
            Exercise::Call(_) | Exercise::Thread | Exercise::Name | Exercise::File(_) => None,
        };
        let unreadable = || io::Error::other("the counter cannot be read");
        let before = counted().ok_or_else(unreadable)?;
        match exercise {
            Exercise::Call(number) => fail(number),
            Exercise::Thread => drop(thread::Builder::new().spawn(|| ())?.join()),
            Exercise::Name => name_again(),
            Exercise::File(touch) => self.touched.touch(touch)?,
            Exercise::Connection => {
                if let Some(socket) = &socket {
                    connect(socket.as_fd(), &self.listener.local_addr()?)?;
                }
            }
        }
        let heard = counted().ok_or_else(unreadable)?.saturating_sub(before);
        if exercise == Exercise::Connection {
            drop(self.listener.accept()?);
        }
        Ok(heard)
    }
}

fn fail(number: libc::c_long) {
    // SAFETY: only numbers of CALLS and OLD_CALLS come here. The last byte of the address space is never mapped, so as a pointer -1 gives
    // EFAULT; none of these calls takes it for anything that exists.
    let _fails = unsafe { libc::syscall(number, -1_i64, -1_i64, -1_i64, -1_i64, -1_i64, -1_i64) };
}

fn name_again() {
    // SAFETY: PR_SET_NAME reads a string that ends with NUL.
    let _set = unsafe { libc::prctl(libc::PR_SET_NAME, super::THREAD_NAME.as_ptr()) };
}
