//! Sequences: several events in an order, within times, about the same thing.
//!
//! # What a match is
//!
//! Take the events of one rule and one group in order of (time, event id). A *match* picks events for each step so that
//! - each step has its `count` of events, and all of them come after the last event of the step before: no event serves two steps;
//! - the first step's events span at most its `within`;
//! - each later step's last event is at most its `within` after the last event of the step before.
//!
//! Events between them do not matter. For each event that can end a match the engine takes the *latest* such events, step by step from
//! the end, which is the choice that meets every deadline that any choice meets. A match is reported when it shares no event of the same step
//! with an earlier match of its group, reported or not: a million failed logins in a row are one finding, a second `sudo` after the same
//! break-in is none, a second break-in is a second finding. Whether a match is reported thus depends on the events of the last
//! [`Sequences::lookback`] and on nothing before, so that a restarted engine that is fed those continues exactly.
//!
//! A *group* is what has the same values in the step's key fields, by type and bytes (`Alice` is not `alice`, the number 1 is not the
//! text `1`; an IPv4 address and its IPv6-mapped form are one). Events that lack a key field take part in no group and are counted.
//! [`Scope`] says whether a group spans hosts.
//!
//! # Order and lateness
//!
//! Events that no step wants cost a look at their source's clock and are not kept. Wanted ones wait until their source is
//! [`Limits::lateness`] further on in event time, or until they have waited that long by the time given to [`Sequences::advance`], so that a
//! finding never needs further traffic; then they are worked off in order of (time, id). Up to that lateness, every order of arrival
//! gives the same findings. What comes later still is used if its group is not yet beyond it, else counted as late: an order that
//! did not happen is never reported. For `Scope::Fleet` the source is the whole fleet, and its clock the slowest host's.
//!
//! Each host is measured by its own clock, so that a wrong one moves nothing for others. An event further than [`Limits::skew`] ahead of
//! `advance`'s time counts as having happened just then: a forged time stamp, or a host that is a day ahead, neither makes others late nor
//! outlives its deadlines. `advance` should be told the time at least once a second, in a backtest the time of the event at hand.
//!
//! # Bounds
//!
//! Per group and step the last `count` events, whatever the traffic: constant work for one event, logarithmic in the number of groups. Per rule
//! [`Limits::groups_max`] groups; over that, those with the least progress go first, oldest first, counted per rule, and no
//! level of progress is squeezed below its share, so that neither a flood of newcomers nor a flood of half-done ones starves the other. Per
//! source [`Limits::pending_max`] waiting events; over that the oldest are worked off early, counted.

mod finding;
mod group;
mod groups;
mod key;
mod reorder;
mod rule;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ahash::AHashMap;
use bongsu_event::{EventId, SensorId, StoredEvent, Timestamp};

pub use rule::{BuildError, RuleIndex, Scope, SequenceRule, Step};

use crate::{Entity, Finding, entity};
use group::Plan;
use groups::{Groups, Taken};
use reorder::{Hit, Pending, Reorder};

/// What bounds the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How much older than the newest event of its source an event may be when it arrives and still count in its proper order.
    pub lateness: Duration,
    /// How far ahead of the time given to `advance` a host's clock may be; what is further ahead counts as having happened then. Less
    /// than `lateness`, else a clock ahead makes other events of its host late.
    pub skew: Duration,
    /// Groups kept for one rule: about 1 KiB each for a rule of three steps.
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
            groups_max: 32_768,
            pending_max: 65_536,
            within_max: Duration::from_hours(24),
            group_events_max: 10_000,
        }
    }
}

/// What was not used, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Events too old for their group when they arrived.
    pub late: u64,
    /// Events that were delivered before.
    pub repeated: u64,
    /// Events without a value in a key field of a step that wanted them.
    pub keyless: u64,
    /// Events whose time was too far ahead and was set back. They were used.
    pub ahead: u64,
    /// Events worked off before their time because too many waited. They were used, but their order is not certain.
    pub hurried: u64,
}

