//! Files and file systems.

use bstr::BString;

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileOperation {
    /// Opened with the file made by that very call.
    Create,
    /// An existing file opened for writing.
    Write,
    /// A file on the policy's list of sensitive files opened for reading.
    Read,
    /// Removed from its directory.
    Delete,
    /// Given another name.
    Rename,
    /// Its mode bits changed.
    Chmod,
    /// Its owner or group changed.
    Chown,
    /// Closed by the last who had it open for writing.
    CloseWrite,
    /// Given one more name (hard link).
    Link,
    /// A symbolic link was made.
    Symlink,
    /// Its length was set.
    Truncate,
    /// An extended attribute was set or removed; file capabilities are one.
    SetAttribute,
}

/// One operation on one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileActivity {
    /// What was done.
    pub operation: FileOperation,
    /// The file's absolute path after the operation.
    pub path: BString,
    /// The path before a rename; the other name of a hard link; what a symbolic link says.
    pub previous_path: Option<BString>,
    /// Permission bits after a chmod or create.
    pub mode: Option<u32>,
    /// The owner after a chown.
    pub owner: Option<Owner>,
    /// The name of the extended attribute: `security.capability`, ...
    pub attribute: Option<BString>,
}

impl FileActivity {
    /// An operation that has nothing to say but the path.
    #[must_use]
    pub fn new(operation: FileOperation, path: BString) -> Self {
        Self { operation, path, previous_path: None, mode: None, owner: None, attribute: None }
    }
}

/// Whom a file belongs to; absent is what was left as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Owner {
    /// The user.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
}

/// What was done to a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MountOperation {
    /// It was mounted, bound to another place or mounted anew with other flags.
    Mount,
    /// It was unmounted.
    Unmount,
}

/// A file system mounted or unmounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What was done.
    pub operation: MountOperation,
    /// The device or directory that was mounted; empty for an unmount.
    pub source: BString,
    /// Where.
    pub target: BString,
    /// The kind of file system; empty for a bind or an unmount.
    pub kind: BString,
    /// The flags of mount(2) or umount2(2).
    pub flags: u64,
}
