//! Network records.

use crate::{Header, Record};

/// Something done to a TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Network {
    /// Head.
    pub header: Header,
    /// This host's address; IPv4 in the first four bytes.
    pub local: [u8; 16],
    /// The other end's address, likewise.
    pub remote: [u8; 16],
    /// This host's port; 0 when the hook fires before the kernel chose one.
    pub local_port: u16,
    /// The other end's port.
    pub remote_port: u16,
    /// AF_INET or AF_INET6.
    pub family: u16,
    /// The IP protocol number.
    pub protocol: u16,
}

// SAFETY: repr(C), only integers, the size below shows that there is no padding.
unsafe impl Record for Network {}

const _: () = assert!(size_of::<Network>() == 72);
