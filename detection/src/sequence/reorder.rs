//! Puts the events of one source back into their order.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bongsu_event::Timestamp;

use super::{Place, Seen};

/// A step that wants an event, and the group it would fall into.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) rule: usize,
    pub(super) key: Arc<[u8]>,
    pub(super) step: usize,
}

/// An event that waits for its turn.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) seen: Arc<Seen>,
    /// By rule and key; within those the last step first, and each step once.
    pub(super) hits: Vec<Hit>,
}

impl Pending {
    pub(super) fn new(seen: Arc<Seen>, mut hits: Vec<Hit>) -> Self {
        hits.sort_unstable_by(|a, b| (a.rule, &a.key, b.step).cmp(&(b.rule, &b.key, a.step)));
        hits.dedup();
        Self { seen, hits }
    }
}

/// The events of one source that wait, in order.
#[derive(Debug)]
pub(super) struct Reorder {
    newest: Timestamp,
    pending: BTreeMap<Place, Pending>,
    /// When each of them arrived, in order of arrival; `None` while nobody has told the time. Names of events that have left since
    /// stay until their turn.
    arrivals: VecDeque<(Option<Timestamp>, Place)>,
}

impl Default for Reorder {
    fn default() -> Self {
        Self { newest: Timestamp(i64::MIN), pending: BTreeMap::new(), arrivals: VecDeque::new() }
    }
}

impl Reorder {
    /// The latest time seen of the source.
    pub(super) fn newest(&self) -> Timestamp {
        self.newest
    }

    pub(super) fn see(&mut self, time: Timestamp) {
        self.newest = self.newest.max(time);
    }

    /// False when the very event already waits.
    pub(super) fn push(&mut self, event: Pending, now: Option<Timestamp>) -> bool {
        let place = event.seen.place();
        if self.pending.contains_key(&place) {
            return false;
        }
        self.pending.insert(place, event);
        self.arrivals.push_back((now, place));
        true
    }

    /// Takes what nothing that is not too late can come before.
    pub(super) fn take_due(&mut self, lateness: Duration, due: &mut Vec<Pending>) {
        if self.pending.is_empty() {
            return;
        }
        let until = self.newest.saturating_sub(lateness);
        while let Some(first) = self.pending.first_entry().filter(|first| first.key().0 < until) {
            due.push(first.remove());
        }
        self.forget_arrivals();
    }

    /// Takes the oldest ones over `max` and says how many.
    pub(super) fn take_excess(&mut self, max: usize, due: &mut Vec<Pending>) -> u64 {
        let mut taken = 0;
        while self.pending.len() > max {
            due.extend(self.pending.pop_first().map(|(_, event)| event));
            taken += 1;
        }
        taken
    }

    /// Takes what arrived at `waited` or before, and everything that comes before it in the order.
    pub(super) fn take_waited(&mut self, now: Timestamp, waited: Timestamp, due: &mut Vec<Pending>) {
        // What arrived before the time was known arrives now.
        for (arrived, _) in self.arrivals.iter_mut().take_while(|(arrived, _)| arrived.is_none()) {
            *arrived = Some(now);
        }
        let mut until: Option<Place> = None;
        while let Some((_, place)) = self.arrivals.pop_front_if(|(arrived, _)| arrived.is_some_and(|at| at <= waited)) {
            until = until.max(Some(place));
        }
        while let Some(first) = self.pending.first_entry().filter(|first| Some(*first.key()) <= until) {
            due.push(first.remove());
        }
        self.forget_arrivals();
    }

    pub(super) fn take_all(&mut self, due: &mut Vec<Pending>) {
        due.extend(std::mem::take(&mut self.pending).into_values());
        self.arrivals.clear();
    }

    /// Keeps the list of arrivals no longer than twice what waits.
    fn forget_arrivals(&mut self) {
        if self.pending.is_empty() {
            self.arrivals.clear();
        } else if self.arrivals.len() > 2 * self.pending.len() + 64 {
            let pending = &self.pending;
            self.arrivals.retain(|(_, place)| pending.contains_key(place));
        }
    }
}
