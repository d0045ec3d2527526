//! Batches: encoded events, packed for the way and unpacked again.

use std::io;

use bytes::Bytes;
use prost::encoding::{encode_varint, encoded_len_varint};

pub use crate::scan::ScanError;
use crate::{
    limits,
    scan::{self, Fields},
    v1,
};

/// Level 3 halves a batch again compared with level 1 where lines repeat, and still packs 100 MB/s.
const COMPRESSION_LEVEL: i32 = 3;
/// The tag of `EventBatch.events`: field 1, length-delimited.
const EVENTS_TAG: u8 = 1 << 3 | 2;

/// Why events cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// There is nothing to pack, or the first event alone breaks the limits.
    #[error("cannot pack event {index}")]
    Refused {
        /// Which one, counted from 0.
        index: usize,
        /// Why.
        #[source]
        source: ScanError,
    },
    /// The compressor failed.
    #[error("cannot compress a batch")]
    Compress(#[source] io::Error),
}

/// Packs as many of `events` (each as [`crate::convert::to_bytes`] makes it) from the front as one batch may hold.
///
/// Returns how many were taken, at least one unless `events` is empty, and the content of [`v1::Batch::events`].
pub fn pack<E: AsRef<[u8]>>(events: &[E]) -> Result<(usize, Vec<u8>), PackError> {
    let mut taken = fitting(events)?;
    loop {
        let lengths = events[..taken].iter().map(|event| framed_len(event.as_ref()));
        let mut plain = Vec::with_capacity(lengths.sum());
        for event in &events[..taken] {
            let event = event.as_ref();
            plain.push(EVENTS_TAG);
            encode_varint(event.len() as u64, &mut plain);
            plain.extend_from_slice(event);
        }
        let packed = zstd::bulk::compress(&plain, COMPRESSION_LEVEL).map_err(PackError::Compress)?;
        // An event is far smaller than a compressed batch may be, so one alone always fits.
        if packed.len() <= limits::BATCH_COMPRESSED_BYTES_MAX || taken <= 1 {
            return Ok((taken, packed));
        }
        taken /= 2;
    }
}

/// How many bytes an event takes in a plain batch.
fn framed_len(event: &[u8]) -> usize {
    1 + encoded_len_varint(event.len() as u64) + event.len()
}

/// How many events from the front stay within the limits on plain batches.
fn fitting<E: AsRef<[u8]>>(events: &[E]) -> Result<usize, PackError> {
    let (mut bytes, mut args) = (0, 0);
    for (index, event) in events.iter().enumerate().take(limits::BATCH_EVENTS_MAX) {
        let event = event.as_ref();
        args += scan::event_args(event).map_err(|source| PackError::Refused { index, source })?;
        bytes += framed_len(event);
        if bytes > limits::BATCH_PLAIN_BYTES_MAX || args > limits::BATCH_ARGS_MAX {
            return Ok(index);
        }
    }
    Ok(events.len().min(limits::BATCH_EVENTS_MAX))
}

/// Why a batch is refused.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It breaks a limit or is malformed.
    #[error("batch refused")]
    Refused(#[from] ScanError),
    /// It does not decompress to as many bytes as a batch may have.
    #[error("cannot decompress the batch into at most {max} bytes", max = limits::BATCH_PLAIN_BYTES_MAX)]
    Decompress(#[source] io::Error),
    /// It does not have the events it says it has.
    #[error("the batch says {said} events and has {found}")]
    Count {
        /// What `Batch.count` says.
        said: u32,
        /// What is there.
        found: usize,
    },
    /// The numbers it covers make no sense.
    #[error("the numbers of the batch make no sense: {0}")]
    Numbers(&'static str),
}

/// An event of a batch: its number and its bytes, which [`crate::convert::from_bytes`] decodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedEvent {
    /// Its sequence number.
    pub seq: u64,
    /// The encoded `v1::Event`.
    pub bytes: Bytes,
}

/// A batch, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// Its events in order.
    pub events: Vec<NumberedEvent>,
    /// The last number it covers: what to acknowledge once it is stored.
    pub last_seq: u64,
}

