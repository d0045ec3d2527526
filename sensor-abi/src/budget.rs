//! How much one process may have told of it, and what was left out.

use crate::{Header, Record};

/// Events that share a budget. What is not in one of these (fork, exec, exit) has none and is always told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Family {
    /// What is done to files.
    File = 0,
    /// Reads of sensitive files.
    Sensitive = 1,
    /// Connections and datagrams.
    Network = 2,
    /// What packets say.
    Packet = 3,
    /// What a process does to itself, and execs that fail.
    Process = 4,
    /// Tampering.
    Tamper = 5,
}

/// How many families there are.
pub const FAMILIES: usize = 6;

impl Family {
    /// All, by their numbers.
    pub const ALL: [Self; FAMILIES] =
        [Self::File, Self::Sensitive, Self::Network, Self::Packet, Self::Process, Self::Tamper];

    /// The family with that number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|family| *family as u32 == number)
    }
}

/// What a process may have told of one family: `burst` at once, and one more each `interval_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Allowance {
    /// Nanoseconds; 0 for no limit.
    pub interval_ns: u32,
    /// Records.
    pub burst: u32,
}

/// A process and a family. Pid 0 for whom nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Spender {
    /// Of its leader, in nanoseconds since boot.
    pub start_ns: u64,
    /// Thread group id.
    pub pid: u32,
    /// A [`Family`].
    pub family: u32,
}

/// What a [`Spender`] used up. Times are nanoseconds since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Spent {
    /// When the whole burst is there again, if nothing more comes.
    pub full_at_ns: u64,
    /// Records left out since this entry was made.
    pub suppressed: u64,
    /// When the first of a burst was left out; a burst ends with [`BURST_GAP_NS`] in which nothing was.
    pub first_ns: u64,
    /// When the last was left out.
    pub last_ns: u64,
    /// When this entry was made.
    pub made_ns: u64,
    /// 1 once userland was sent a [`Noisy`] of this burst.
    pub told: u64,
}

/// So long nothing is left out between two bursts.
pub const BURST_GAP_NS: u64 = 3_000_000_000;

/// How many spenders are followed; of more, those that did nothing for longest are forgotten. They start anew with a full allowance.
pub const SPENDERS_MAX: u32 = 8192;

/// Something of the process was left out, the first of a burst: says where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Noisy {
    /// Head, of the process that was too noisy.
    pub header: Header,
    /// A [`Family`].
    pub family: u32,
    /// Always 0.
    pub reserved: u32,
}

// SAFETY: repr(C), only integers, sizes below show that there is no padding.
unsafe impl Record for Spender {}
// SAFETY: as above.
unsafe impl Record for Spent {}
// SAFETY: as above.
unsafe impl Record for Noisy {}

const _: () = assert!(size_of::<Allowance>() == 8);
const _: () = assert!(size_of::<Spender>() == 16);
const _: () = assert!(size_of::<Spent>() == 48);
const _: () = assert!(size_of::<Noisy>() == 48);
