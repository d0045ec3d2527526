//! One upload: chunks from a sensor, in order, checked one by one and as a whole.
//!
//! Everything the sensor says is checked: a chunk's place and hash, how many bytes come, and at the end their number and hash.
//! What does not fit ends this upload and touches nothing else.

use std::{io, time::Duration};

use bongsu_event::{EvidenceId, SensorId};
use bongsu_proto::{
    limits::EVIDENCE_CHUNK_BYTES_MAX as CHUNK_BYTES_MAX,
    v1::{EvidenceChunk, EvidenceEnd},
};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::vault::Incoming;
use crate::store::evidence::RequestRow;

/// Without a chunk for so long, the upload is given up and asked for again.
const STALL_MAX: Duration = Duration::from_secs(60);
/// However steadily it drips, it is given up after this.
const UPLOAD_MAX: Duration = Duration::from_secs(30 * 60);

/// An upload under way.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) row: RequestRow,
    file: Incoming,
    hash: Sha256,
    received: u64,
    bytes_max: u64,
    begun: Instant,
    progress: Instant,
}

/// Why an upload ended before it was whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    /// The sensor sent what does not fit.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// We could not store it.
    #[error("cannot store the upload")]
    Store(#[from] io::Error),
}

/// What a sensor sent that does not fit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Refusal {
    #[error("a chunk of {0} bytes; the protocol allows 1 to {CHUNK_BYTES_MAX}")]
    ChunkSize(usize),
    #[error("a chunk for offset {found} where {expected} comes next")]
    Offset { expected: u64, found: u64 },
    #[error("the chunk at offset {0} is not what its SHA-256 says")]
    ChunkHash(u64),
    #[error("more than the {0} bytes that were allowed")]
    TooMany(u64),
    #[error("{received} bytes arrived where {said} were announced")]
    Size { said: u64, received: u64 },
    #[error("the whole is not what its SHA-256 says")]
    WholeHash,
    #[error("an end that says neither success nor failure")]
    Outcome,
}

/// A whole upload, checked.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) file: Incoming,
    pub(super) id: EvidenceId,
    pub(super) size: u64,
}

impl Upload {
    pub(super) fn new(row: RequestRow, file: Incoming, bytes_max: u64) -> Self {
        let now = Instant::now();
        Self { row, file, hash: Sha256::new(), received: 0, bytes_max, begun: now, progress: now }
    }

    /// Whether a message from `sensor` can be about this upload.
    pub(super) fn is_of(&self, sensor: SensorId) -> bool {
        self.row.sensor == sensor
    }

    /// Whether it should be given up.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        now.duration_since(self.progress) > STALL_MAX || now.duration_since(self.begun) > UPLOAD_MAX
    }

    /// Takes one chunk. Blocks while it is written.
    pub(super) fn take(&mut self, chunk: &EvidenceChunk) -> Result<(), UploadError> {
        if chunk.data.is_empty() || chunk.data.len() > CHUNK_BYTES_MAX {
            return Err(Refusal::ChunkSize(chunk.data.len()).into());
        }
        if chunk.offset != self.received {
            return Err(Refusal::Offset { expected: self.received, found: chunk.offset }.into());
        }
        if Sha256::digest(&chunk.data)[..] != chunk.sha256[..] {
            return Err(Refusal::ChunkHash(chunk.offset).into());
        }
        let received = self.received.saturating_add(u64::try_from(chunk.data.len()).unwrap_or(u64::MAX));
        if received > self.bytes_max {
            return Err(Refusal::TooMany(self.bytes_max).into());
        }
        self.file.append(&chunk.data)?;
        self.hash.update(&chunk.data);
        self.received = received;
        self.progress = Instant::now();
        Ok(())
    }

    /// Checks the whole.
    pub(super) fn finish(self, end: &EvidenceEnd) -> Result<Whole, Refusal> {
        if end.size != self.received {
            return Err(Refusal::Size { said: end.size, received: self.received });
        }
        let id = EvidenceId(self.hash.finalize().into());
        if end.sha256[..] != id.0 {
            return Err(Refusal::WholeHash);
        }
        Ok(Whole { file: self.file, id, size: self.received })
    }
}
