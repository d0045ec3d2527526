//! Findings that hang together, whether or not they make an incident.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bongsu_event::{SensorId, Severity, Timestamp};

use super::{IncidentKey, profile::Profile, told::Told};
use crate::FindingId;

/// So many rules of low severity open an incident.
const LOW_RULES: usize = 3;

/// One matter.
#[derive(Debug, Default)]
pub(super) struct Matter {
    pub(super) incident: Option<IncidentKey>,
    /// The findings by which others may still join.
    pub(super) nodes: BTreeSet<u64>,
    /// Findings that the caller does not know to belong to the incident.
    pending: BTreeSet<(Timestamp, FindingId)>,
    /// Rules of low severity; no more than it takes.
    low: BTreeSet<String>,
    grave: bool,
    hosts: BTreeMap<SensorId, (Timestamp, Timestamp)>,
    told: Told,
    /// Anomalies that have joined.
    pub(super) anomalies: Vec<FindingId>,
}

/// What the caller knows of a finding that comes to a matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing; it may be a repetition.
    New,
    /// It is kept already, but belongs to no incident.
    Kept,
    /// It is part of this incident.
    Member,
}

impl Matter {
    /// Empty, but an incident already.
    pub(super) fn of(incident: IncidentKey) -> Self {
        Self { incident: Some(incident), ..Self::default() }
    }

    /// Takes in a finding; gives the one that it only repeats.
    pub(super) fn add(&mut self, node: u64, id: FindingId, profile: &Profile, standing: Standing) -> Option<FindingId> {
        self.nodes.insert(node);
        let repeated = if standing == Standing::New { self.told.repeated(profile) } else { None };
        if repeated.is_none() {
            self.told.keep(id, profile);
        }
        if repeated.is_none() && standing != Standing::Member {
            self.pending.insert((profile.first, id));
        }
        self.grave |= profile.severity >= Severity::Medium;
        if profile.severity == Severity::Low && self.low.len() < LOW_RULES {
            self.low.insert(profile.rule.clone());
        }
        self.stretch(profile.sensor, (profile.first, profile.last));
        repeated
    }

    /// Takes in another matter. The older incident's name stays; gives the other one.
    pub(super) fn absorb(&mut self, other: Self) -> Option<IncidentKey> {
        self.nodes.extend(other.nodes);
        self.pending.extend(other.pending);
        self.low.extend(other.low);
        self.told.absorb(other.told);
        self.grave |= other.grave;
        for (sensor, time) in other.hosts {
            self.stretch(sensor, time);
        }
        self.anomalies.extend(other.anomalies);
        match (self.incident, other.incident) {
            (Some(one), Some(two)) => {
                self.incident = Some(one.min(two));
                Some(one.max(two))
            }
            (one, two) => {
                self.incident = one.or(two);
                None
            }
        }
    }

    /// Whether it is worth an incident.
    pub(super) fn is_worth(&self) -> bool {
        self.grave || self.low.len() >= LOW_RULES
    }

    /// Whether something on a host happened in its time, give or take `margin`.
    pub(super) fn overlaps(&self, profile: &Profile, margin: Duration) -> bool {
        self.hosts.get(&profile.sensor).is_some_and(|(first, last)| {
            profile.first <= last.saturating_add(margin) && profile.last >= first.saturating_sub(margin)
        })
    }

    /// The findings that the caller does not know to belong to it, from now on known.
    pub(super) fn take_pending(&mut self) -> BTreeSet<(Timestamp, FindingId)> {
        std::mem::take(&mut self.pending)
    }

    /// Forgets a finding; true when none is left.
    pub(super) fn forget(&mut self, node: u64, id: FindingId, first: Timestamp) -> bool {
        self.nodes.remove(&node);
        self.pending.remove(&(first, id));
        self.nodes.is_empty()
    }

    /// The hosts it touches.
    pub(super) fn sensors(&self) -> impl Iterator<Item = SensorId> {
        self.hosts.keys().copied()
    }

    fn stretch(&mut self, sensor: SensorId, (first, last): (Timestamp, Timestamp)) {
        let span = self.hosts.entry(sensor).or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
    }
}
