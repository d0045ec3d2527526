//! The only conversions between [`bongsu_event::Event`] and [`v1::Event`].
//!
//! Encoding cuts arguments that are too long (`args_cut` says so) and refuses what is too large otherwise; decoding refuses
//! whatever encoding would never make, naming the field.

mod activity;
mod error;
mod log;
mod process;
#[cfg(test)]
mod tests;

pub use error::{DecodeError, EncodeError};

use std::sync::Arc;

use bongsu_event::{Event, Timestamp};
use prost::{
    Message as _,
    encoding::{WireType, encode_varint, encoded_len_varint},
};

pub use process::{decode_key, encode_key, line_to_bytes, process_to_bytes};

use crate::{
    limits,
    scan::{self, ScanError},
    v1,
};

/// The number of `Event.process`.
const EVENT_PROCESS: u32 = 2;

/// The event of a message. Bytes should go through [`from_bytes`], which bounds what they cost first.
pub fn decode_event(message: v1::Event) -> Result<Event, DecodeError> {
    let activity = message.activity.ok_or(DecodeError::Missing { field: "activity" })?;
    Ok(Event {
        time: Timestamp(message.time),
        process: message.process.map(process::decode).transpose()?.map(Arc::new),
        activity: activity::decode(activity)?,
    })
}

/// The event as it is spooled, sent and stored. Fails when it is too large even after its arguments were cut.
pub fn to_bytes(event: &Event) -> Result<Vec<u8>, EncodeError> {
    let process = event.process.as_deref().map(|process| process_to_bytes(process, &line_to_bytes(&process.ancestors)));
    assemble(event, process.as_deref())
}

/// As [`to_bytes`], for an event whose process is encoded already: `process` is what [`process_to_bytes`] made of it.
pub fn assemble(event: &Event, process: Option<&[u8]>) -> Result<Vec<u8>, EncodeError> {
    let time = v1::Event { time: event.time.0, ..v1::Event::default() };
    let activity = v1::Event { activity: Some(activity::encode(&event.activity)), ..v1::Event::default() };
    let process_len = process.map_or(0, |process| 1 + encoded_len_varint(process.len() as u64) + process.len());
    let bytes = time.encoded_len() + process_len + activity.encoded_len();
    if bytes > limits::EVENT_BYTES_MAX {
        return Err(EncodeError::TooLarge { bytes });
    }
    let mut out = Vec::with_capacity(bytes);
    time.encode_raw(&mut out);
    if let Some(process) = process {
        prost::encoding::encode_key(EVENT_PROCESS, WireType::LengthDelimited, &mut out);
        encode_varint(process.len() as u64, &mut out);
        out.extend_from_slice(process);
    }
    activity.encode_raw(&mut out);
    Ok(out)
}

/// The event of bytes made by [`to_bytes`], here or by a peer who may lie.
pub fn from_bytes(bytes: &[u8]) -> Result<Event, DecodeError> {
    scan::event_args(bytes).map_err(|error| match error {
        ScanError::Malformed(why) => DecodeError::Malformed { why: why.to_owned() },
        ScanError::TooMany { field, max } => DecodeError::TooMany { field, max },
        ScanError::TooLong { bytes, max, .. } => DecodeError::TooLarge { bytes, max },
    })?;
    let message = v1::Event::decode(bytes).map_err(|error| DecodeError::Malformed { why: error.to_string() })?;
    decode_event(message)
}
