//! From a batch on the wire to events that can be stored: unpacked within the limits, each event decoded once so that nothing is stored
//! that cannot be read.

use bongsu_event::{Timestamp, catalogue};
use bongsu_proto::{
    batch::{self, UnpackError},
    convert::{self, DecodeError},
    v1,
};

use crate::store::{NewBatch, NewEvent};

/// Why a batch is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error("event {seq} of the batch cannot be read")]
    Event { seq: u64, source: DecodeError },
}

/// The batch as the store takes it.
pub(super) fn open(batch: &v1::Batch, sensor: i64, epoch: u64, received_at: Timestamp) -> Result<NewBatch, BatchError> {
    let unpacked = batch::unpack(batch)?;
    let events = unpacked.events.into_iter().map(|numbered| {
        let seq = numbered.seq;
        let event = convert::from_bytes(&numbered.bytes).map_err(|source| BatchError::Event { seq, source })?;
        Ok(NewEvent {
            seq,
            time: event.time,
            action: catalogue::Action::of(&event.activity).as_str(),
            process: event.process.as_ref().map(|process| process.key),
            body: numbered.bytes,
        })
    });
    let events = events.collect::<Result<_, BatchError>>()?;
    Ok(NewBatch { sensor, epoch, first_seq: batch.first_seq, last_seq: unpacked.last_seq, events, received_at })
}
