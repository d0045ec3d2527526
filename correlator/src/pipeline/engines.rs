//! The engines side by side: every event goes to each, in order of commit.

use std::time::Duration;

use bongsu_detection::{
    Engine, Finding,
    anomaly::{Anomaly, RestoreError, Settings},
};
use bongsu_event::{StoredEvent, Timestamp};

pub(super) struct Engines {
    rules: Engine,
    anomaly: Anomaly,
    snapshot_at: i64,
}

impl Engines {
    pub(super) fn new(rules: Engine, anomaly: Settings) -> Self {
        Self { rules, anomaly: Anomaly::new(anomaly), snapshot_at: 0 }
    }

    pub(super) fn observe(&mut self, event: &StoredEvent, findings: &mut Vec<Finding>) {
        self.rules.observe(event, findings);
        self.anomaly.observe(event, findings);
    }

    pub(super) fn advance(&mut self, now: Timestamp, findings: &mut Vec<Finding>) {
        self.rules.advance(now, findings);
        self.anomaly.advance(now, findings);
    }

    /// How far back events are needed after a restart.
    pub(super) fn lookback(&self) -> Duration {
        self.rules.lookback().max(self.anomaly.lookback())
    }

    /// Says that the events to come begin at `start` although others came before it.
    pub(super) fn resume_from(&mut self, start: Timestamp) {
        self.rules.resume_from(start);
    }

    /// What cannot be had again from events, when reading got `every` events further since the last time.
    pub(super) fn snapshot(&mut self, position: i64, every: i64) -> Option<Vec<u8>> {
        if position.saturating_sub(self.snapshot_at) < every {
            return None;
        }
        self.snapshot_at = position;
        Some(self.anomaly.snapshot())
    }

    /// Takes up the snapshot made at that position; tells whether it fits how the engines are set.
    pub(super) fn restore(&mut self, position: i64, snapshot: &[u8]) -> Result<bool, RestoreError> {
        let fits = self.anomaly.restore(snapshot)?;
        if fits {
            self.snapshot_at = position;
        }
        Ok(fits)
    }
}
