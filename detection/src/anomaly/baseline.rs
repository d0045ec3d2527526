//! What is usual for a host: its last windows, and the programs and destinations they held.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::feature::{Counts, FEATURES};

/// Programs and destinations remembered for a host.
const KNOWN_MAX: usize = 1024;

/// Marks of programs and destinations that learned windows held; the oldest go first.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(from = "VecDeque<u32>", into = "VecDeque<u32>")]
pub(super) struct Known {
    order: VecDeque<u32>,
    marks: BTreeSet<u32>,
}

impl Clone for Known {
    fn clone(&self) -> Self {
        Self::from(self.order.clone())
    }
}

impl From<VecDeque<u32>> for Known {
    fn from(order: VecDeque<u32>) -> Self {
        let mut known = Self::default();
        order.into_iter().for_each(|mark| known.learn(mark));
        known
    }
}

impl From<Known> for VecDeque<u32> {
    fn from(known: Known) -> Self {
        known.order
    }
}

impl Known {
    pub(super) fn contains(&self, mark: u32) -> bool {
        self.marks.contains(&mark)
    }

    pub(super) fn learn(&mut self, mark: u32) {
        if self.marks.insert(mark) {
            self.order.push_back(mark);
        }
        if self.order.len() > KNOWN_MAX {
            self.order.pop_front().map(|oldest| self.marks.remove(&oldest));
        }
    }
}

/// The last windows learned, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Baseline {
    windows: VecDeque<Counts>,
}

impl Baseline {
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    pub(super) fn learn(&mut self, window: Counts, windows_max: usize) {
        self.windows.push_back(window);
        while self.windows.len() > windows_max {
            self.windows.pop_front();
        }
    }

    pub(super) fn windows(&self) -> impl Iterator<Item = &Counts> {
        self.windows.iter()
    }

    /// Whether there is enough to say what is usual: so many windows, and not all the same.
    pub(super) fn suffices(&self, windows_min: usize) -> bool {
        self.len() >= windows_min.max(2) && self.windows.iter().any(|window| *window != self.windows[0])
    }

    /// The range in which a feature lies in nine windows of ten.
    pub(super) fn usual(&self, feature: usize) -> (u32, u32) {
        debug_assert!(feature < FEATURES, "features are numbered by the table");
        let mut values: Vec<u32> = self.windows.iter().map(|window| window[feature]).collect();
        values.sort_unstable();
        let last = values.len().saturating_sub(1);
        let at = |hundredths: usize| values.get((last * hundredths + 50) / 100).copied().unwrap_or(0);
        (at(5), at(95))
    }
}
