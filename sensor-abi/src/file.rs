//! File records.

use crate::{Family, Header, Record};

/// How a path lies in the text: a walk, then a name.
///
/// A *walk* is what the kernel's own structures give from a file up to the root: components leaf first, each followed by NUL.
/// A *name* is a string a program gave. With no name the walk is the path; with a name the walk is the directory that the name is
/// relative to (the root of the process, when the name begins with a slash).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct PathText {
    /// Bytes of the walk.
    pub walk_len: u16,
    /// Bytes of the name, its NUL included; 0 for none.
    pub name_len: u16,
}

/// Something done to a file. Text: walk and name of the path, then of the previous path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct File {
    /// Head; flags are of [`File`].
    pub header: Header,
    /// Inode number, 0 where this hook cannot know it.
    pub inode: u64,
    /// Device in the kernel's encoding, 0 where this hook cannot know it.
    pub device: u32,
    /// Mode bits; file type included only where the inode was at hand.
    pub mode: u32,
    /// The path.
    pub path: PathText,
    /// The path before a rename; the other name of a link; as a name without a walk, what a symbolic link says or an attribute is called.
    pub previous: PathText,
}

impl File {
    /// A walk had more steps than [`crate::STEPS_MAX`]; its root end is missing.
    pub const PATH_CUT: u32 = 1;
}

/// A file whose owner was set; `u32::MAX` stands for an id that was left as it was. Text: walk and name of the path. Flags as of [`File`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Chown {
    /// Head.
    pub header: Header,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The path.
    pub path: PathText,
    /// Always 0.
    pub reserved: u32,
}

// SAFETY: repr(C), only integers, the sizes below show that there is no padding.
unsafe impl Record for File {
    const FAMILY: Option<Family> = Some(Family::File);
}
// SAFETY: as above.
unsafe impl Record for Chown {
    const FAMILY: Option<Family> = Some(Family::File);
}

const _: () = assert!(size_of::<File>() == 64);
const _: () = assert!(size_of::<Chown>() == 56);
