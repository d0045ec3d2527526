//! Records of what programs leave to an io_uring.

use crate::{Family, Header, PathText, Record};

/// An operation that was handed to an io_uring. Text: walk and name of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct IoUring {
    /// Head; flags are of [`IoUring`].
    pub header: Header,
    /// What was asked for, as linux/io_uring.h numbers the operations.
    pub operation: u32,
    /// The path; empty where the operation has none or this kernel does not show it.
    pub path: PathText,
    /// Connect: the peer, a `struct sockaddr_in` or `sockaddr_in6`; family 0 where this kernel does not show it.
    pub address: [u8; Self::ADDRESS_LEN],
    /// Always 0.
    pub reserved: u32,
}

impl IoUring {
    /// The walk had more steps than [`crate::STEPS_MAX`]; its root end is missing.
    pub const PATH_CUT: u32 = 1;
    /// Bytes of a `struct sockaddr_in6`.
    pub const ADDRESS_LEN: usize = 28;
}

// SAFETY: repr(C), only integers, the size below shows that there is no padding.
unsafe impl Record for IoUring {
    const FAMILY: Option<Family> = Some(Family::File);
}

const _: () = assert!(size_of::<IoUring>() == 80);
