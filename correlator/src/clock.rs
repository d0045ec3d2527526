//! The wall clock. Nothing else in this program reads it for a time that is stored or compared with one that is.

use std::time::{SystemTime, UNIX_EPOCH};

use bongsu_event::Timestamp;

/// Now, by this machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
