//! Follows one log through the files it is in.
//!
//! ```text
//! (missing) --appears--> current --renamed away, read to its end--> old (late lines) --quiet for a while--> gone
//!                           ^                                        |
//!                           +------- the new file of the name -------+
//! ```

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    file::{LogFile, Progress},
    position::{Position, Positions, identity},
    rotated,
};
use crate::health::{Health, count};

/// A rotated file is watched so long after its last line: its writer may not have been told yet.
const LATE_LINES_FOR: Duration = Duration::from_secs(30);

/// Files remembered as read. Only those born within one tick of the file system's clock are ever asked for.
const READ_MAX: usize = 32;

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) lines: Vec<Vec<u8>>,
    /// Where we are now, when that changed; to be kept together with the lines.
    pub(super) moved: Option<Positions>,
}

/// Follows one log.
#[derive(Debug)]
pub(super) struct Follower {
    path: PathBuf,
    /// What the spool says, until the files are found again.
    saved: Option<Positions>,
    first_look: bool,
    old: Option<(LogFile, Instant)>,
    current: Option<LogFile>,
    /// Files that were current, newest last.
    read: VecDeque<(u64, u64)>,
    told: Option<Positions>,
    health: Arc<Health>,
    complained: bool,
}

impl Follower {
    pub(super) fn new(path: PathBuf, saved: Option<Positions>, health: Arc<Health>) -> Self {
        let mut follower = Self {
            path,
            saved,
            first_look: true,
            old: None,
            current: None,
            read: VecDeque::new(),
            told: None,
            health,
            complained: false,
        };
        // Now, not at the first look: what is written from here on is news, however late that look comes.
        if follower.saved.is_none()
            && let Err(error) = follower.appear()
        {
            tracing::warn!(path = %follower.path.display(), %error, "cannot open the log; trying again");
        }
        follower
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is new, about `lines_max` lines of it.
    pub(super) fn look(&mut self, lines_max: usize) -> Look {
        let mut lines = Vec::new();
        match self.read(&mut lines, lines_max) {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!(path = %self.path.display(), %error, "cannot read the log; trying again");
            }
            Err(_) => {}
        }
        let positions = Positions {
            old: self.old.as_ref().map(|(file, _)| file.position()),
            current: self.current.as_ref().map(LogFile::position),
        };
        // Before the files of the last life are found again there is nothing new to say.
        let moved = self.saved.is_none() && self.told.as_ref() != Some(&positions);
        if moved {
            self.told = Some(positions.clone());
        }
        Look { lines, moved: moved.then_some(positions) }
    }

    fn read(&mut self, lines: &mut Vec<Vec<u8>>, lines_max: usize) -> io::Result<()> {
        if self.current.is_none() && !self.appear()? {
            return Ok(());
        }
        self.read_old(lines, lines_max)?;
        while lines.len() < lines_max {
            let Some(current) = &mut self.current else {
                return Ok(());
            };
            let mut cut = 0;
            let progress = current.read(lines, lines_max, &mut cut);
            self.health.lines_cut.fetch_add(cut, Ordering::Relaxed);
            match progress? {
                Progress::Enough => return Ok(()),
                Progress::StartedOver => count(&self.health.log_gaps),
                // Late lines of the old file first.
                Progress::AtEnd if self.rotate(lines)? => self.read_old(lines, lines_max)?,
                Progress::AtEnd => return Ok(()),
            }
        }
        Ok(())
    }

    /// Opens the log when it is there.
    fn appear(&mut self) -> io::Result<bool> {
        let first_look = std::mem::replace(&mut self.first_look, false);
        let mut file = match LogFile::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        match self.saved.take() {
            Some(saved) => self.resume(file, &saved)?,
            None => {
                if first_look {
                    file.skip_to_end()?;
                }
                self.current = Some(file);
            }
        }
        Ok(true)
    }

    /// Takes up where the last life of the sensor ended; the file may have been rotated since.
    fn resume(&mut self, mut file: LogFile, saved: &Positions) -> io::Result<()> {
        if let Some(old) = &saved.old {
            self.old = self.find_rotated(old);
        }
        if let Some(position) = &saved.current
            && !file.resume(position)?
        {
            match self.find_rotated(position) {
                // Read on where we were; the files after it, however many, are reached from there.
                Some((found, _)) => file = found,
                None => count(&self.health.log_gaps),
            }
        }
        self.current = Some(file);
        Ok(())
    }

    /// The file of a position under another name in the same directory.
    fn find_rotated(&self, position: &Position) -> Option<(LogFile, Instant)> {
        let directory = fs::read_dir(self.path.parent()?).ok()?;
        directory.flatten().find_map(|entry| {
            let metadata = entry.metadata().ok()?;
            (identity(&metadata) == (position.dev, position.inode)).then_some(())?;
            let mut file = LogFile::open(&entry.path()).ok()?;
            file.resume(position).ok()?.then_some((file, Instant::now()))
        })
    }

    fn read_old(&mut self, lines: &mut Vec<Vec<u8>>, lines_max: usize) -> io::Result<()> {
        let Some((file, last_line)) = &mut self.old else {
            return Ok(());
        };
        let (before, mut cut) = (lines.len(), 0);
        let progress = file.read(lines, lines_max, &mut cut);
        self.health.lines_cut.fetch_add(cut, Ordering::Relaxed);
        if progress? != Progress::AtEnd || lines.len() > before {
            *last_line = Instant::now();
        } else if last_line.elapsed() > LATE_LINES_FOR {
            file.finish(lines);
            self.old = None;
        }
        Ok(())
    }

    /// At the end of the current file: goes to the one that came after it, when there is one. Several rotations may lie between two looks.
    fn rotate(&mut self, lines: &mut Vec<Vec<u8>>) -> io::Result<bool> {
        let Some(current) = &self.current else {
            return Ok(false);
        };
        if fs::metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == current.identity()) {
            return Ok(false);
        }
        let left = current.identity();
        // Opened first: whatever came between has left the name by then, so that no file can slip through between two looks at the name.
        // A name that nobody has hides nothing either: what was rotated away since is there under its new name.
        let named = match LogFile::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other?),
        };
        let Some(next) = rotated::between(&self.path, current, named.as_ref(), &self.read).or(named) else {
            return Ok(false);
        };
        if let Some((mut older, _)) = self.old.take() {
            self.drain(&mut older, lines)?;
        }
        self.read.push_back(left);
        if self.read.len() > READ_MAX {
            self.read.pop_front();
        }
        self.old = self.current.replace(next).map(|file| (file, Instant::now()));
        Ok(true)
    }

    /// Reads what is left of a file that nobody will ask for again.
    fn drain(&self, file: &mut LogFile, lines: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let mut cut = 0;
        while file.read(lines, usize::MAX, &mut cut)? != Progress::AtEnd {}
        self.health.lines_cut.fetch_add(cut, Ordering::Relaxed);
        file.finish(lines);
        Ok(())
    }
}