/// An event as long as a sequence remembers it.
#[derive(Debug)]
struct Seen {
    id: EventId,
    /// By the host's clock.
    time: Timestamp,
    /// The same, set back when it was too far ahead: what order and deadlines go by.
    at: Timestamp,
    entities: Box<[Entity]>,
}

impl Seen {
    fn place(&self) -> Place {
        (self.at, self.id)
    }
}

/// Where an event stands in the order of events.
type Place = (Timestamp, EventId);

/// A rule with what it remembers.
#[derive(Debug)]
struct Running {
    rule: SequenceRule,
    plan: Box<[Plan]>,
    groups: Groups,
}

/// The engine.
#[derive(Debug)]
pub struct Sequences {
    rules: Vec<Running>,
    /// By [`RuleIndex`]: the rules and steps that want its events.
    wanted: Vec<Vec<(usize, usize)>>,
    sources: AHashMap<SensorId, Reorder>,
    fleet: Reorder,
    /// The newest time of each source, for the slowest of them. Kept only when a rule spans hosts.
    clocks: Option<BTreeSet<(Timestamp, SensorId)>>,
    limits: Limits,
    now: Option<Timestamp>,
    /// Matches that end before are not reported: see [`Sequences::resume_from`].
    silent_before: Option<Timestamp>,
    losses: Losses,
}

