//! The groups of one rule: which are kept, and which go when there is no room.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use ahash::AHashMap;
use bongsu_event::Timestamp;

use super::{
    Limits, Seen,
    group::{Completion, Group, Plan},
};

/// For eviction groups are sorted by progress into so many levels.
const LEVELS: usize = 8;

/// What became of an event.
#[derive(Debug)]
pub(super) enum Taken {
    /// It was used, and ended this match.
    Used(Option<Completion>),
    /// Its group is beyond it.
    Late,
    /// It is the event that its group had last.
    Repeated,
}

#[derive(Debug)]
struct Kept {
    key: Arc<[u8]>,
    group: Group,
    level: usize,
    /// Its place in the order of use.
    turn: u64,
    /// When nothing can come of it any more, by the correlator's clock; unknown while nobody tells the time.
    expires: Option<Timestamp>,
}

/// The groups of one rule.
#[derive(Debug)]
pub(super) struct Groups {
    by_key: AHashMap<Arc<[u8]>, u64>,
    kept: AHashMap<u64, Kept>,
    /// For each level the groups in order of use.
    levels: [BTreeMap<u64, u64>; LEVELS],
    expiries: BTreeSet<(Timestamp, u64)>,
    numbers: u64,
    turns: u64,
    evicted: u64,
    groups_max: usize,
    /// Events of a whole match.
    events: usize,
    /// How long a group can matter at most.
    longest: Duration,
    /// How much longer than by its deadlines a group is kept: as long as its events may still be on their way.
    grace: Duration,
}

impl Groups {
    pub(super) fn new(plan: &[Plan], limits: &Limits) -> Self {
        Self {
            by_key: AHashMap::new(),
            kept: AHashMap::new(),
            levels: Default::default(),
            expiries: BTreeSet::new(),
            numbers: 0,
            turns: 0,
            evicted: 0,
            groups_max: limits.groups_max.max(1),
            events: plan.iter().map(|plan| plan.count).sum(),
            longest: plan.iter().map(|plan| plan.within).sum(),
            grace: limits.lateness + limits.skew,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Groups given up for want of room.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Gives an event to its group, for these steps, the last one first.
    pub(super) fn take(
        &mut self,
        key: &Arc<[u8]>,
        seen: &Arc<Seen>,
        steps: impl DoubleEndedIterator<Item = usize> + Clone,
        plan: &[Plan],
        now: Option<Timestamp>,
    ) -> Taken {
        let number = match self.by_key.get(key) {
            Some(number) => *number,
            None if steps.clone().next_back() == Some(0) => self.begin(key, plan),
            // Only the first step begins anything.
            None => return Taken::Used(None),
        };
        let kept = self.kept.get_mut(&number).expect("by_key names only groups that are kept");
        match kept.group.last {
            Some(last) if last == seen.place() => return Taken::Repeated,
            Some(last) if last > seen.place() => return Taken::Late,
            _ => kept.group.last = Some(seen.place()),
        }
        let mut end = None;
        for step in steps {
            end = end.or(kept.group.take(step, seen, plan));
        }
        self.file(number, seen.at, plan, now);
        self.make_room(number);
        Taken::Used(end)
    }

    /// Forgets the groups that nothing can come of any more.
    pub(super) fn expire(&mut self, now: Timestamp) {
        if self.expiries.len() < self.kept.len() {
            // Groups from before the time was known.
            let expires = now.saturating_add(self.longest + self.grace);
            for (number, kept) in self.kept.iter_mut().filter(|(_, kept)| kept.expires.is_none()) {
                kept.expires = Some(expires);
                self.expiries.insert((expires, *number));
            }
        }
        while let Some((_, number)) = self.expiries.first().copied().filter(|(at, _)| *at < now) {
            self.remove(number);
        }
    }

    fn begin(&mut self, key: &Arc<[u8]>, plan: &[Plan]) -> u64 {
        self.numbers += 1;
        self.by_key.insert(Arc::clone(key), self.numbers);
        let group = Group::new(plan.len());
        self.kept.insert(self.numbers, Kept { key: Arc::clone(key), group, level: 0, turn: 0, expires: None });
        self.numbers
    }

    /// Puts a group where its new state belongs in the orders of eviction and expiry.
    fn file(&mut self, number: u64, at: Timestamp, plan: &[Plan], now: Option<Timestamp>) {
        let kept = self.kept.get_mut(&number).expect("the caller holds the number of a kept group");
        self.levels[kept.level].remove(&kept.turn);
        self.turns += 1;
        kept.turn = self.turns;
        kept.level = (kept.group.progress(at, plan) * LEVELS / (self.events + 1)).min(LEVELS - 1);
        self.levels[kept.level].insert(kept.turn, number);
        if let Some(expires) = kept.expires {
            self.expiries.remove(&(expires, number));
        }
        kept.expires = now.map(|now| now.saturating_add(kept.group.deadline(plan).since(at) + self.grace));
        self.expiries.extend(kept.expires.map(|expires| (expires, number)));
    }

    /// Gives up groups until there is room: of the lowest level that has more than its share, the one unused for longest.
    fn make_room(&mut self, newest: u64) {
        let share = self.groups_max / (2 * LEVELS);
        while self.kept.len() > self.groups_max {
            let oldest = |level: &BTreeMap<u64, u64>| level.values().copied().find(|number| *number != newest);
            let over = self.levels.iter().filter(|level| level.len() > share);
            let Some(number) = over.chain(&self.levels).find_map(oldest) else { return };
            self.remove(number);
            self.evicted += 1;
        }
    }

    fn remove(&mut self, number: u64) {
        let Some(kept) = self.kept.remove(&number) else { return };
        self.by_key.remove(&kept.key);
        self.levels[kept.level].remove(&kept.turn);
        if let Some(expires) = kept.expires {
            self.expiries.remove(&(expires, number));
        }
    }
}
