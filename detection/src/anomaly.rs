//! Anomalies: windows of time in which a host does not behave like itself.
//!
//! # What is measured
//!
//! Each host's events are counted in windows of event time, nineteen features to a window (see `feature.rs`): a rollup. When a window is
//! over it is compared with the host's last [`Settings::windows_kept`] ones by principal components (linfa) of ln(1 + count),
//! standardised: far out in a direction in which the host does vary counts, and so does leaving the proportions it keeps to. The
//! distance is calibrated against the baseline's own distances, each measured without itself, to a probability p that a usual
//! window lies as far out. How far a window beats the baseline's records is calibrated apart, so that a host that works in bursts still
//! shows what is new to it. The score is 100 (1 - p): the share of usual windows that are less unusual.
//!
//! # When it speaks
//!
//! Never before [`Settings::windows_min`] windows that are not all the same. Then by a budget: [`Settings::findings_per_day`] sets how improbable
//! a window must be, each finding of the last 24 hours raises the bar for the next, and with the budget spent only a window twice as far
//! out as all that day's still is one, so that neither noise nor an attacker who makes noise silences it altogether. Findings name at most
//! [`EVENTS_MAX`] events, those that raise the features that moved the score most, things new to the host first.
//!
//! # What it learns
//!
//! Every window with an event in it, except anomalous ones and a host's first two: they are cut by the sensor's start, and show that start
//! and not the host. When those outnumber the usual ones by `windows_min` the host has
//! changed, and they are learned: who is loud for that long becomes usual, after having been reported. The model is fitted anew every
//! [`Settings::refit_every`] windows learned.
//!
//! # Order, time and bounds
//!
//! A window is over when its host is [`Settings::lateness`] past its end in event time, or when that much more than a window has gone
//! by since its first event in the time given to [`Anomaly::advance`]. Events for a window that is over are counted as late; those too far
//! ahead count as having happened now. Per host: at most [`Settings::windows_kept`] rollups, 1024 marks of programs and destinations and
//! a day's findings, under 70 KB in a snapshot; for each open window eight events a feature. Hosts are as many as certificates.
//!
//! Windows that are open are not in a snapshot: feed the events of the last [`Anomaly::lookback`] again after [`Anomaly::restore`]. Those
//! of windows that were over by then are known and not counted twice. Tell the time by [`Anomaly::advance`] before, so that a time stamp
//! from the future among them is seen as one.

mod baseline;
mod budget;
mod feature;
mod finding;
mod model;
#[cfg(test)]
mod tests;
mod window;

use std::{collections::BTreeMap, time::Duration};

use bongsu_event::{SensorId, StoredEvent, Timestamp, catalogue::FieldId};
use serde::{Deserialize, Serialize};

pub use finding::EVENTS_MAX;

use crate::Finding;
use baseline::{Baseline, Known};
use budget::Budget;
use feature::Adds;
use model::Model;
use window::Window;

/// The rule id of all findings of this detector.
pub const RULE: &str = "anomaly.host-rollup";

/// A host's first windows, which are not learned.
const WARM_UP: u8 = 2;

/// How the detector is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The length of a window; at least a millisecond.
    pub window: Duration,
    /// How much older than its host's newest event an event may be when it arrives.
    pub lateness: Duration,
    /// How far ahead of the time given to `advance` a host's clock may be.
    pub skew: Duration,
    /// Windows that make a baseline.
    pub windows_min: usize,
    /// Windows kept for a host: more than 288 may exceed the 70 KB that a host may take.
    pub windows_kept: usize,
    /// Windows learned between two fits.
    pub refit_every: u32,
    /// The budget.
    pub findings_per_day: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_mins(5),
            lateness: Duration::from_secs(5),
            skew: Duration::from_secs(2),
            windows_min: 24,
            windows_kept: 288,
            refit_every: 12,
            findings_per_day: 3,
        }
    }
}

/// What was not used, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Events whose window was over when they came.
    pub late: u64,
    /// Events whose time was too far ahead and was set back. They were used.
    pub ahead: u64,
    /// Windows that could not be judged because no model could be fitted. They were learned.
    pub unfitted: u64,
}

