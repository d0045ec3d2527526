//! Network records.

use crate::{Family, Header, Record};

/// Bytes of a packet's payload that a record carries at most: a DNS answer over UDP, and a ClientHello with the large keys of today.
pub const PAYLOAD_MAX: usize = 2048;

/// The two ends of a socket or a packet, as this host sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Ends {
    /// This host's address; IPv4 in the first four bytes.
    pub local: [u8; 16],
    /// The other end's address, likewise.
    pub remote: [u8; 16],
    /// This host's port; 0 when the kernel has chosen none.
    pub local_port: u16,
    /// The other end's port.
    pub remote_port: u16,
    /// AF_INET or AF_INET6.
    pub family: u16,
    /// The IP protocol number.
    pub protocol: u16,
}

/// Something done to a socket. `header.task` is zero where nobody knows whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Network {
    /// Head.
    pub header: Header,
    /// Its ends.
    pub ends: Ends,
    /// Close: bytes of payload that the other end confirmed.
    pub sent: u64,
    /// Close: bytes of payload that came.
    pub received: u64,
    /// Close: nanoseconds since the connection stood.
    pub lasted_ns: u64,
    /// Connect: the TCP state that the attempt led to; 0 when nothing waited for that.
    pub state: u32,
    /// Connect: the socket's error, by its errno.
    pub error: u32,
}

impl Network {
    /// The connection stands.
    pub const ESTABLISHED: u32 = 1;
    /// The attempt is over.
    pub const CLOSED: u32 = 7;
}

/// A packet's payload, cut after [`PAYLOAD_MAX`] bytes. Text: the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Packet {
    /// Head; flags are of [`Packet`].
    pub header: Header,
    /// Its ends.
    pub ends: Ends,
    /// Bytes of payload.
    pub payload_len: u16,
    /// Always 0.
    pub reserved: [u16; 3],
}

impl Packet {
    /// It came from the other end.
    pub const INCOMING: u32 = 1;
}

// SAFETY: repr(C), only integers, the sizes below show that there is no padding.
unsafe impl Record for Ends {}
// SAFETY: as above.
unsafe impl Record for Network {
    const FAMILY: Option<Family> = Some(Family::Network);
}
// SAFETY: as above.
unsafe impl Record for Packet {
    const FAMILY: Option<Family> = Some(Family::Packet);
}

const _: () = assert!(size_of::<Ends>() == 40);
const _: () = assert!(size_of::<Network>() == 80 + 32);
const _: () = assert!(size_of::<Packet>() == 80 + 8);
