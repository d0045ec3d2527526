//! The images of processes as evidence: the very file a process runs, also when it has no name any more.
//!
//! A process that runs is asked through /proc/PID/exe, which opens the inode itself; the start time is checked after opening, so that a
//! pid in other hands is never taken for the one that was meant. Images without a name are gone when their process ends; the reader
//! hands each to [`Images::keep`] as soon as it hears of it, and it stays for a while. Bounded: [`KEPT_MAX`] descriptors, [`KEPT_FOR`].

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::fd::AsRawFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bongsu_event::ProcessKey;

use super::proc_fs;
use crate::opener;

/// How many images are kept open.
const KEPT_MAX: usize = 64;

/// How long one is kept open.
const KEPT_FOR: Duration = Duration::from_secs(600);

struct Kept {
    key: ProcessKey,
    file: File,
    since: Instant,
}

/// Opens images; cheap to clone, usable from any thread.
#[derive(Clone)]
pub(crate) struct Images {
    boot: u64,
    /// Oldest first.
    kept: Arc<Mutex<VecDeque<Kept>>>,
}

impl Images {
    /// Of the boot that is running.
    pub(crate) fn new(boot: u64) -> Self {
        Self { boot, kept: Arc::default() }
    }

    /// Opens the image of the process for reading from its beginning.
    ///
    /// # Errors
    /// `NotFound` when that very process does not run any more and its image was not kept.
    pub(crate) fn open_image(&self, key: ProcessKey) -> io::Result<File> {
        match self.open_running(key) {
            Ok(file) => Ok(file),
            Err(error) => self.open_kept(key).unwrap_or(Err(error)),
        }
    }

    /// Keeps the image of a process that runs right now and is about to be gone.
    ///
    /// # Errors
    /// As [`Images::open_image`].
    pub(crate) fn keep(&self, key: ProcessKey) -> io::Result<()> {
        let file = self.open_running(key)?;
        let mut kept = self.lock();
        kept.retain(|old| old.key != key);
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Kept { key, file, since: Instant::now() });
        Ok(())
    }

    /// Lets go of what was kept long enough.
    pub(crate) fn expire(&self, now: Instant) {
        let mut kept = self.lock();
        while kept.front().is_some_and(|oldest| now.saturating_duration_since(oldest.since) > KEPT_FOR) {
            kept.pop_front();
        }
    }

    fn open_running(&self, key: ProcessKey) -> io::Result<File> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, format!("process {key} does not run"));
        if key.boot != self.boot {
            return Err(gone());
        }
        let file = opener::image(key.pid)?;
        if proc_fs::start_ticks(key.pid)? != key.start {
            return Err(gone());
        }
        Ok(file)
    }

    fn open_kept(&self, key: ProcessKey) -> Option<io::Result<File>> {
        let kept = self.lock();
        let found = kept.iter().find(|kept| kept.key == key)?;
        // Through /proc and not by dup: each reader gets a position of its own.
        Some(File::open(format!("/proc/self/fd/{}", found.file.as_raw_fd())))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        // Nothing that holds the lock leaves the queue half changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
