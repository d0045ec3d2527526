//! The spool: what happened, on disk, until the correlator has it.
//!
//! An append-only log in segment files. It owns the sequence numbers (from 1, without gaps, within an *epoch*: the life of one
//! spool directory) and every fact that must not part from the events: what was given up, how far the logs were read, how far
//! events may have been sent. They are records of the same stream, so one fsync makes them durable together.
//!
//! ```text
//! append -> buffer --commit (write, fsync)--> durable -> page (to the uplink) -> acked -> segment deleted
//!                                                \-- over the cap: lowest class of the oldest segments -> shed
//! ```
//!
//! Invariants: only durable events leave; an event that may have been sent is never shed; every number up to `last_seq` is an
//! event or part of a shed run; a segment goes only after what it settles is durable elsewhere. Bounded by [`Config::bytes_max`] on
//! disk and by one segment in memory.

mod count;
mod encode;
pub(crate) mod owner;
mod record;
mod recover;
mod segment;
mod shed;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use bongsu_proto::v1;
use bytes::Bytes;

pub(crate) use count::{Class, Counts, Reason};
use record::{Record, Run};
use segment::{Active, Segment, Snapshot};

/// How much disk the spool may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Where the segments lie.
    pub(crate) dir: PathBuf,
    /// Above this, events are shed.
    pub(crate) bytes_max: u64,
    /// A segment is closed when it is as large as this.
    pub(crate) segment_bytes: u64,
}

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// A file operation failed.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A segment of the spool was made by something else.
    #[error("{path} is not a spool segment of epoch {epoch}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The epoch of the other segments.
        epoch: u64,
    },
    /// A segment changed under us, or the disk lies. Opening the spool again counts what is lost.
    #[error("{path} is damaged at byte {offset}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
    },
    /// The correlator has events of this epoch that the spool never had: the spool was replaced by an older copy.
    #[error(
        "the correlator has events up to {stored} and the spool ends at {last}: an older copy of it was restored. Delete {dir} to start a new epoch"
    )]
    Behind {
        /// What the correlator has.
        stored: u64,
        /// What the spool has.
        last: u64,
        /// The spool.
        dir: PathBuf,
    },
}

pub(crate) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| SpoolError::Io { what, path, source }
}

/// What can be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// An encoded event.
    Event(Class, Vec<u8>),
    /// An event that was lost before it could be spooled; it gets a number, so that the ledger shows it.
    Lost(Class, Reason),
    /// A value to keep beside the events; a later one of the same key replaces it.
    Mark(Vec<u8>, Vec<u8>),
}

/// Events on their way out, numbered without gaps from `first_seq` when the shed runs are counted in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Page {
    /// The first number it covers.
    pub(crate) first_seq: u64,
    /// The encoded events, as they lie in what was read of the segments.
    pub(crate) events: Vec<Bytes>,
    /// The number of each event.
    pub(crate) numbers: Vec<u64>,
    /// The numbers between them that were given up.
    pub(crate) shed: Vec<v1::Range>,
    /// The first number after it.
    pub(crate) next_seq: u64,
}

/// Bounds of a [`Page`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageMax {
    /// Events.
    pub(crate) events: usize,
    /// Bytes of events.
    pub(crate) bytes: usize,
}

/// Where every number went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Account {
    /// The last number given out.
    pub(crate) last_seq: u64,
    /// Numbers up to here are known to be stored, less the shed ones.
    pub(crate) acked: u64,
    /// Events that wait here.
    pub(crate) spooled: u64,
    /// Events of this epoch that are stored, as far as we know.
    pub(crate) stored: u64,
    /// Events given up, by class and reason.
    pub(crate) shed: Counts,
    /// The oldest shed runs that are not acknowledged: first number, last number, what was in them.
    pub(crate) runs: Vec<(u64, u64, Counts)>,
    /// Records cut off at the end of the log when the spool was opened, in bytes: writes that never became durable.
    pub(crate) torn_bytes: u64,
    /// Bytes on disk.
    pub(crate) bytes: u64,
}

