//! What a sequence asks for: steps in order, each so many events of so many rules within so long.

use std::{num::NonZeroU32, time::Duration};

use bongsu_event::{Severity, catalogue::FieldId};

/// The place of a single-event rule among the loaded ones: what the rule engine reports as matched and steps refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);

/// A sequence, ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceRule {
    /// Its id.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// How bad it is if true.
    pub severity: Severity,
    /// 0 to 100: how likely a match is to be what it looks like.
    pub confidence: u8,
    /// ATT&CK technique ids, upper case, sorted, each once.
    pub techniques: Vec<String>,
    /// How far a group reaches.
    pub scope: Scope,
    /// What must happen, in order. Never empty.
    pub steps: Vec<Step>,
}

/// How far a group reaches.
///
/// `Host` is the default of the rule language: the same user name on two hosts is two accounts until somebody says otherwise, and
/// events of one host have one clock, so that their order is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// The sensor is part of every key, listed or not.
    #[default]
    Host,
    /// Only the listed fields are: events of several hosts may make one sequence.
    Fleet,
}

/// One step of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// An event belongs to the step when any of these matched it. Never empty.
    pub rules: Vec<RuleIndex>,
    /// The step's name, as reasons show it.
    pub label: String,
    /// How many events it takes.
    pub count: NonZeroU32,
    /// First step: the longest time from its first event to its last. Later steps: the longest time from the end of the step before
    /// to the step's last event. `None` means [`Limits::within_max`](super::Limits::within_max).
    pub within: Option<Duration>,
    /// The fields that events must agree on, in the order of the other steps' fields: the first field of one step is compared with the first
    /// of the next, by type and bytes, whatever the two are called. As many in each step.
    pub key: Vec<FieldId>,
}
