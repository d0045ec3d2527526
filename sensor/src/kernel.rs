//! What the rest of the sensor knows of the kernel side: hooks, counters and images, with or without probes.

use std::{fs::File, io};

use bongsu_event::{Event, ProcessKey};
use tokio::sync::{mpsc, watch};

use crate::probe::{self, Hook, ProbeConfig, Probes, StartError};

/// Events between the kernel programs and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    /// Emitted by the kernel programs; the sum of the others once the rings are empty.
    pub(crate) emitted: u64,
    /// Read from the rings.
    pub(crate) read: u64,
    /// Lost because a ring was full.
    pub(crate) ring_lost: u64,
}

/// The kernel side.
#[derive(Default)]
pub(crate) struct Kernel {
    probes: Option<Probes>,
}

impl Kernel {
    /// Starts the probes.
    pub(crate) fn start(config: &ProbeConfig) -> Result<(Self, mpsc::Receiver<Vec<Event>>), StartError> {
        let (probes, events) = probe::start(config)?;
        Ok((Self { probes: Some(probes) }, events))
    }

    /// No probes: log lines only.
    pub(crate) fn without_probes() -> Self {
        Self::default()
    }

    /// Where each hook stands.
    pub(crate) fn hooks(&self) -> Vec<Hook> {
        self.probes.as_ref().map_or_else(Vec::new, |probes| probes.hooks.borrow().clone())
    }

    /// Tells when a hook fell silent or speaks again; `None` without probes.
    pub(crate) fn watch_hooks(&self) -> Option<watch::Receiver<Vec<Hook>>> {
        let mut hooks = self.probes.as_ref()?.hooks.clone();
        hooks.mark_unchanged();
        Some(hooks)
    }

    /// How many events came and how many were lost, up to now.
    pub(crate) fn counters(&self) -> Counters {
        let Some(probes) = &self.probes else {
            return Counters::default();
        };
        let counters = probes.counters();
        Counters { emitted: counters.emitted(), read: counters.read(), ring_lost: counters.ring_lost() }
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
