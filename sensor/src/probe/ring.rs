//! The two rings, as userland reads them.

use std::os::fd::{AsFd, BorrowedFd};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use aya_log::EbpfLogger;
use bongsu_sensor_abi::{OTHER_RING_BYTES, PROCESS_RING_BYTES};

use super::StartError;
use crate::decode::{Decoded, decode};

/// One ring and what was read from it.
pub(super) struct Ring {
    buffer: RingBuf<MapData>,
    bytes_max: usize,
    /// Records taken out.
    pub(super) read: u64,
    /// Of these, those that could not be decoded.
    undecodable: u64,
}

/// Both, and the one that only wakes.
pub(super) struct Rings {
    pub(super) process: Ring,
    pub(super) other: Ring,
    urgent: RingBuf<MapData>,
    /// Hands what the programs say beside records (aya-log) to our own log.
    diagnostics: Option<Box<dyn FnMut() + Send>>,
}

impl Rings {
    /// Takes them out of the object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, StartError> {
        Ok(Self {
            process: Ring::new(take(ebpf, "PROCESS_RING")?, PROCESS_RING_BYTES),
            other: Ring::new(take(ebpf, "OTHER_RING")?, OTHER_RING_BYTES),
            urgent: take(ebpf, "URGENT")?,
            diagnostics: diagnostics(ebpf),
        })
    }

    /// Readable when a record cannot wait.
    pub(super) fn urgent(&self) -> BorrowedFd<'_> {
        self.urgent.as_fd()
    }

    /// To be called before the two are read: what wakes us after this is read after this.
    pub(super) fn tend(&mut self) {
        while self.urgent.next().is_some() {}
        if let Some(flush) = &mut self.diagnostics {
            flush();
        }
    }
}

/// The programs' diagnostics; the sensor works without.
fn diagnostics(ebpf: &mut Ebpf) -> Option<Box<dyn FnMut() + Send>> {
    match EbpfLogger::init(ebpf) {
        Ok(mut logger) => Some(Box::new(move || logger.flush())),
        Err(error) => {
            tracing::warn!(%error, "the kernel programs cannot log");
            None
        }
    }
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<RingBuf<MapData>, StartError> {
    let map = ebpf.take_map(name).ok_or_else(|| StartError::Foreign(format!("no map {name}")))?;
    RingBuf::try_from(map).map_err(|error| StartError::Foreign(format!("map {name}: {error}")))
}

impl Ring {
    fn new(buffer: RingBuf<MapData>, bytes_max: u32) -> Self {
        Self { buffer, bytes_max: bytes_max as usize, read: 0, undecodable: 0 }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.buffer.as_fd()
    }

    /// Takes out at most `max` records, and no more than the ring holds at once, and hands each, decoded, to `take`. Says whether the ring is
    /// empty.
    pub(super) fn drain(&mut self, max: usize, mut take: impl FnMut(Decoded)) -> bool {
        let mut bytes = 0;
        for _ in 0..max {
            // Who writes as fast as we read would keep us here for ever, with all of it in our memory.
            if bytes >= self.bytes_max {
                return false;
            }
            let Some(item) = self.buffer.next() else { return true };
            self.read += 1;
            bytes += item.len();
            match decode(&item) {
                Ok(decoded) => take(decoded),
                Err(error) => {
                    self.undecodable += 1;
                    // All of them are the same mistake, a sensor and programs of different builds: said at 1, 2, 4, 8, ... of them.
                    if self.undecodable.is_power_of_two() {
                        let so_far = self.undecodable;
                        tracing::error!(so_far, %error, "records of the kernel programs make no sense and are lost");
                    }
                }
            }
        }
        false
    }
}
