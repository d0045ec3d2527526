//! What a sequence asks for: steps in order, each so many events of so many rules within so long.

use std::{num::NonZeroU32, time::Duration};

use bongsu_event::{Severity, catalogue::FieldId};

use super::{Limits, group::Plan};

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

/// A sequence that cannot be run.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum BuildError {
    /// There is nothing to wait for.
    #[error("sequence {rule}: it has no steps")]
    NoSteps {
        /// The sequence's id.
        rule: String,
    },
    /// A step that nothing can satisfy.
    #[error("sequence {rule}: step {step} names no rule")]
    NoRules {
        /// The sequence's id.
        rule: String,
        /// The step's label.
        step: String,
    },
    /// Steps whose keys cannot be compared.
    #[error("sequence {rule}: step {step} has {found} key fields, the first step has {expected}")]
    KeyLength {
        /// The sequence's id.
        rule: String,
        /// The step's label.
        step: String,
        /// How many it has.
        found: usize,
        /// How many the first step has.
        expected: usize,
    },
    /// Fields that never hold equal values, because their types differ.
    #[error("sequence {rule}: step {step} compares {field} with {first} of the first step, which has another type")]
    KeyType {
        /// The sequence's id.
        rule: String,
        /// The step's label.
        step: String,
        /// The field.
        field: &'static str,
        /// The field it is compared with.
        first: &'static str,
    },
    /// One group could hold more than the limits allow.
    #[error("sequence {rule}: one group could hold {events} events, more than {max}; ask for fewer")]
    TooLarge {
        /// The sequence's id.
        rule: String,
        /// How many.
        events: u64,
        /// How many may be.
        max: u64,
    },
}

impl SequenceRule {
    /// Whether it can be run.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), BuildError> {
        let rule = || self.id.clone();
        let Some(first) = self.steps.first() else { return Err(BuildError::NoSteps { rule: rule() }) };
        for step in &self.steps {
            let label = || step.label.clone();
            if step.rules.is_empty() {
                return Err(BuildError::NoRules { rule: rule(), step: label() });
            }
            let (found, expected) = (step.key.len(), first.key.len());
            if found != expected {
                return Err(BuildError::KeyLength { rule: rule(), step: label(), found, expected });
            }
            let pairs = step.key.iter().zip(&first.key).map(|(field, first)| (field.field(), first.field()));
            if let Some((field, first)) = pairs.into_iter().find(|(field, first)| field.kind != first.kind) {
                return Err(BuildError::KeyType { rule: rule(), step: label(), field: field.ecs, first: first.ecs });
            }
        }
        // Each event of a step may hold on to another completion of the step before.
        let (events, _) = self.steps.iter().fold((0_u64, 0_u64), |(sum, before), step| {
            let held = u64::from(step.count.get()).saturating_mul(before.saturating_add(1));
            (sum.saturating_add(held), held)
        });
        let max = limits.group_events_max;
        if events > max { Err(BuildError::TooLarge { rule: rule(), events, max }) } else { Ok(()) }
    }

    /// The steps as groups need them.
    pub(super) fn plan(&self, limits: &Limits) -> Box<[Plan]> {
        let plan = |(number, step): (usize, &Step)| {
            let count = usize::try_from(step.count.get()).expect("a usize holds 32 bits on every machine we run on");
            let within = step.within.unwrap_or(limits.within_max).min(limits.within_max);
            // A first step of one event takes no time.
            Plan { count, within: if number == 0 && count == 1 { Duration::ZERO } else { within } }
        };
        self.steps.iter().enumerate().map(plan).collect()
    }
}