/// The spool. Not shared: [`owner`] is the one thread that has it.
#[derive(Debug)]
pub(crate) struct Spool {
    config: Config,
    epoch: u64,
    /// Oldest first; the active one is not among them.
    sealed: Vec<Segment>,
    active: Active,
    last_seq: u64,
    acked: u64,
    /// Events up to here may have been sent, so they are not shed.
    sent: u64,
    /// What was shed in segments that are gone.
    settled: Counts,
    marks: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Lost, and not yet written down because the disk refused.
    unwritten: Option<Run>,
    /// Events of this class and below are shed before they are written, until there is room again.
    door: Option<Class>,
    cursor: Option<segment::Cursor>,
    torn_bytes: u64,
}

/// How far beyond a sent batch events are taken as sent already, so that saying so costs one write in many batches.
const SENT_AHEAD: u64 = 16_384;

impl Spool {
    /// Opens the spool of the directory, or makes one. Cuts off what never became durable.
    pub(crate) fn open(config: Config) -> Result<Self, SpoolError> {
        fs::create_dir_all(&config.dir).map_err(io_error("make the spool directory", &config.dir))?;
        let found = recover::recover(&config.dir)?;
        let epoch = found.epoch.unwrap_or_else(now_seconds);
        let snapshot = Snapshot {
            settled_up_to: found.settled_up_to,
            settled: &found.settled,
            sent: found.sent,
            marks: &found.marks,
        };
        let active = Active::create(&config.dir, epoch, found.last_seq + 1, &snapshot)?;
        Ok(Self {
            config,
            epoch,
            sealed: found.segments,
            active,
            last_seq: found.last_seq,
            acked: found.settled_up_to,
            sent: found.sent,
            settled: found.settled,
            marks: found.marks,
            unwritten: None,
            door: None,
            cursor: None,
            torn_bytes: found.torn_bytes,
        })
    }

    /// Which life of the spool this is: Unix time in seconds at which it was made.
    #[must_use]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The value kept under a key.
    #[must_use]
    pub(crate) fn marks(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.marks
    }

    /// Takes an entry in; durable after [`Spool::commit`].
    pub(crate) fn append(&mut self, entry: Entry) {
        self.write_down_lost();
        match entry {
            Entry::Event(class, _) if self.door.is_some_and(|door| class <= door) => self.lose(class, Reason::Cap),
            Entry::Event(class, bytes) => {
                self.last_seq += 1;
                self.active.push(&Record::Event { seq: self.last_seq, class, bytes: &bytes });
            }
            Entry::Lost(class, reason) => self.lose(class, reason),
            Entry::Mark(key, value) => {
                self.active.push(&Record::Mark { key: &key, value: &value });
                self.marks.insert(key, value);
            }
        }
    }

    fn lose(&mut self, class: Class, reason: Reason) {
        self.last_seq += 1;
        self.active.push_run(Run::one(self.last_seq, class, reason));
    }

    fn write_down_lost(&mut self) {
        if let Some(run) = self.unwritten.take() {
            self.active.push_run(run);
        }
    }

    fn bytes(&self) -> u64 {
        self.active.bytes() + self.sealed.iter().map(|segment| segment.bytes).sum::<u64>()
    }

    /// How many bytes wait for [`Spool::commit`].
    #[must_use]
    pub(crate) fn uncommitted_bytes(&self) -> usize {
        self.active.uncommitted_bytes()
    }

    /// Makes everything appended durable; keeps the spool within its cap.
    ///
    /// When the disk refuses, the events that were waiting are counted as shed, and that is written down as soon as the disk takes
    /// it. Returns the error so that it can be told.
    pub(crate) fn commit(&mut self) -> Result<(), SpoolError> {
        self.write_down_lost();
        if let Err(error) = self.active.commit() {
            let lost = self.active.give_up(self.last_seq);
            self.unwritten = lost;
            return Err(error);
        }
        if self.active.bytes() >= self.config.segment_bytes {
            self.roll()?;
        }
        self.keep_within_cap()
    }

    /// The last number that is durable.
    #[must_use]
    pub(crate) fn durable_seq(&self) -> u64 {
        self.active.durable_seq()
    }

    /// Closes the active segment and begins another.
    fn roll(&mut self) -> Result<(), SpoolError> {
        if self.active.is_empty() {
            return Ok(());
        }
        let snapshot = Snapshot {
            settled_up_to: self.settled_up_to(),
            settled: &self.settled,
            sent: self.sent,
            marks: &self.marks,
        };
        let next = Active::create(&self.config.dir, self.epoch, self.active.durable_seq() + 1, &snapshot)?;
        let full = std::mem::replace(&mut self.active, next);
        self.sealed.push(full.seal());
        Ok(())
    }