impl Sequences {
    /// An engine that runs these rules.
    ///
    /// # Errors
    /// When a rule cannot be run within `limits`, or contradicts itself.
    pub fn new(rules: Vec<SequenceRule>, limits: Limits) -> Result<Self, BuildError> {
        let mut wanted: Vec<Vec<(usize, usize)>> = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            rule.check(&limits)?;
            for (step, index) in
                rule.steps.iter().enumerate().flat_map(|(at, step)| step.rules.iter().map(move |i| (at, i)))
            {
                let index = usize::try_from(index.0).expect("a usize holds 32 bits on every machine we run on");
                if wanted.len() <= index {
                    wanted.resize_with(index + 1, Vec::new);
                }
                wanted[index].push((number, step));
            }
        }
        let spans_hosts = rules.iter().any(|rule| rule.scope == Scope::Fleet);
        let start = |rule: SequenceRule| {
            let plan = rule.plan(&limits);
            Running { groups: Groups::new(&plan, &limits), plan, rule }
        };
        Ok(Self {
            rules: rules.into_iter().map(start).collect(),
            wanted,
            sources: AHashMap::new(),
            fleet: Reorder::default(),
            clocks: spans_hosts.then(BTreeSet::new),
            limits,
            now: None,
            silent_before: None,
            losses: Losses::default(),
        })
    }

    /// How far back events can still matter to what comes next. Twice the longest match, because a match may be withheld for one
    /// that it overlaps, and the lateness.
    #[must_use]
    pub fn lookback(&self) -> Duration {
        let longest = |running: &Running| running.plan.iter().map(|plan| plan.within).sum::<Duration>();
        self.rules.iter().map(longest).max().unwrap_or_default() * 2 + self.limits.lateness
    }

    /// Says that the events to come begin at `start` although others came before it. Until [`Sequences::lookback`] is over nothing is
    /// reported, since what the engine does not know could withhold it; from then on everything is as if it had never stopped.
    ///
    /// After a restart: `start` is the last time for which findings are known to be stored, minus the lookback.
    pub fn resume_from(&mut self, start: Timestamp) {
        self.silent_before = Some(start.saturating_add(self.lookback()));
    }

    /// Takes an event and the rules that matched it. Call it for every event, in any order: unmatched ones tell how late it is.
    pub fn observe(&mut self, event: &StoredEvent, matched: &[RuleIndex], out: &mut Vec<Finding>) {
        let ahead = self.now.map(|now| now.saturating_add(self.limits.skew)).filter(|limit| event.event.time > *limit);
        let at = ahead.unwrap_or(event.event.time);
        let source = self.sources.entry(event.id.sensor).or_default();
        let before = source.newest();
        source.see(at);
        if let Some(clocks) = &mut self.clocks {
            if before < at {
                clocks.remove(&(before, event.id.sensor));
                clocks.insert((at, event.id.sensor));
            }
            self.fleet.see(clocks.first().map_or(at, |(slowest, _)| *slowest));
        }
        self.keep(event, at, matched);
        if ahead.is_some() {
            self.losses.ahead += 1;
        }
        self.work_off(event.id.sensor, out);
    }

    /// Tells the time by the correlator's clock: what has waited long enough is worked off, groups that nothing can complete any
    /// more are forgotten. Going back is ignored.
    pub fn advance(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        let waited = now.saturating_sub(self.limits.lateness);
        let mut due: Vec<Pending> = Vec::new();
        for source in self.sources.values_mut().chain([&mut self.fleet]) {
            source.take_waited(now, waited, &mut due);
        }
        self.run(due, out);
        for running in &mut self.rules {
            running.groups.expire(now);
        }
    }

    /// Works off everything that waits, as at the end of a backtest.
    pub fn flush(&mut self, out: &mut Vec<Finding>) {
        let mut due = Vec::new();
        for source in self.sources.values_mut().chain([&mut self.fleet]) {
            source.take_all(&mut due);
        }
        self.run(due, out);
    }

    /// What was not used so far, by cause.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// For each rule its id, the groups it holds and how many it gave up for want of room.
    pub fn occupancy(&self) -> impl Iterator<Item = (&str, usize, u64)> {
        self.rules.iter().map(|running| (running.rule.id.as_str(), running.groups.len(), running.groups.evicted()))
    }

    /// Puts the event with the steps that want it where it waits for its turn.
    fn keep(&mut self, event: &StoredEvent, at: Timestamp, matched: &[RuleIndex]) {
        let (mut host, mut fleet) = (Vec::new(), Vec::new());
        let wanted = matched.iter().filter_map(|index| self.wanted.get(usize::try_from(index.0).ok()?)).flatten();
        for &(number, step) in wanted {
            let rule = &self.rules[number].rule;
            let Some(key) = key::encode(rule.scope, &rule.steps[step].key, event) else {
                self.losses.keyless += 1;
                continue;
            };
            let hits = if rule.scope == Scope::Host { &mut host } else { &mut fleet };
            hits.push(Hit { rule: number, key, step });
        }
        if host.is_empty() && fleet.is_empty() {
            return;
        }
        let entities = entity::entities(&event.event).into_iter().collect();
        let seen = Arc::new(Seen { id: event.id, time: event.event.time, at, entities });
        let source = self.sources.entry(event.id.sensor).or_default();
        for (queue, hits) in [(source, host), (&mut self.fleet, fleet)] {
            if !hits.is_empty() && !queue.push(Pending::new(Arc::clone(&seen), hits), self.now) {
                self.losses.repeated += 1;
            }
        }
    }

    /// Works off what the clock of `sensor` or of the fleet makes due.
    fn work_off(&mut self, sensor: SensorId, out: &mut Vec<Finding>) {
        let mut due = Vec::new();
        for queue in self.sources.get_mut(&sensor).into_iter().chain([&mut self.fleet]) {
            queue.take_due(self.limits.lateness, &mut due);
            self.losses.hurried += queue.take_excess(self.limits.pending_max, &mut due);
        }
        self.run(due, out);
    }

    fn run(&mut self, due: Vec<Pending>, out: &mut Vec<Finding>) {
        for Pending { seen, hits } in due {
            // Hits are sorted by rule, key and step, last step first: an event that ends a step must not begin the next one.
            for same in hits.chunk_by(|a, b| a.rule == b.rule && a.key == b.key) {
                let running = &mut self.rules[same[0].rule];
                let steps = same.iter().map(|hit| hit.step);
                match running.groups.take(&same[0].key, &seen, steps, &running.plan, self.now) {
                    Taken::Late => self.losses.late += 1,
                    Taken::Repeated => self.losses.repeated += 1,
                    Taken::Used(None) => {}
                    Taken::Used(Some(_)) if self.silent_before.is_some_and(|until| seen.at < until) => {}
                    Taken::Used(Some(end)) => out.push(finding::of(&running.rule, &same[0].key, &end)),
                }
            }
        }
    }
}
