//! Process records: fork, exec, exit, new names and the setuid family.

use crate::{Creds, Family, Header, Place, Record, TaskRef};

/// A new process. `header.task` is who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Fork {
    /// Head.
    pub header: Header,
    /// The new process.
    pub child: TaskRef,
    /// Its parent, which need not be who made it (CLONE_PARENT).
    pub parent: TaskRef,
}

/// A program started. Text: executable path, cwd, script, cgroup path, argv, environment.
///
/// Paths and the cgroup are walks (see [`crate::PathText`]); script is a plain string; argv and
/// environment are as the kernel laid them out, each string followed by NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Exec {
    /// Head; flags are of [`Exec`].
    pub header: Header,
    /// The parent process at this moment.
    pub parent: TaskRef,
    /// Identities the new program has.
    pub creds: Creds,
    /// Inode number of the image.
    pub inode: u64,
    /// Device of the image, in the kernel's encoding.
    pub device: u32,
    /// Mode bits of the image.
    pub mode: u32,
    /// The thread's name.
    pub comm: [u8; 16],
    /// Where the process stands.
    pub place: Place,
    /// Names that the image has.
    pub links: u32,
    /// Always 0.
    pub reserved: u32,
    /// Bytes of the walk to the image.
    pub executable_len: u16,
    /// Bytes of the walk to the working directory.
    pub cwd_len: u16,
    /// Bytes of the script's name; 0 when the kernel ran no interpreter.
    pub script_len: u16,
    /// Bytes of the walk up the cgroup.
    pub cgroup_len: u16,
    /// Bytes of argv.
    pub args_len: u16,
    /// Bytes of the environment; 0 unless it is asked for.
    pub environment_len: u16,
    /// Always 0.
    pub unused: [u16; 2],
}

impl Exec {
    /// Not all of argv is there: it was longer than [`crate::ARGS_MAX`], or could not be read.
    pub const ARGS_CUT: u32 = 1;
    /// A walk had more steps than [`crate::STEPS_MAX`]; its root end is missing.
    pub const PATH_CUT: u32 = 2;
    /// The image has no name left.
    pub const NO_LINKS: u32 = 4;
    /// The image lies in memory only.
    pub const MEMFD: u32 = 8;
    /// The image is a file of an overlay mount and lies in its writable layer.
    pub const UPPER_LAYER: u32 = 16;
}

/// A program could not be started. Text: the path as it was given, with its NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct ExecFailed {
    /// Head.
    pub header: Header,
    /// The number of the error.
    pub error: u32,
    /// The descriptor that the path is relative to.
    pub directory: i32,
    /// Bytes of the path.
    pub path_len: u16,
    /// Always 0.
    pub reserved: [u16; 3],
}

/// The last thread of a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Exit {
    /// Head.
    pub header: Header,
    /// As wait(2) encodes it.
    pub status: u32,
    /// Always 0.
    pub reserved: u32,
}

/// A call of the setuid family changed something. `header.task` is who.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct SetCredentials {
    /// Head.
    pub header: Header,
    /// Identities before the call.
    pub before: Creds,
    /// Identities after it.
    pub after: Creds,
}

/// The first thread of a process got another name, not by exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct SetName {
    /// Head.
    pub header: Header,
    /// The name before, with its NUL.
    pub before: [u8; 16],
    /// The name from now on, likewise.
    pub after: [u8; 16],
}

// SAFETY: repr(C), only integers, sizes below show that there is no padding.
unsafe impl Record for Fork {}
// SAFETY: as above.
unsafe impl Record for Exec {}
// SAFETY: as above.
unsafe impl Record for Exit {}
// SAFETY: as above.
unsafe impl Record for ExecFailed {
    const FAMILY: Option<Family> = Some(Family::Process);
}
// SAFETY: as above.
unsafe impl Record for SetCredentials {
    const FAMILY: Option<Family> = Some(Family::Process);
}
// SAFETY: as above.
unsafe impl Record for SetName {
    const FAMILY: Option<Family> = Some(Family::Process);
}

const _: () = assert!(size_of::<Fork>() == 72);
const _: () = assert!(size_of::<Exec>() == 40 + 16 + 32 + 16 + 16 + 48 + 8 + 16);
const _: () = assert!(core::mem::offset_of!(Exec, executable_len) == 176);
const _: () = assert!(size_of::<Exit>() == 48);
const _: () = assert!(size_of::<ExecFailed>() == 56);
const _: () = assert!(size_of::<SetCredentials>() == 104);
const _: () = assert!(size_of::<SetName>() == 72);
