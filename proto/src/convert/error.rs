//! What can be wrong with an event on its way onto or off the wire.

use crate::limits;

/// Why an event cannot be put on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It is larger than an event may be.
    #[error("the event has {bytes} bytes, at most {max} are allowed", max = limits::EVENT_BYTES_MAX)]
    TooLarge {
        /// Its size, arguments already cut.
        bytes: usize,
    },
}

/// Why bytes from a peer are not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are no message.
    #[error("malformed event: {why}")]
    Malformed {
        /// What is wrong with them.
        why: String,
    },
    /// They are too many.
    #[error("the event has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// How many.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A list is too long.
    #[error("{field} has more than {max} elements")]
    TooMany {
        /// Which list.
        field: &'static str,
        /// The limit.
        max: usize,
    },
    /// A field that every event of its kind has is absent.
    #[error("{field} is missing")]
    Missing {
        /// Which field.
        field: &'static str,
    },
    /// A field holds what it cannot hold.
    #[error("{field} cannot be {value}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What it holds.
        value: i64,
    },
    /// A field that holds an IP address has another length.
    #[error("{field} has {bytes} bytes: an address has 4 or 16")]
    Address {
        /// Which field.
        field: &'static str,
        /// Its length.
        bytes: usize,
    },
}
