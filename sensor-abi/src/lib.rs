//! The records the kernel programs and the sensor share, byte for byte.
//!
//! This room owns the layout of what goes through the two rings and of the read-only globals the loader sets. It refuses
//! meaning: a record holds what the kernel said, in the kernel's own numbers. Sizes and offsets are asserted at compile time,
//! for the two sides are compiled by different compilers for different targets.
//!
//! A record is a fixed head (one of the structs here, each beginning with a [`Header`]) followed by its text: the pieces whose
//! lengths the head names, one after the other in the order of those length fields.
#![no_std]

mod budget;
mod exec;
mod file;
mod header;
mod kernel;
mod login;
mod mount;
mod network;
mod place;
mod privilege;
mod tamper;
mod uring;

pub use budget::{Allowance, BURST_GAP_NS, FAMILIES, Family, Noisy, SPENDERS_MAX, Spender, Spent};
pub use exec::{Exec, ExecFailed, Exit, Fork, SetCredentials, SetName};
pub use file::{Chown, File, PathText};
pub use header::{Creds, Header, Kind, TaskRef, User};
pub use kernel::{ABSENT, Counters, Offsets, Pulse, Settings};
pub use login::{Authentication, ITEM_MAX, LINE_MAX, ShellLine};
pub use mount::Mount;
pub use network::{Ends, Network, PAYLOAD_MAX, Packet};
pub use place::Place;
pub use privilege::{Capabilities, Namespace, SetCapabilities};
pub use tamper::{Tamper, TamperOperation};
pub use uring::IoUring;

/// Bytes of argv a record carries at most, and bytes of the environment.
pub const ARGS_MAX: u64 = 32 * 1024;
/// Bytes of a path given by a user pointer at most, the kernel's own PATH_MAX.
pub const PATH_MAX: u64 = 4096;
/// Components (and mounts crossed) a walk from a file to the root takes at most.
pub const STEPS_MAX: u32 = 96;
/// Bytes of one path component, with its NUL.
pub const NAME_MAX: u64 = 256;
/// Text other than argv and environment stops growing here, so that a record never exceeds [`RECORD_MAX`].
pub const TEXT_LIMIT: u64 = 16 * 1024;
/// Where argv begins at most: the last piece before it may begin just below the limit.
pub const ARGS_AT_MAX: u64 = TEXT_LIMIT + PATH_MAX;
/// The largest record: argv and the environment come last.
pub const RECORD_MAX: usize = (16 + 4 + 32 + 32) * 1024 + 8;
/// Bytes of the ring of processes.
pub const PROCESS_RING_BYTES: u32 = 4 * 1024 * 1024;
/// Bytes of the ring of files and sockets.
pub const OTHER_RING_BYTES: u32 = 2 * 1024 * 1024;
/// How many sensitive files the kernel is told of at most.
pub const SENSITIVE_MAX: u32 = 1024;

/// A plain struct that is the same bytes on both sides.
///
/// # Safety
/// The type is `repr(C)`, has no padding, and every pattern of bits is a value of it.
pub unsafe trait Record: Copy {
    /// Whose budget each such record is charged to; `None` for what must never be left out.
    const FAMILY: Option<Family> = None;

    /// The record at the beginning of `bytes`; `None` when there are too few.
    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..size_of::<Self>())?;
        // SAFETY: there are size_of::<Self>() readable bytes, the read does not ask for alignment, and the implementor
        // promises that any bits will do.
        Some(unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
    }

    /// The record's own bytes.
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: the value is size_of::<Self>() readable bytes, and the implementor promises that none of them is padding.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}

const _: () = assert!(RECORD_MAX as u64 == ARGS_AT_MAX + 2 * ARGS_MAX + 8);
