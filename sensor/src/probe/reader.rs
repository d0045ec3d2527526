//! The reader: one thread that empties the rings, puts their records into one order and sends events.
//!
//! The rings are separate so that files cannot push out processes; the price is that a file's record can be read before the record of
//! the exec that explains it. The order is restored by the clock: in each round the other ring is read first and the process ring after it,
//! so whatever caused a record of the other ring has been read by then; records are handed on sorted by time, and only those older than
//! a *horizon*, which lies [`HOLD_NS`] before the round began: within that time a program on another CPU may still be writing a record whose
//! time it took earlier.

use std::{sync::Arc, time::Duration};

use aya::Ebpf;
use bongsu_event::Event;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, OwnedFd},
    io::Errno,
};
use tokio::sync::mpsc;

use super::{
    batch::Batch, counters::Ledger, library::Libraries, ring::Rings, sensitive::Sensitive, suppression::Suppression,
};
use crate::{
    decode::{Action, Decoded},
    enrich::{Enricher, clock::since_boot_ns},
};

/// Records taken from one ring in one round at most, which bounds the memory of a round.
const ROUND_MAX: usize = 4096;

/// How long a record waits for one that was written later but happened earlier.
const HOLD_NS: u64 = 1_000_000;

/// Between two rounds while there is something to do. Waking once for many records is what makes them cheap, here and in all that follows
/// (each round ends in an fsync); the rings hold what the fastest storm writes in a hundred times as long.
const PACE: Duration = Duration::from_millis(10);

/// With nothing to do, the thread sleeps until a ring has something, or this long: users, images and sensitive paths are looked after.
const IDLE: Duration = Duration::from_secs(1);

/// Everything that hangs on the rings. Owned by its thread.
pub(super) struct Reader {
    /// Keeps the programs attached.
    ebpf: Option<Ebpf>,
    rings: Rings,
    ledger: Arc<Ledger>,
    sensitive: Sensitive,
    suppression: Suppression,
    libraries: Libraries,
    enricher: Enricher,
    sender: mpsc::Sender<Vec<Event>>,
    stop: Arc<OwnedFd>,
    /// In the order in which they were read.
    waiting: Vec<Decoded>,
}

/// Why the thread ends.
enum End {
    /// It was told to.
    Stopped,
    /// Nobody receives.
    Unheard,
}

impl Reader {
    pub(super) fn new(
        ebpf: Ebpf,
        rings: Rings,
        ledger: Arc<Ledger>,
        (sensitive, suppression, libraries): (Sensitive, Suppression, Libraries),
        enricher: Enricher,
        sender: mpsc::Sender<Vec<Event>>,
        stop: Arc<OwnedFd>,
    ) -> Self {
        Self {
            ebpf: Some(ebpf),
            rings,
            ledger,
            sensitive,
            suppression,
            libraries,
            enricher,
            sender,
            stop,
            waiting: Vec::new(),
        }
    }

    /// Runs until it is stopped or nobody receives any more.
    pub(super) fn run(mut self) {
        match self.rounds() {
            Ok(End::Stopped) => {
                // Dropping the object detaches the programs; the rings live on and hold what was written until now.
                self.ebpf = None;
                if let Ok(()) | Err(End::Stopped) = self.drain() {
                    tracing::debug!("probes stopped");
                }
            }
            Ok(End::Unheard) => tracing::debug!("probes stopped: nobody receives"),
            Err(error) => tracing::error!(%error, "probes stopped: cannot wait for the rings"),
        }
    }

    fn rounds(&mut self) -> Result<End, Errno> {
        loop {
            self.enricher.refresh();
            self.sensitive.refresh();
            if let Some(ebpf) = &mut self.ebpf {
                self.libraries.refresh(ebpf);
            }
            let horizon = since_boot_ns().saturating_sub(HOLD_NS);
            let Round { empty, complete_to } = self.read();
            if let Err(end) = self.send(horizon.min(complete_to)) {
                return Ok(end);
            }
            let busy = !empty || !self.waiting.is_empty();
            if self.wait(busy, empty)? {
                return Ok(End::Stopped);
            }
        }
    }

