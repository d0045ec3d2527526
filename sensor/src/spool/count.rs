//! What is counted when events are given up: which class, and why.

use std::collections::BTreeMap;

use bongsu_event::{Activity, Event};

/// What an event is worth when there is not room for all; the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// File operations.
    File,
    /// Network operations.
    Network,
    /// Log lines.
    Log,
    /// Processes and privileges.
    Process,
    /// Not known any more: its bytes were damaged.
    Unknown,
}

impl Class {
    /// All classes, the least worth first.
    pub(crate) const ALL: [Self; 5] = [Self::File, Self::Network, Self::Log, Self::Process, Self::Unknown];

    /// The class of an event.
    #[must_use]
    pub(crate) fn of(event: &Event) -> Self {
        match event.activity {
            Activity::File(_) => Self::File,
            Activity::Network(_) | Activity::Dns(_) | Activity::Tls(_) => Self::Network,
            Activity::Log(_) => Self::Log,
            Activity::Fork { .. }
            | Activity::Exec(_)
            | Activity::ExecFailed(_)
            | Activity::Exit { .. }
            | Activity::SetName { .. }
            | Activity::Mount(_)
            | Activity::SetCredentials { .. }
            | Activity::SetCapabilities { .. }
            | Activity::Namespace(_)
            | Activity::Tamper(_)
            | Activity::IoUring(_)
            | Activity::Authentication(_)
            | Activity::ShellLine { .. }
            | Activity::Suppressed(_) => Self::Process,
        }
    }

    /// Its name in the ledger.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Network => "network",
            Self::Log => "log",
            Self::Process => "process",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// Why events were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reason {
    /// The spool was over its cap.
    Cap,
    /// The disk took no more.
    DiskFull,
    /// One event was larger than an event may be.
    TooLarge,
    /// The spool was damaged on disk.
    Damaged,
}

impl Reason {
    /// All reasons.
    pub(crate) const ALL: [Self; 4] = [Self::Cap, Self::DiskFull, Self::TooLarge, Self::Damaged];

    /// Its name in the ledger.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Cap => "cap",
            Self::DiskFull => "disk_full",
            Self::TooLarge => "too_large",
            Self::Damaged => "damaged",
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// Events counted by class and reason. Never more than 20 entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counts(BTreeMap<(Class, Reason), u64>);

impl Counts {
    /// Adds to one of the counts.
    pub(crate) fn count(&mut self, class: Class, reason: Reason, events: u64) {
        *self.0.entry((class, reason)).or_default() += events;
    }

    /// Adds all of `other`.
    pub(crate) fn add(&mut self, other: &Self) {
        for (class, reason, events) in other.iter() {
            self.count(class, reason, events);
        }
    }

    /// The sum.
    #[must_use]
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Each count that is not zero.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (Class, Reason, u64)> {
        self.0.iter().map(|(&(class, reason), &events)| (class, reason, events))
    }

    /// One of the counts.
    #[cfg(test)]
    pub(crate) fn get(&self, class: Class, reason: Reason) -> u64 {
        self.0.get(&(class, reason)).copied().unwrap_or(0)
    }
}
