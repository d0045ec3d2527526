//! How the sensor is, for its log: counters that any task may raise, said once a minute and at the end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::kernel::Counters;

/// Counters of the sensor. Those of the spool are in its account, those of the rings in the kernel's.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Sessions that were opened.
    sessions: AtomicU64,
    connected: AtomicBool,
    /// Log lines read.
    pub(crate) lines: AtomicU64,
    /// Log lines longer than is taken; the rest of each was dropped.
    pub(crate) lines_cut: AtomicU64,
    /// Times a log was found truncated, shorter or replaced without our having seen its end: what was between is unknown.
    pub(crate) log_gaps: AtomicU64,
    /// Events in which secrets were masked.
    pub(crate) masked: AtomicU64,
}

impl Health {
    /// A session is open.
    pub(crate) fn connected(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        self.connected.store(true, Ordering::Relaxed);
    }

    /// No session is open. True when one was.
    pub(crate) fn disconnected(&self) -> bool {
        self.connected.swap(false, Ordering::Relaxed)
    }

    /// Says how it is.
    pub(crate) fn log(&self, kernel: Counters, missed: u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        tracing::info!(
            sessions = get(&self.sessions),
            connected = self.connected.load(Ordering::Relaxed),
            lines = get(&self.lines),
            lines_cut = get(&self.lines_cut),
            log_gaps = get(&self.log_gaps),
            masked = get(&self.masked),
            kernel_emitted = kernel.emitted,
            ring_lost = kernel.ring_lost,
            suppressed = kernel.suppressed,
            missed,
            "health"
        );
    }
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
