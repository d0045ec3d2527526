//! The tail: follows log files through rotation and restart, and turns their lines into events.
//!
//! It owns the positions in the files. They go into the spool in the same commit as the events of the lines before them, so a crash
//! loses no line and doubles none. What it cannot see is counted ([`Health::log_gaps`]): a file truncated in place (copytruncate) loses
//! what was written between the copy and the truncation, for everybody.
//!
//! inotify on the directories says when to look; a look every second makes up for what inotify does not tell (network file systems,
//! a directory that appears later). Bounded: [`ROUND_LINES_MAX`] lines in hand, and one partial line for each file.

mod file;
mod follow;
mod lines;
pub(crate) mod parse;
mod position;
mod rotated;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bongsu_event::{Event, Timestamp};
use futures::{Stream, StreamExt as _, stream};
use inotify::{Inotify, WatchMask};
use jiff::tz::TimeZone;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{app::Intake, health::Health};
use follow::Follower;
use position::Positions;

/// Lines taken from one file before the others get their turn.
const ROUND_LINES_MAX: usize = 1_000;
const LOOK_EVERY: Duration = Duration::from_secs(1);
const MARK_PREFIX: &[u8] = b"log:";

/// Follows logs.
#[derive(Debug)]
pub(crate) struct Tail {
    followers: Vec<Follower>,
    health: Arc<Health>,
    zone: TimeZone,
}

/// Why the logs cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TailError {
    /// inotify is not there.
    #[error("cannot watch the directories of the logs")]
    Inotify(#[source] io::Error),
    /// A position in the spool is not one.
    #[error("the saved position of {path} is damaged")]
    Position {
        /// The log.
        path: PathBuf,
        /// How.
        #[source]
        source: serde_json::Error,
    },
}

impl Tail {
    /// Follows `logs` from the positions kept in the spool; a log without one from its end, or from its beginning when it appears later.
    pub(crate) fn new(
        logs: Vec<PathBuf>,
        marks: &BTreeMap<Vec<u8>, Vec<u8>>,
        health: Arc<Health>,
    ) -> Result<Self, TailError> {
        let follower = |path: PathBuf| -> Result<Follower, TailError> {
            let saved = marks.get(&mark_key(&path)).map(|mark| serde_json::from_slice::<Positions>(mark));
            let saved = saved.transpose().map_err(|source| TailError::Position { path: path.clone(), source })?;
            Ok(Follower::new(path, saved, Arc::clone(&health)))
        };
        let followers = logs.into_iter().map(follower).collect::<Result<_, _>>()?;
        Ok(Self { followers, health, zone: TimeZone::system() })
    }

    /// Follows until `stop`; what was written before it is read.
    pub(crate) async fn run(mut self, mut intake: Intake, stop: CancellationToken) -> anyhow::Result<()> {
        let mut wake = std::pin::pin!(self.watch()?);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let stopping = stop.is_cancelled();
            while self.round(&mut intake).await? {}
            if stopping {
                return Ok(());
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = look.tick() => {}
                event = wake.next() => if let Some(Err(error)) = event {
                    // The look every second goes on.
                    tracing::warn!(%error, "inotify failed");
                },
            }
        }
    }

    fn watch(&self) -> Result<impl Stream<Item = io::Result<()>> + use<>, TailError> {
        let inotify = Inotify::init().map_err(TailError::Inotify)?;
        let mask = WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::MOVED_FROM;
        let directories: BTreeSet<&Path> =
            self.followers.iter().filter_map(|follower| follower.path().parent()).collect();
        for directory in directories {
            if let Err(error) = inotify.watches().add(directory, mask) {
                tracing::warn!(%error, directory = %directory.display(), "cannot watch; looking every second instead");
            }
        }
        let events = inotify.into_event_stream(vec![0; 4096]).map_err(TailError::Inotify)?;
        // A stream that ended would wake for ever; a silent one does not.
        Ok(events.map(|event| event.map(|_| ())).chain(stream::pending()))
    }

    /// Looks at every log once; true when there may be more.
    async fn round(&mut self, intake: &mut Intake) -> anyhow::Result<bool> {
        let mut more = false;
        for follower in &mut self.followers {
            let look = follower.look(ROUND_LINES_MAX);
            more |= look.lines.len() >= ROUND_LINES_MAX;
            self.health.lines.fetch_add(look.lines.len() as u64, Ordering::Relaxed);
            let now = now();
            let path = follower.path().as_os_str().as_bytes();
            let event = |line| parse::event(path, line, now, &self.zone);
            let events: Vec<Event> = look.lines.into_iter().map(event).collect();
            if let Some(positions) = look.moved {
                let mark = serde_json::to_vec(&positions)?;
                intake.take(events, vec![(mark_key(follower.path()), mark)]).await?;
            }
        }
        Ok(more)
    }
}

fn mark_key(path: &Path) -> Vec<u8> {
    [MARK_PREFIX, path.as_os_str().as_bytes()].concat()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
