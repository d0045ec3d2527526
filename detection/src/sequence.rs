//! Sequences: several events in an order, within times, about the same thing.

mod rule;

use std::time::Duration;

pub use rule::{RuleIndex, Scope, SequenceRule, Step};

/// What bounds the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How much older than the newest event of its source an event may be when it arrives and still count in its proper order.
    pub lateness: Duration,
    /// How far ahead of the time given to `advance` a host's clock may be; what is further ahead counts as having happened then.
    pub skew: Duration,
    /// Groups kept for one rule.
    pub groups_max: usize,
    /// Events held back for ordering, for one source.
    pub pending_max: usize,
    /// The longest a step may take.
    pub within_max: Duration,
    /// Events that one group may keep in the worst case.
    pub group_events_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lateness: Duration::from_secs(5),
            skew: Duration::from_secs(2),
            groups_max: 100_000,
            pending_max: 65_536,
            within_max: Duration::from_hours(24),
            group_events_max: 10_000,
        }
    }
}