/// A stored state that is not one.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the stored state of the anomaly detector")]
pub struct RestoreError(#[from] serde_json::Error);

/// What is remembered of a host over a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    /// Windows before this one are over, by number.
    over_before: Option<i64>,
    /// How many of the host's first windows are over, up to [`WARM_UP`].
    warm_up: u8,
    baseline: Baseline,
    known: Known,
    budget: Budget,
    /// By how many windows the anomalous ones outnumber the usual ones of late.
    strange: usize,
}

#[derive(Debug)]
struct Host {
    newest: Timestamp,
    open: BTreeMap<i64, Window>,
    memory: Memory,
    model: Option<Model>,
    learned_since_fit: u32,
}

/// The state of all hosts in a snapshot. Baselines depend on the length of their windows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot<M> {
    window_ns: u64,
    hosts: BTreeMap<SensorId, M>,
}

/// The detector.
#[derive(Debug)]
pub struct Anomaly {
    settings: Settings,
    window_ns: i64,
    elevated: FieldId,
    hosts: BTreeMap<SensorId, Host>,
    now: Option<Timestamp>,
    losses: Losses,
}

impl Anomaly {
    /// A detector that knows no host yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let settings = Settings { window: settings.window.max(Duration::from_millis(1)), ..settings };
        Self {
            settings,
            window_ns: i64::try_from(settings.window.as_nanos()).unwrap_or(i64::MAX),
            elevated: FieldId::by_name("bongsu.elevated").expect("the catalogue has the field"),
            hosts: BTreeMap::new(),
            now: None,
            losses: Losses::default(),
        }
    }

    /// Counts an event. May end windows of its host.
    pub fn observe(&mut self, event: &StoredEvent, out: &mut Vec<Finding>) {
        let sensor = event.id.sensor;
        let ahead =
            self.now.map(|now| now.saturating_add(self.settings.skew)).filter(|limit| event.event.time > *limit);
        self.losses.ahead += u64::from(ahead.is_some());
        let at = ahead.unwrap_or(event.event.time);
        let host = self.hosts.entry(sensor).or_default();
        let number = at.0.div_euclid(self.window_ns);
        if host.memory.over_before.is_some_and(|first| number < first) {
            self.losses.late += 1;
            return;
        }
        let window = host.open.entry(number).or_insert_with(|| Window::new(self.now));
        window.count(event, Adds::of(event, self.elevated), &host.memory.known);
        if at > host.newest {
            host.newest = at;
            let until = at.saturating_sub(self.settings.lateness).0.div_euclid(self.window_ns);
            self.close(sensor, until, out);
        }
    }

    /// Tells the time by the correlator's clock, so that windows end without further traffic. Going back is ignored.
    pub fn advance(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        let patience = self.settings.window + self.settings.lateness;
        let mut due = Vec::new();
        for (sensor, host) in &mut self.hosts {
            for window in host.open.values_mut() {
                // What came before the time was known came now.
                window.opened.get_or_insert(now);
            }
            let waited = |window: &Window| window.opened.is_some_and(|opened| now.since(opened) >= patience);
            let last = host.open.iter().rev().find(|(_, window)| waited(window));
            due.extend(last.map(|(number, _)| (*sensor, number + 1)));
        }
        for (sensor, until) in due {
            self.close(sensor, until, out);
        }
    }

    /// Ends all windows, as at the end of a backtest.
    pub fn flush(&mut self, out: &mut Vec<Finding>) {
        let ends = |(sensor, host): (&SensorId, &Host)| host.open.keys().next_back().map(|last| (*sensor, last + 1));
        for (sensor, until) in self.hosts.iter().filter_map(ends).collect::<Vec<_>>() {
            self.close(sensor, until, out);
        }
    }

    /// How far back events are needed after a restart.
    #[must_use]
    pub fn lookback(&self) -> Duration {
        2 * self.settings.window + self.settings.lateness
    }

    /// What was not used so far, by cause.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// How many windows the baseline of a host has.
    #[must_use]
    pub fn baseline_windows(&self, sensor: SensorId) -> usize {
        self.hosts.get(&sensor).map_or(0, |host| host.memory.baseline.len())
    }

    /// Everything but the open windows, to be stored.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let hosts = self.hosts.iter().map(|(sensor, host)| (*sensor, &host.memory)).collect();
        let window_ns = self.window_ns.unsigned_abs();
        serde_json::to_vec(&Snapshot { window_ns, hosts }).expect("numbers and lists always have a JSON form")
    }

    /// Takes up a stored state. One of windows of another length is of no use and is dropped: gives whether it was taken.
    ///
    /// # Errors
    /// When it is not a snapshot; nothing is changed then.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<bool, RestoreError> {
        let snapshot: Snapshot<Memory> = serde_json::from_slice(snapshot)?;
        if snapshot.window_ns != self.window_ns.unsigned_abs() {
            return Ok(false);
        }
        let host = |(sensor, memory)| (sensor, Host { memory, ..Host::default() });
        self.hosts = snapshot.hosts.into_iter().map(host).collect();
        Ok(true)
    }

    /// Ends the windows of a host before the one with this number.
    fn close(&mut self, sensor: SensorId, until: i64, out: &mut Vec<Finding>) {
        let Some(host) = self.hosts.get_mut(&sensor) else { return };
        while let Some(first) = host.open.first_entry().filter(|first| *first.key() < until) {
            let (number, window) = first.remove_entry();
            host.memory.over_before = Some(number + 1);
            let end = Timestamp((number + 1).saturating_mul(self.window_ns));
            out.extend(host.judge(sensor, end, &window, &self.settings, &mut self.losses));
        }
        host.memory.over_before = host.memory.over_before.max(Some(until));
    }
}