    /// The last number before the oldest segment.
    fn settled_up_to(&self) -> u64 {
        self.sealed.first().map_or(self.active.first_seq(), |segment| segment.first_seq) - 1
    }

    /// Durable events from number `from` on.
    pub(crate) fn page(&mut self, from: u64, max: PageMax) -> Result<Page, SpoolError> {
        let mut page = Page { first_seq: from, next_seq: from, ..Page::default() };
        while page.next_seq <= self.durable_seq() {
            let segment = self.sealed.iter().find(|segment| segment.last_seq >= page.next_seq);
            let view = segment.map_or_else(|| self.active.view(), Segment::view);
            let before = page.next_seq;
            let cursor = self.cursor.take().filter(|cursor| cursor.is_at(view.first_seq, page.next_seq));
            let mut cursor = match cursor {
                Some(cursor) => cursor,
                None => segment::Cursor::start_of(&view),
            };
            let full = cursor.fill(&mut page, &view, max)?;
            self.cursor = Some(cursor);
            if full || page.next_seq == before {
                break;
            }
        }
        Ok(page)
    }

    /// To be called, and to have returned, before numbers up to `up_to` are sent.
    pub(crate) fn sending(&mut self, up_to: u64) -> Result<(), SpoolError> {
        if up_to <= self.sent {
            return Ok(());
        }
        self.sent = up_to + SENT_AHEAD;
        self.active.push(&Record::Sent { up_to: self.sent });
        self.commit()
    }

    /// The correlator has everything up to `up_to`: frees it.
    pub(crate) fn acked(&mut self, up_to: u64) -> Result<(), SpoolError> {
        if up_to > self.last_seq {
            let dir = self.config.dir.clone();
            return Err(SpoolError::Behind { stored: up_to, last: self.last_seq, dir });
        }
        self.acked = self.acked.max(up_to);
        let free = self.sealed.iter().take_while(|segment| segment.last_seq <= self.acked).count();
        if free == 0 {
            return Ok(());
        }
        let freed: Vec<Segment> = self.sealed.drain(..free).collect();
        for segment in &freed {
            self.settled.add(&segment.shed);
        }
        let up_to = self.settled_up_to();
        self.active.push(&Record::Settled { up_to, counts: self.settled.clone() });
        self.active.commit()?;
        freed.iter().try_for_each(Segment::delete)
    }

    /// Where every number went, as of the last commit.
    pub(crate) fn account(&self) -> Result<Account, SpoolError> {
        let mut account = Account { acked: self.acked, shed: self.settled.clone(), ..Account::default() };
        account.torn_bytes = self.torn_bytes;
        account.bytes = self.bytes();
        account.last_seq = self.durable_seq();
        let mut spooled = 0;
        for view in self.sealed.iter().map(Segment::view).chain([self.active.view()]) {
            account.shed.add(view.shed);
            spooled += view.events;
            if view.first_seq <= self.acked {
                // Partly acknowledged: what is stored of it no longer waits.
                let up_to = self.acked.min(view.last_seq);
                let numbers = (up_to + 1).saturating_sub(view.first_seq);
                spooled -= numbers - segment::shed_up_to(&view, up_to)?;
            }
            let room = bongsu_proto::limits::LEDGER_RANGES_MAX - account.runs.len();
            let unacked = view.runs.iter().filter(|run| run.last > self.acked);
            account.runs.extend(unacked.take(room).map(|run| (run.first, run.last, run.counts.clone())));
        }
        if let Some(run) = &self.unwritten {
            account.last_seq = run.last;
            account.shed.add(&run.counts);
        }
        account.spooled = spooled;
        account.stored = self.acked - self.shed_in_acked()?;
        Ok(account)
    }

    fn shed_in_acked(&self) -> Result<u64, SpoolError> {
        let mut shed = self.settled.total();
        for view in self.sealed.iter().map(Segment::view).chain([self.active.view()]) {
            if view.first_seq <= self.acked {
                shed += segment::shed_up_to(&view, self.acked)?;
            }
        }
        Ok(shed)
    }
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}
