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
use prost::Message as _;

pub use process::{decode_key, encode_key};

use crate::{
    limits,
    scan::{self, ScanError},
    v1,
};

/// The event as a message. Fails when it is too large even after its arguments were cut.
pub fn encode_event(event: &Event) -> Result<v1::Event, EncodeError> {
    let message = v1::Event {
        time: event.time.0,
        process: event.process.as_deref().map(process::encode),
        activity: Some(activity::encode(&event.activity)),
    };
    let bytes = message.encoded_len();
    if bytes > limits::EVENT_BYTES_MAX {
        return Err(EncodeError::TooLarge { bytes });
    }
    Ok(message)
}

/// The event of a message. Bytes should go through [`from_bytes`], which bounds what they cost first.
pub fn decode_event(message: v1::Event) -> Result<Event, DecodeError> {
    let activity = message.activity.ok_or(DecodeError::Missing { field: "activity" })?;
    Ok(Event {
        time: Timestamp(message.time),
        process: message.process.map(process::decode).transpose()?.map(Arc::new),
        activity: activity::decode(activity)?,
    })
}

/// The event as it is spooled, sent and stored.
pub fn to_bytes(event: &Event) -> Result<Vec<u8>, EncodeError> {
    Ok(encode_event(event)?.encode_to_vec())
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
