//! Records of mounts.

use crate::{Family, Header, PathText, Record};

/// A file system mounted or unmounted. Text: walk and name of the source, walk and name of the target, the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Mount {
    /// Head; flags are of [`Mount`].
    pub header: Header,
    /// The flags of mount(2) or umount2(2).
    pub flags: u64,
    /// What was mounted.
    pub source: PathText,
    /// Where.
    pub target: PathText,
    /// Bytes of the name of the kind of file system, NUL included; 0 for none.
    pub kind_len: u16,
    /// Always 0.
    pub reserved: [u16; 3],
}

impl Mount {
    /// A walk had more steps than [`crate::STEPS_MAX`]; its root end is missing.
    pub const PATH_CUT: u32 = 1;
    /// The source is a path; without this it is whatever name was given.
    pub const SOURCE_IS_PATH: u32 = 2;
}

// SAFETY: repr(C), only integers, the size below shows that there is no padding.
unsafe impl Record for Mount {
    const FAMILY: Option<Family> = Some(Family::File);
}

const _: () = assert!(size_of::<Mount>() == 64);
