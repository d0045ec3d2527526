//! How many findings a host may raise: a budget for a day, not a fixed threshold.

use std::{collections::VecDeque, time::Duration};

use bongsu_event::Timestamp;
use serde::{Deserialize, Serialize};

use super::model::Measure;

const DAY: Duration = Duration::from_hours(24);

/// However long the windows, one in twenty is not unusual, and however short, one in a thousand is.
const PROBABILITY: (f64, f64) = (0.001, 0.05);

/// Each finding of the day makes the next one ask for so much less probability.
const STEP: f64 = 0.25;

/// With the budget spent, only what lies so many times further out than everything that day.
const RECORD: f64 = 2.0;

/// Findings remembered: the records of a day double, and no distance of counts below a million doubles that often.
const FINDINGS_MAX: usize = 256;

/// The findings of the last day of one host: when, and how far out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Budget {
    spent: VecDeque<(Timestamp, f64)>,
}

impl Budget {
    /// How improbable a window must be on a quiet day.
    pub(super) fn threshold(per_day: u32, window: Duration) -> f64 {
        let windows = DAY.as_secs_f64() / window.as_secs_f64().max(1e-3);
        (f64::from(per_day) / windows).clamp(PROBABILITY.0, PROBABILITY.1)
    }

    /// Whether a window that ended at `at` is worth a finding; if so, it is spent.
    pub(super) fn spend(&mut self, at: Timestamp, measure: &Measure, per_day: u32, window: Duration) -> bool {
        while self.spent.pop_front_if(|(spent, _)| at.since(*spent) >= DAY).is_some() {}
        let spent = i32::try_from(self.spent.len()).unwrap_or(i32::MAX);
        let worth = if self.spent.len() < usize::try_from(per_day).unwrap_or(usize::MAX) {
            measure.probability <= Self::threshold(per_day, window) * STEP.powi(spent)
        } else {
            let furthest = self.spent.iter().map(|(_, distance)| *distance).fold(0.0, f64::max);
            per_day > 0 && measure.distance >= RECORD * furthest
        };
        if worth && self.spent.len() < FINDINGS_MAX {
            self.spent.push_back((at, measure.distance));
        }
        worth
    }
}
