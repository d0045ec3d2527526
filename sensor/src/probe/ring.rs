//! The two rings, as userland reads them.

use std::os::fd::{AsFd, BorrowedFd};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};

use super::StartError;
use crate::decode::{Decoded, decode};

/// One ring and what was read from it.
pub(super) struct Ring {
    buffer: RingBuf<MapData>,
    /// Records taken out.
    pub(super) read: u64,
    /// Of these, those that could not be decoded.
    pub(super) undecodable: u64,
}

/// Both.
pub(super) struct Rings {
    pub(super) process: Ring,
    pub(super) other: Ring,
}

impl Rings {
    /// Takes them out of the object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, StartError> {
        Ok(Self { process: Ring::take(ebpf, "PROCESS_RING")?, other: Ring::take(ebpf, "OTHER_RING")? })
    }
}

impl Ring {
    fn take(ebpf: &mut Ebpf, name: &str) -> Result<Self, StartError> {
        let map = ebpf.take_map(name).ok_or_else(|| StartError::Foreign(format!("no map {name}")))?;
        let buffer = RingBuf::try_from(map).map_err(|error| StartError::Foreign(format!("map {name}: {error}")))?;
        Ok(Self { buffer, read: 0, undecodable: 0 })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.buffer.as_fd()
    }

    /// Takes out at most `max` records and hands each, decoded, to `take`. Says whether the ring is empty.
    pub(super) fn drain(&mut self, max: usize, mut take: impl FnMut(Decoded)) -> bool {
        for _ in 0..max {
            let Some(item) = self.buffer.next() else { return true };
            self.read += 1;
            match decode(&item) {
                Ok(decoded) => take(decoded),
                Err(error) => {
                    self.undecodable += 1;
                    tracing::debug!(%error, "a record of the kernel programs could not be read");
                }
            }
        }
        false
    }
}
