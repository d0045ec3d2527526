//! What is known of one group: how far each step has come.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bongsu_event::Timestamp;

use super::{Place, Seen};

/// A step as the group needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) count: usize,
    pub(super) within: Duration,
}

/// A step that was reached, with everything that led there.
#[derive(Debug)]
pub(super) struct Completion {
    /// Time of its last event.
    pub(super) at: Timestamp,
    /// Its events, in order.
    pub(super) events: Box<[Arc<Seen>]>,
    /// The step before; absent for the first.
    pub(super) base: Option<Arc<Completion>>,
    /// Where its events stand among all the step took: the first ...
    low: u64,
    /// ... and the last.
    high: u64,
}

/// An event that a step took.
#[derive(Debug)]
struct Taken {
    seen: Arc<Seen>,
    /// The latest completion of the step before when the event came; absent in the first step.
    base: Option<Arc<Completion>>,
}

impl Taken {
    /// What the step's time counts from if this is its first event.
    fn begin(&self) -> Timestamp {
        self.base.as_ref().map_or(self.seen.at, |base| base.at)
    }
}

/// The latest completion of a step. Its events are those in `recent` until `frozen` holds a copy: a step that is completed by
/// every event of a flood must not copy its events for each.
#[derive(Debug)]
struct Done {
    at: Timestamp,
    frozen: Option<Arc<Completion>>,
}

#[derive(Debug, Default)]
struct Progress {
    /// The last events taken that still count, at most the step's count.
    recent: VecDeque<Taken>,
    /// How many were taken so far: the place of the newest, counted from 1.
    taken: u64,
    done: Option<Done>,
    /// The place of the newest event that an earlier match used in this step.
    used: u64,
}

impl Progress {
    /// The completion that `recent` holds at this moment.
    fn snapshot(&self, at: Timestamp) -> Completion {
        Completion {
            at,
            events: self.recent.iter().map(|taken| Arc::clone(&taken.seen)).collect(),
            base: self.recent.front().and_then(|first| first.base.clone()),
            low: self.taken + 1 - self.recent.len() as u64,
            high: self.taken,
        }
    }

    /// The latest completion, with its events copied.
    fn freeze(&mut self) -> Option<Arc<Completion>> {
        let at = self.done.as_ref()?.at;
        if self.done.as_ref().is_some_and(|done| done.frozen.is_none()) {
            let frozen = Some(Arc::new(self.snapshot(at)));
            self.done = Some(Done { at, frozen });
        }
        self.done.as_ref()?.frozen.clone()
    }

    /// Takes an event and says whether it completes the step.
    fn take(&mut self, taken: Taken, plan: Plan) -> bool {
        let at = taken.seen.at;
        let stale = |earlier: &Taken| at.since(earlier.begin()) > plan.within;
        let completes = match (self.recent.len() + 1).checked_sub(plan.count) {
            None => false,
            Some(first) => self.recent.get(first).is_none_or(|first| !stale(first)),
        };
        if !completes {
            // Its events are about to leave `recent`.
            self.freeze();
        }
        while self.recent.pop_front_if(|first| stale(first)).is_some() {}
        if self.recent.len() == plan.count {
            self.recent.pop_front();
        }
        self.recent.push_back(taken);
        self.taken += 1;
        completes
    }
}

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    steps: Box<[Progress]>,
    /// The last event worked off.
    pub(super) last: Option<Place>,
}

impl Group {
    pub(super) fn new(steps: usize) -> Self {
        Self { steps: (0..steps).map(|_| Progress::default()).collect(), last: None }
    }

    /// Takes an event for a step; gives the match that it ends, if that is to be reported.
    pub(super) fn take(&mut self, step: usize, seen: &Arc<Seen>, plan: &[Plan]) -> Option<Completion> {
        let base = match step.checked_sub(1) {
            None => None,
            // Without the step before, or after its time, the event is nothing.
            Some(before) => {
                let base = self.steps[before].freeze();
                Some(base.filter(|base| seen.at.since(base.at) <= plan[step].within)?)
            }
        };
        let progress = &mut self.steps[step];
        if !progress.take(Taken { seen: Arc::clone(seen), base }, plan[step]) {
            return None;
        }
        if step + 1 < plan.len() {
            progress.done = Some(Done { at: seen.at, frozen: None });
            return None;
        }
        let end = progress.snapshot(seen.at);
        self.mark_used(&end).then_some(end)
    }

    /// Marks the events of a match as used; false when one of them was.
    fn mark_used(&mut self, end: &Completion) -> bool {
        let mut fresh = true;
        let mut link = Some(end);
        for progress in self.steps.iter_mut().rev() {
            let Some(completion) = link else { break };
            fresh &= completion.low > progress.used;
            progress.used = completion.high;
            link = completion.base.as_deref();
        }
        fresh
    }

    /// How many events of a match the group has together at `at`.
    pub(super) fn progress(&self, at: Timestamp, plan: &[Plan]) -> usize {
        let mut before: usize = plan.iter().map(|plan| plan.count).sum();
        for step in (1..plan.len()).rev() {
            before -= plan[step].count;
            if self.steps[step - 1].done.as_ref().is_some_and(|done| at.since(done.at) <= plan[step].within) {
                return before + self.steps[step].recent.len();
            }
        }
        self.steps[0].recent.len()
    }

    /// The time after which nothing that the group holds can become part of a match.
    pub(super) fn deadline(&self, plan: &[Plan]) -> Timestamp {
        let first = self.steps[0].recent.back().map(|taken| taken.seen.at.saturating_add(plan[0].within));
        let later = self
            .steps
            .iter()
            .zip(&plan[1..])
            .filter_map(|(progress, next)| progress.done.as_ref().map(|done| done.at.saturating_add(next.within)));
        first.into_iter().chain(later).max().unwrap_or(Timestamp(i64::MIN))
    }
}