impl Default for Host {
    fn default() -> Self {
        Self {
            newest: Timestamp(i64::MIN),
            open: BTreeMap::new(),
            memory: Memory::default(),
            model: None,
            learned_since_fit: 0,
        }
    }
}

impl Host {
    /// Compares a window that is over with the baseline, and learns it unless it is anomalous.
    fn judge(
        &mut self,
        sensor: SensorId,
        end: Timestamp,
        window: &Window,
        settings: &Settings,
        losses: &mut Losses,
    ) -> Option<Finding> {
        if self.memory.warm_up < WARM_UP {
            self.memory.warm_up += 1;
            return None;
        }
        if !self.memory.baseline.suffices(settings.windows_min) {
            self.learn(window, settings);
            return None;
        }
        self.refit(settings);
        let Some(model) = &self.model else {
            losses.unfitted += 1;
            self.learn(window, settings);
            return None;
        };
        let measure = model.measure(&window.counts);
        if measure.probability > Budget::threshold(settings.findings_per_day, settings.window) {
            self.memory.strange = self.memory.strange.saturating_sub(1);
            self.learn(window, settings);
            return None;
        }
        let worth = self.memory.budget.spend(end, &measure, settings.findings_per_day, settings.window);
        let finding =
            worth.then(|| finding::of(sensor, end, window, &measure, &self.memory.baseline, settings)).flatten();
        self.memory.strange += 1;
        if self.memory.strange > settings.windows_min {
            self.memory.strange = settings.windows_min;
            self.learn(window, settings);
        }
        finding
    }

    fn learn(&mut self, window: &Window, settings: &Settings) {
        self.memory.baseline.learn(window.counts, settings.windows_kept.max(settings.windows_min));
        window.marks().for_each(|mark| self.memory.known.learn(mark));
        self.learned_since_fit += 1;
    }

    /// Fits the model anew when it is time. Without success the old one stays.
    fn refit(&mut self, settings: &Settings) {
        if self.model.is_some() && self.learned_since_fit < settings.refit_every.max(1) {
            return;
        }
        let windows: Vec<_> = self.memory.baseline.windows().copied().collect();
        if let Ok(model) = Model::fit(&windows) {
            self.model = Some(model);
            self.learned_since_fit = 0;
        }
    }
}
