//! What the rest of the sensor knows of the kernel side: hooks, counters and images, with or without probes.

use std::{
    fs::File,
    io,
    sync::{Mutex, PoisonError},
};

use bongsu_event::{Event, ProcessKey};
use tokio::sync::{mpsc, watch};

use crate::probe::{self, Attached, Bounds, Figure, Hook, ProbeConfig, Probes, StartError, Statistics};

/// Events between the kernel programs and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    /// Emitted by the kernel programs; the sum of the others once the rings are empty.
    pub(crate) emitted: u64,
    /// Read from the rings.
    pub(crate) read: u64,
    /// Lost because a ring was full.
    pub(crate) ring_lost: u64,
    /// Not made, because a process had used up its allowance; beside the others.
    pub(crate) suppressed: u64,
}

/// The kernel side.
pub(crate) struct Kernel {
    probes: Option<Probes>,
    hooks: watch::Receiver<Vec<Hook>>,
    /// While the kernel counts for us what the programs cost.
    counting: Mutex<Option<Statistics>>,
}

/// Where the probes' events come from; nowhere without probes.
pub(crate) type KernelEvents = Option<mpsc::Receiver<Vec<Event>>>;

/// Probes that are attached, before there are threads.
pub(crate) enum Prepared {
    /// They stand.
    Attached { attached: Box<Attached>, counting: Option<Statistics> },
    /// The kernel is locked down against all of them.
    Blind { why: String },
}

impl Prepared {
    /// Where the pulse will connect to.
    pub(crate) fn port(&self) -> Option<io::Result<u16>> {
        match self {
            Self::Attached { attached, .. } => Some(attached.port()),
            Self::Blind { .. } => None,
        }
    }

    /// Whether this thread may read the maps of the programs.
    pub(crate) fn reads_maps(&self) -> bool {
        match self {
            Self::Attached { attached, .. } => attached.reads_maps(),
            Self::Blind { .. } => true,
        }
    }
}

impl Kernel {
    /// Attaches the probes, and does whatever else takes rights that nothing after it needs.
    ///
    /// On a kernel that is locked down against all of them the logs are followed without, and every hook is told to be blind: nobody but its
    /// owner can change that, and a sensor that did not start would lose the logs as well.
    pub(crate) fn prepare(config: &ProbeConfig) -> Result<Prepared, StartError> {
        let attached = match probe::attach(config) {
            Ok(attached) => Box::new(attached),
            Err(error @ StartError::LockedDown) => return Ok(Prepared::Blind { why: error.to_string() }),
            Err(error) => return Err(error),
        };
        let counting = Statistics::on().inspect_err(|error| tracing::debug!(%error, "no figures of what hooks cost"));
        Ok(Prepared::Attached { attached, counting: counting.ok() })
    }

    /// Starts the probes' threads. What their programs cost is counted until [`Kernel::stop_counting`], where the kernel lets us.
    pub(crate) fn start(prepared: Prepared) -> Result<(Self, KernelEvents), StartError> {
        let (attached, counting) = match prepared {
            Prepared::Attached { attached, counting } => (attached, Mutex::new(counting)),
            Prepared::Blind { why } => {
                tracing::error!("running without probes, log lines only: {why}");
                return Ok((Self::standing(watch::channel(probe::all_blind(&why)).1), None));
            }
        };
        let (probes, events) = attached.run()?;
        let kernel = Self { hooks: probes.hooks.clone(), probes: Some(probes), counting };
        Ok((kernel, Some(events)))
    }

    /// No probes: log lines only.
    pub(crate) fn without_probes() -> Self {
        Self::standing(watch::channel(Vec::new()).1)
    }

    /// Hooks that stand as told, and nothing behind them.
    pub(crate) fn standing(hooks: watch::Receiver<Vec<Hook>>) -> Self {
        Self { probes: None, hooks, counting: Mutex::new(None) }
    }

    /// Where each hook stands.
    pub(crate) fn hooks(&self) -> Vec<Hook> {
        self.hooks.borrow().clone()
    }

    /// Tells when a hook falls silent or speaks again, from now on.
    pub(crate) fn watch_hooks(&self) -> watch::Receiver<Vec<Hook>> {
        let mut hooks = self.hooks.clone();
        hooks.mark_unchanged();
        hooks
    }

    /// What each program cost while the kernel counted, by its name.
    pub(crate) fn figures(&self) -> Vec<(&str, Figure)> {
        let Some(probes) = &self.probes else { return Vec::new() };
        probes.figures.take().unwrap_or_else(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "no figures of what hooks cost");
            Vec::new()
        })
    }

    /// How often the kernel passed a program over because another was running on that CPU.
    pub(crate) fn missed(&self) -> u64 {
        self.figures().iter().map(|(_, figure)| figure.missed).sum()
    }

    /// What the memory of the probes is bounded by; `None` without probes.
    pub(crate) fn bounds(&self) -> Option<Bounds> {
        self.probes.as_ref().map(|probes| probes.bounds)
    }

    /// The kernel need not count for us any more: counting costs every program of the host two looks at the clock.
    pub(crate) fn stop_counting(&self) {
        drop(self.counting.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// How many events came and how many were lost, up to now.
    pub(crate) fn counters(&self) -> Counters {
        let Some(probes) = &self.probes else {
            return Counters::default();
        };
        let counters = probes.counters();
        Counters {
            emitted: counters.emitted(),
            read: counters.read(),
            ring_lost: counters.ring_lost(),
            suppressed: counters.suppressed(),
        }
    }

    /// Opens the image of a process, also when it has no name any more.
    pub(crate) fn open_image(&self, key: ProcessKey) -> io::Result<File> {
        match &self.probes {
            Some(probes) => probes.images.open_image(key),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "the sensor runs without probes")),
        }
    }

    /// Detaches the hooks; what the kernel has emitted by then still arrives.
    pub(crate) fn stop(&self) {
        if let Some(probes) = &self.probes
            && let Err(error) = probes.stop()
        {
            tracing::warn!(%error, "cannot tell the probes to stop");
        }
    }
}
