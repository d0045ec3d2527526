//! Records of capabilities and namespaces.

use crate::{Family, Header, Record};

/// The capabilities of a task, in the order in which the kernel keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Capabilities {
    /// What it may pass on.
    pub inheritable: u64,
    /// What it may give itself.
    pub permitted: u64,
    /// What it may do.
    pub effective: u64,
}

/// capset(2) changed something. `header.task` is who.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct SetCapabilities {
    /// Head.
    pub header: Header,
    /// Before the call.
    pub before: Capabilities,
    /// After it.
    pub after: Capabilities,
}

/// unshare(2) or setns(2) changed namespaces. `header.task` is whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Namespace {
    /// Head.
    pub header: Header,
    /// 0 for unshare(2), 1 for setns(2).
    pub joined: u32,
    /// The CLONE_NEW flags of the kinds.
    pub kinds: u32,
}

// SAFETY: repr(C), only integers, sizes below show that there is no padding.
unsafe impl Record for Capabilities {}
// SAFETY: as above.
unsafe impl Record for SetCapabilities {
    const FAMILY: Option<Family> = Some(Family::Process);
}
// SAFETY: as above.
unsafe impl Record for Namespace {
    const FAMILY: Option<Family> = Some(Family::Process);
}

const _: () = assert!(size_of::<SetCapabilities>() == 40 + 24 + 24);
const _: () = assert!(size_of::<Namespace>() == 48);
