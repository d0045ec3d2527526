//! What happened in this room, counted since the start.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Adds one and tells how many there are now.
    pub(crate) fn one(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "counted and tested; the page of figures that shows it is not there yet")
    )]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Every loss and refusal has a count of its own.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Wishes that became requests.
    pub(crate) requested: Count,
    /// Wishes met by a request for the same bytes.
    pub(crate) shared: Count,
    /// Wishes over a limit.
    pub(crate) wishes_refused: Count,
    /// Uploads that became evidence.
    pub(crate) stored: Count,
    /// Requests that the sensor could not meet.
    pub(crate) unmet: Count,
    /// Uploads refused because what the sensor sent does not fit.
    pub(crate) uploads_refused: Count,
    /// Messages about no upload of their sensor.
    pub(crate) strays: Count,
    /// Uploads given up because nothing more came.
    pub(crate) stalled: Count,
    /// Rounds in which nothing could be asked for because the store of evidence is full.
    pub(crate) store_full: Count,
    /// Scans, whatever they came to.
    pub(crate) scanned: Count,
    /// Findings handed to the pipeline.
    pub(crate) findings: Count,
}
