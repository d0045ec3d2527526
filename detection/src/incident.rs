//! Incidents: which findings belong together, and how much they weigh together.
//!
//! # What joins
//!
//! Two findings belong together when what they share weighs enough (see `link.rs`; the time between them is at most
//! [`Limits::idle`]); an incident is everything that hangs together through such pairs. Enough alone: an event, evidence, a process that acts in
//! both or acts in one and stands above the other, an account other than root within a quarter of an hour, a public address, an ancestor that was young when both acted, the same
//! rule about the same accounts, files and addresses. Not enough alone: root, a private address, an ancestor that is old or far up, a file
//! in a temporary directory, the same rule, an account after more than a quarter of an hour; these add up, one of each kind. Nothing at all: init,
//! loopback, and the session daemons that `entity.rs` leaves out. Hosts are joined by evidence, public addresses and sequences across hosts.
//!
//! Since weights depend on the pair alone, every order of arrival gives the same incidents.
//!
//! # What opens
//!
//! A finding of medium severity or more, or three different rules of low severity that belong together. Until then findings are
//! pending. Anomalies open nothing and join nothing to anything: they wait for an incident on their host whose time, give or take
//! [`Limits::margin`], overlaps theirs, before or after. With several the one they share most with, then the oldest; that is decided once.
//!
//! # What is told by a number
//!
//! A rule that fires again and again in one incident is told by its first findings, by those that name a file, an account, an address or
//! evidence that the others do not, and by how often it fired besides (`told.rs`). So no storm makes an incident longer than it can be read.
//!
//! # Bounds
//!
//! Findings are remembered for [`Limits::kept_for`] of the time given to [`Grouper::advance`], and [`Limits::findings_max`] for a host: over that,
//! the oldest of the rule that has most goes, counted, so that a rule gone mad cannot push out the story. Evidence may come late: what is
//! about the past is compared with the past. What is forgotten keeps its incident; it only joins nothing any more.

mod grouper;
mod link;
mod matter;
mod profile;
mod score;
mod stage;
#[cfg(test)]
mod tests;
mod told;

use std::time::Duration;

pub use grouper::Grouper;
pub use score::{Score, ScorePart, score, severity, title};

use crate::FindingId;

/// What bounds grouping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Findings further apart join only through findings between them.
    pub idle: Duration,
    /// How far from an incident an anomaly may lie.
    pub margin: Duration,
    /// How long findings are remembered.
    pub kept_for: Duration,
    /// Findings remembered for one host, about 1 KiB each.
    pub findings_max: usize,
    /// Anomalies waiting for an incident, for one host.
    pub anomalies_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_hours(1),
            margin: Duration::from_mins(1),
            kept_for: Duration::from_hours(24),
            findings_max: 512,
            anomalies_max: 32,
        }
    }
}

/// The name of an incident, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentKey(pub u64);

/// Where a finding went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// Its incident; `None` while it is pending.
    pub incident: Option<IncidentKey>,
    /// Whether the incident is new.
    pub opened: bool,
    /// Incidents that turned out to be this one. Their findings belong to it now; the keys are not used again.
    pub merged: Vec<IncidentKey>,
    /// Findings that have belonged to no incident and now belong to this one, the placed one among them, in order of (time, id).
    pub joined: Vec<FindingId>,
    /// The placed one says nothing that its rule's findings have not said here. It need not be kept, only counted at this one, the
    /// first of them; it is not among `joined`.
    pub repeats: Option<FindingId>,
}
