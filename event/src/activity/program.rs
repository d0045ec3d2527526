//! Programs that start, and those that could not.

use bstr::BString;

/// The start of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exec {
    /// What the process was before, when that is known.
    pub previous_executable: Option<BString>,
    /// The script, when the kernel ran an interpreter for it.
    pub script: Option<BString>,
    /// What is unusual about the image.
    pub image: ImageTraits,
    /// Inode number of the image.
    pub inode: u64,
    /// Device of the image, as stat(2) would show it; 0 where the hook does not say.
    pub device: u64,
    /// Names that the image has; 0 where the hook does not say.
    pub links: u32,
    /// The environment, where the policy asks for it: each `NAME=value`, values of what looks like secrets replaced.
    pub environment: Vec<BString>,
}

/// A program that was not started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecFailed {
    /// The path as the program gave it.
    pub path: BString,
    /// The number of the error: 2 for ENOENT, 13 for EACCES, ...
    pub error: u16,
}

/// What is unusual about a program's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImageTraits {
    /// It lives in memory only (memfd_create).
    pub memfd: bool,
    /// It has no name left in any directory.
    pub deleted: bool,
    /// It carries the set-uid or set-gid bit.
    pub setuid: bool,
    /// It lies in the writable layer of a container, not in its image: somebody put it there since.
    pub upper_layer: bool,
}
