//! Where a process stands: session, terminal, capabilities, namespaces.

use crate::Record;

/// Where a process stands. A number is 0 where the kernel does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Place {
    /// Effective capabilities, a bit for each.
    pub capabilities: u64,
    /// Id of the session, in the initial pid namespace.
    pub session: u32,
    /// Inode number of the mount namespace.
    pub mount: u32,
    /// Inode number of the pid namespace.
    pub pid: u32,
    /// Inode number of the network namespace.
    pub net: u32,
    /// Inode number of the user namespace.
    pub user: u32,
    /// Always 0.
    pub reserved: u32,
    /// The controlling terminal as its driver names it (`pts0`), with its NUL; empty for none.
    pub terminal: [u8; 16],
}

// SAFETY: repr(C), only integers, the size below shows that there is no padding.
unsafe impl Record for Place {}

const _: () = assert!(size_of::<Place>() == 48);
