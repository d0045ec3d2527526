//! One window of one host while it is open.

use std::collections::{BTreeMap, BTreeSet};

use bongsu_event::{EventId, StoredEvent, Timestamp};

use super::{
    baseline::Known,
    feature::{Adds, Counts, FEATURES},
};
use crate::{Entity, entity};

/// Events kept of each feature, for the finding.
const SAMPLES: usize = 8;

/// Different programs and destinations told apart within one window; what is beyond counts as no further ones.
const DIFFERENT_MAX: usize = 2048;

/// No feature counts further, so that a stored baseline stays small. Beyond a million an event more changes nothing.
const COUNT_MAX: u32 = 1_000_000;

/// An event that may be named in a finding.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) time: Timestamp,
    pub(super) id: EventId,
    /// Its program under its parent, or its destination, is new to the host.
    pub(super) new: bool,
    /// A bit for each feature that it raises.
    pub(super) features: u32,
    pub(super) entities: BTreeSet<Entity>,
}

/// What comes first is kept: new things before known ones, then by time.
type Rank = (bool, Timestamp, EventId);

/// What a window has counted.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) counts: Counts,
    different: BTreeSet<(usize, u32)>,
    /// For each feature, and for events that raise none.
    samples: [BTreeMap<Rank, Sample>; FEATURES + 1],
    /// When its first event came, by the correlator's clock.
    pub(super) opened: Option<Timestamp>,
}

impl Window {
    pub(super) fn new(opened: Option<Timestamp>) -> Self {
        Self { counts: [0; FEATURES], different: BTreeSet::new(), samples: Default::default(), opened }
    }

    pub(super) fn count(&mut self, event: &StoredEvent, mut adds: Adds, known: &Known) {
        let mut new = false;
        if let Some((feature, mark)) = adds.one_of {
            new = !known.contains(mark);
            if self.different.len() < DIFFERENT_MAX && self.different.insert((feature, mark)) {
                adds.features |= 1 << feature;
            }
        }
        for (feature, count) in self.counts.iter_mut().enumerate() {
            if adds.features >> feature & 1 == 1 {
                *count = (*count + 1).min(COUNT_MAX);
            }
        }
        self.sample(event, adds.features, new);
    }

    fn sample(&mut self, event: &StoredEvent, features: u32, new: bool) {
        let rank = (!new, event.event.time, event.id);
        let wanted = |(feature, kept): &(usize, &mut BTreeMap<Rank, Sample>)| {
            let raises = if *feature == FEATURES { features == 0 } else { features >> feature & 1 == 1 };
            raises && (kept.len() < SAMPLES || kept.last_key_value().is_some_and(|(last, _)| rank < *last))
        };
        let mut sample = None;
        for (_, kept) in self.samples.iter_mut().enumerate().filter(wanted) {
            let sample = sample.get_or_insert_with(|| {
                let entities = entity::entities(&event.event);
                Sample { time: event.event.time, id: event.id, new, features, entities }
            });
            kept.insert(rank, sample.clone());
            if kept.len() > SAMPLES {
                kept.pop_last();
            }
        }
    }

    /// The events that can be named, each once.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().flatten().collect::<BTreeMap<_, _>>().into_values()
    }

    /// The programs and destinations seen.
    pub(super) fn marks(&self) -> impl Iterator<Item = u32> {
        self.different.iter().map(|(_, mark)| *mark)
    }
}
