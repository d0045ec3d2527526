//! Records of login programs and shells.

use crate::{Header, Record};

/// Bytes kept of each of PAM's items, the NUL behind it included.
pub const ITEM_MAX: usize = 256;
/// Bytes kept of a line, the NUL behind it included.
pub const LINE_MAX: usize = 4096;

/// pam_authenticate(3) came to an end. The items are strings; an item that the program did not give, or that was given before anybody
/// watched, is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Authentication {
    /// Head.
    pub header: Header,
    /// What it returned: 0 for success.
    pub result: u32,
    /// Always 0.
    pub reserved: u32,
    /// PAM_SERVICE.
    pub service: [u8; ITEM_MAX],
    /// PAM_USER.
    pub user: [u8; ITEM_MAX],
    /// PAM_RHOST.
    pub remote_host: [u8; ITEM_MAX],
    /// PAM_TTY.
    pub terminal: [u8; ITEM_MAX],
}

/// A line was typed into a shell. Text: the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct ShellLine {
    /// Head; flags are of [`ShellLine`].
    pub header: Header,
    /// Bytes of the line with its NUL.
    pub line_len: u16,
    /// Always 0.
    pub reserved: [u16; 3],
}

impl ShellLine {
    /// The line fills its room, so there may have been more.
    pub const CUT: u32 = 1;
}

// SAFETY: repr(C), only integers, the sizes below show that there is no padding.
unsafe impl Record for Authentication {}
// SAFETY: as above.
unsafe impl Record for ShellLine {}

const _: () = assert!(size_of::<Authentication>() == 40 + 8 + 4 * ITEM_MAX);
const _: () = assert!(size_of::<ShellLine>() == 48);
