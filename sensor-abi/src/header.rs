//! What every record begins with.

use crate::Record;

/// What a record tells of, as [`Header::kind`] numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// [`crate::Fork`].
    Fork = 1,
    /// [`crate::Exec`].
    Exec = 2,
    /// [`crate::Exit`].
    Exit = 3,
    /// [`crate::SetCredentials`].
    SetCredentials = 4,
    /// [`crate::ExecFailed`].
    ExecFailed = 5,
    /// [`crate::SetName`].
    SetName = 6,
    /// [`crate::SetCapabilities`].
    SetCapabilities = 7,
    /// [`crate::Namespace`].
    Namespace = 8,
    /// [`crate::Tamper`].
    Tamper = 9,
    /// A [`crate::File`] opened and made by the same call.
    Create = 16,
    /// A [`crate::File`] opened for writing.
    Write = 17,
    /// A sensitive [`crate::File`] opened for reading.
    Read = 18,
    /// A [`crate::File`] removed.
    Delete = 19,
    /// A [`crate::File`] renamed.
    Rename = 20,
    /// A [`crate::File`] whose mode changed.
    Chmod = 21,
    /// A [`crate::File`] closed by the last who had it open for writing, and changed meanwhile.
    CloseWrite = 22,
    /// A [`crate::File`] given one more name; the previous path is the other one.
    Link = 23,
    /// A symbolic link made, as a [`crate::File`]; the name of the previous path is what it says.
    Symlink = 24,
    /// A [`crate::Chown`].
    Chown = 25,
    /// A [`crate::File`] whose length was set.
    Truncate = 26,
    /// A [`crate::File`] of which an extended attribute was set or removed; the name of the previous path is the attribute's.
    SetAttribute = 27,
    /// A [`crate::Mount`] made.
    Mount = 28,
    /// A [`crate::Mount`] taken away.
    Unmount = 29,
    /// A [`crate::Network`] connection begun, told when it stands or is given up.
    Connect = 32,
    /// A [`crate::Network`] connection accepted.
    Accept = 33,
    /// A [`crate::Network`] socket that listens.
    Listen = 34,
    /// A [`crate::Network`] socket that was given an address of this host.
    Bind = 35,
    /// A [`crate::Network`] connection that ended.
    Close = 36,
    /// The first datagram for a while over this [`crate::Network`] socket to this peer.
    Send = 37,
    /// The first datagram for a while over this [`crate::Network`] socket from this peer.
    Receive = 38,
    /// A [`crate::Packet`] to or from a DNS server.
    Dns = 39,
    /// The first [`crate::Packet`] of a TLS client.
    Tls = 40,
    /// [`crate::Authentication`].
    Authentication = 49,
    /// [`crate::ShellLine`].
    ShellLine = 50,
    /// [`crate::Noisy`].
    Suppressed = 51,
    /// [`crate::IoUring`].
    IoUring = 48,
}

impl Kind {
    const ALL: &[Self] = &[
        Self::Fork,
        Self::Exec,
        Self::Exit,
        Self::SetCredentials,
        Self::ExecFailed,
        Self::SetName,
        Self::SetCapabilities,
        Self::Namespace,
        Self::Tamper,
        Self::Create,
        Self::Write,
        Self::Read,
        Self::Delete,
        Self::Rename,
        Self::Chmod,
        Self::CloseWrite,
        Self::Link,
        Self::Symlink,
        Self::Chown,
        Self::Truncate,
        Self::SetAttribute,
        Self::Mount,
        Self::Unmount,
        Self::Connect,
        Self::Accept,
        Self::Listen,
        Self::Bind,
        Self::Close,
        Self::Send,
        Self::Receive,
        Self::Dns,
        Self::Tls,
        Self::Authentication,
        Self::ShellLine,
        Self::Suppressed,
        Self::IoUring,
    ];

    /// The kind with that number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| *kind as u32 == number)
    }
}

/// A process as the kernel names it: thread group and the boot-time clock at which its leader started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct TaskRef {
    /// Nanoseconds since boot, suspend included.
    pub start_ns: u64,
    /// Thread group id in the initial pid namespace.
    pub pid: u32,
    /// Thread id of who acted; not part of the name.
    pub thread: u32,
}

/// The first bytes of every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Header {
    /// When, in nanoseconds since boot, suspend included.
    pub time_ns: u64,
    /// Who.
    pub task: TaskRef,
    /// A [`Kind`].
    pub kind: u32,
    /// Flags of that kind.
    pub flags: u32,
    /// Whose thread it was, as it acted.
    pub user: User,
}

/// Under which identities a thread acts, in the initial user namespace. In every record, because what a process's last change of them said may
/// have been left out, and threads may have identities of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct User {
    /// Real user.
    pub uid: u32,
    /// Effective user.
    pub euid: u32,
}

impl User {
    /// The record was made on another thread than that of who did it.
    pub const UNKNOWN: Self = Self { uid: u32::MAX, euid: u32::MAX };
}

impl Default for User {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

/// The identities of a task, in the initial user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Creds {
    /// Real user.
    pub uid: u32,
    /// Real group.
    pub gid: u32,
    /// Saved user.
    pub suid: u32,
    /// Saved group.
    pub sgid: u32,
    /// Effective user.
    pub euid: u32,
    /// Effective group.
    pub egid: u32,
    /// Audit login user; `u32::MAX` when nobody logged in or the kernel has no audit.
    pub login: u32,
    /// Always 0; keeps the size a multiple of 8.
    pub reserved: u32,
}

// SAFETY: repr(C), only integers, sizes below show that there is no padding.
unsafe impl Record for TaskRef {}
// SAFETY: as above.
unsafe impl Record for User {}
// SAFETY: as above.
unsafe impl Record for Header {}
// SAFETY: as above.
unsafe impl Record for Creds {}

const _: () = assert!(size_of::<TaskRef>() == 16);
const _: () = assert!(size_of::<Header>() == 40);
const _: () = assert!(size_of::<Creds>() == 32);