    /// Takes what the rings hold, within the bound of a round.
    fn read(&mut self) -> Round {
        let Self { rings, waiting, enricher, suppression, .. } = self;
        rings.tend();
        let mut take = |decoded: Decoded| {
            match decoded.action {
                Action::Noisy(family) => return suppression.announced(decoded.task, family, decoded.time_ns),
                Action::Exit { .. } => {
                    suppression.ended(decoded.task, decoded.time_ns, &mut |left| waiting.push(left));
                }
                _ => enricher.keep_image(&decoded),
            }
            waiting.push(decoded);
        };
        let mut latest = 0;
        let other_empty = rings.other.drain(ROUND_MAX, &mut |decoded: Decoded| {
            latest = latest.max(decoded.time_ns);
            take(decoded);
        });
        // What explains the other ring's records must be read, however many: all that was in the ring when this began.
        let process_empty = rings.process.drain(usize::MAX, &mut take);
        if other_empty && process_empty {
            self.ledger.settle(&self.rings);
            self.suppression.look(since_boot_ns(), &mut |left| self.waiting.push(left));
        }
        // What a process did must not come after its exit: of a ring that still holds something nothing later than its last record is known.
        let complete_to = if other_empty { u64::MAX } else { latest.saturating_sub(HOLD_NS) };
        Round { empty: other_empty && process_empty, complete_to }
    }

    /// Hands on what is older than the horizon.
    fn send(&mut self, horizon: u64) -> Result<(), End> {
        // Stable: of two with the same time the one that was read first comes first. Nearly in order already, which the sort likes.
        self.waiting.sort_by_key(|decoded| decoded.time_ns);
        let ripe = self.waiting.partition_point(|decoded| decoded.time_ns <= horizon);
        let mut batch = Batch::default();
        for decoded in self.waiting.drain(..ripe) {
            if !self.sensitive.admits(&decoded.action) {
                continue;
            }
            let Some(event) = self.enricher.enrich(decoded) else { continue };
            self.sensitive.follow(&event.activity);
            self.libraries.follow(&event.activity);
            if let Some(full) = batch.push(event) {
                hand_over(&self.sender, full)?;
            }
        }
        // A storm has passed: its room need not stay.
        self.waiting.shrink_to(ROUND_MAX);
        batch.rest().map_or(Ok(()), |rest| hand_over(&self.sender, rest))
    }

    /// Waits for work. Says whether to stop.
    fn wait(&self, busy: bool, empty: bool) -> Result<bool, Errno> {
        let timeout = if !empty {
            Duration::ZERO
        } else if busy {
            PACE
        } else {
            IDLE
        };
        let timeout = Timespec { tv_sec: timeout.as_secs().cast_signed(), tv_nsec: timeout.subsec_nanos().into() };
        let mut watched = [self.stop.as_fd(), self.rings.urgent(), self.rings.process.fd(), self.rings.other.fd()]
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        // While busy the two rings are not watched: they nearly always have something, and the pace would be lost.
        let count = if busy { 2 } else { watched.len() };
        match poll(&mut watched[..count], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(watched[0].revents().contains(PollFlags::IN)),
            Err(error) => Err(error),
        }
    }

    /// Everything there still is.
    fn drain(&mut self) -> Result<(), End> {
        loop {
            let Round { empty, complete_to } = self.read();
            if empty {
                break;
            }
            self.send(complete_to)?;
        }
        self.suppression.finish(since_boot_ns(), &mut |left| self.waiting.push(left));
        self.send(u64::MAX)
    }
}

/// What one look at the rings came to.
struct Round {
    /// Whether both are empty now.
    empty: bool,
    /// All records up to that time have been read; in nanoseconds since boot.
    complete_to: u64,
}

/// A full channel makes this wait; the rings absorb.
fn hand_over(sender: &mpsc::Sender<Vec<Event>>, batch: Vec<Event>) -> Result<(), End> {
    sender.blocking_send(batch).map_err(|_closed| End::Unheard)
}