/// Takes a batch apart and numbers its events. Uses memory in proportion to the limits, whatever the batch says.
pub fn unpack(batch: &v1::Batch) -> Result<Unpacked, UnpackError> {
    let events = unpack_events(&batch.events)?;
    if u32::try_from(events.len()).ok() != Some(batch.count) {
        return Err(UnpackError::Count { said: batch.count, found: events.len() });
    }
    let (numbers, last_seq) = numbers(batch)?;
    let events = numbers.into_iter().zip(events).map(|(seq, bytes)| NumberedEvent { seq, bytes }).collect();
    Ok(Unpacked { events, last_seq })
}

/// The encoded events in the content of [`v1::Batch::events`], each within the limits.
pub fn unpack_events(packed: &[u8]) -> Result<Vec<Bytes>, UnpackError> {
    if packed.is_empty() {
        return Ok(Vec::new());
    }
    if packed.len() > limits::BATCH_COMPRESSED_BYTES_MAX {
        let (bytes, max) = (packed.len(), limits::BATCH_COMPRESSED_BYTES_MAX);
        return Err(ScanError::TooLong { what: "batch", bytes, max }.into());
    }
    let plain = zstd::bulk::decompress(packed, limits::BATCH_PLAIN_BYTES_MAX).map_err(UnpackError::Decompress)?;
    let plain = Bytes::from(plain);
    let (mut events, mut args) = (Vec::new(), 0);
    for field in Fields(&plain) {
        let field = field?;
        let Some(event) = field.content.filter(|_| field.number == 1) else {
            return Err(ScanError::Malformed("a batch holds events only").into());
        };
        if events.len() == limits::BATCH_EVENTS_MAX {
            return Err(ScanError::TooMany { field: "events", max: limits::BATCH_EVENTS_MAX }.into());
        }
        args += scan::event_args(event)?;
        if args > limits::BATCH_ARGS_MAX {
            return Err(ScanError::TooMany { field: "args of all events", max: limits::BATCH_ARGS_MAX }.into());
        }
        events.push(plain.slice_ref(event));
    }
    Ok(events)
}

/// The number of each event of a batch, and the last number that the batch covers.
///
/// Refuses ranges that overlap, run backwards or leave the batch, and numbers beyond what an SQL integer holds.
pub fn numbers(batch: &v1::Batch) -> Result<(Vec<u64>, u64), UnpackError> {
    let refuse = |why| Err(UnpackError::Numbers(why));
    if batch.first_seq == 0 {
        return refuse("they start at 0");
    }
    if batch.shed.len() > limits::BATCH_SHED_RANGES_MAX {
        return Err(ScanError::TooMany { field: "shed", max: limits::BATCH_SHED_RANGES_MAX }.into());
    }
    if batch.count as usize > limits::BATCH_EVENTS_MAX {
        return Err(ScanError::TooMany { field: "events", max: limits::BATCH_EVENTS_MAX }.into());
    }
    if batch.count == 0 && batch.shed.is_empty() {
        return refuse("it covers none");
    }
    let events = batch.count as usize;
    let mut next = batch.first_seq;
    let mut numbers = Vec::with_capacity(events);
    for range in &batch.shed {
        if range.first < next || range.last < range.first {
            return refuse("shed ranges are out of order");
        }
        if range.last > i64::MAX as u64 {
            return refuse("they end beyond the largest number");
        }
        if range.first - next > (events - numbers.len()) as u64 {
            return refuse("a shed range lies beyond the events");
        }
        numbers.extend(next..range.first);
        next = range.last + 1;
    }
    let rest = (events - numbers.len()) as u64;
    match next.checked_add(rest) {
        Some(end) if end <= i64::MAX as u64 => {
            numbers.extend(next..end);
            Ok((numbers, end - 1))
        }
        _ => refuse("they end beyond the largest number"),
    }
}

#[cfg(test)]
mod tests;
