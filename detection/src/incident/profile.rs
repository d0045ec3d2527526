//! A finding reduced to what grouping looks at.

use std::net::IpAddr;

use bongsu_event::{EventId, EvidenceId, ProcessKey, SensorId, Severity, Timestamp};
use bstr::BString;

use crate::{Detector, Entity, Finding};

/// Events of one finding that grouping looks at, from either end.
const EVENTS_MAX: usize = 64;

/// A process above one that acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Above {
    pub(super) key: ProcessKey,
    /// How many ancestors of the finding are nearer, by their start.
    pub(super) depth: usize,
    /// How much older it is than the youngest process that acted, in seconds.
    pub(super) age: u64,
}

/// What grouping looks at. All lists are sorted.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) rule: String,
    pub(super) detector: Detector,
    pub(super) severity: Severity,
    pub(super) sensor: SensorId,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) events: Vec<EventId>,
    pub(super) processes: Vec<ProcessKey>,
    pub(super) above: Vec<Above>,
    pub(super) users: Vec<BString>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) files: Vec<BString>,
    pub(super) evidence: Vec<EvidenceId>,
}

impl Profile {
    pub(super) fn of(finding: &Finding) -> Self {
        let mut profile = Self {
            rule: finding.rule.clone(),
            detector: finding.detector,
            severity: finding.severity,
            sensor: finding.sensor,
            first: finding.first.min(finding.last),
            last: finding.last.max(finding.first),
            events: ends(&finding.events),
            processes: Vec::new(),
            above: Vec::new(),
            users: Vec::new(),
            addresses: Vec::new(),
            files: Vec::new(),
            evidence: Vec::new(),
        };
        let mut ancestors = Vec::new();
        for entity in &finding.entities {
            match entity {
                // Init and the kernel's thread maker act for everybody.
                Entity::Process(key) if key.pid <= 2 => {}
                Entity::Process(key) => profile.processes.push(*key),
                Entity::Ancestor(key) if key.pid <= 2 => {}
                Entity::Ancestor(key) => ancestors.push(*key),
                Entity::User(user) => profile.users.push(user.clone()),
                Entity::Address(address) => profile.addresses.push(address.to_canonical()),
                Entity::File(file) => profile.files.push(file.clone()),
                Entity::Evidence(evidence) => profile.evidence.push(*evidence),
            }
        }
        profile.addresses.sort_unstable();
        profile.above = above(ancestors, &profile.processes);
        profile
    }

    /// Whether it names an account other than root.
    pub(super) fn names_a_person(&self) -> bool {
        self.users.iter().any(|user| user != "root")
    }
}

fn ends(events: &[EventId]) -> Vec<EventId> {
    let mut kept: Vec<EventId> = match events.len() {
        0..=EVENTS_MAX => events.to_vec(),
        all => events.iter().take(EVENTS_MAX / 2).chain(&events[all - EVENTS_MAX / 2..]).copied().collect(),
    };
    kept.sort_unstable();
    kept.dedup();
    kept
}

fn above(mut ancestors: Vec<ProcessKey>, processes: &[ProcessKey]) -> Vec<Above> {
    ancestors.sort_unstable_by_key(|key| (std::cmp::Reverse(key.start), *key));
    let youngest = processes.iter().map(|key| key.start).max();
    let mut above: Vec<Above> = ancestors
        .into_iter()
        .enumerate()
        .map(|(depth, key)| {
            // Starts count ticks of 10 ms. Without an acting process nothing is known: taken as old.
            let age = youngest.map_or(u64::MAX, |youngest| youngest.saturating_sub(key.start) / 100);
            Above { key, depth, age }
        })
        .collect();
    above.sort_unstable();
    above
}
