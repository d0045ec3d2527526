//! The pulse: every [`EVERY`] the sensor does what its hooks watch, and looks whether each of them noticed.
//!
//! A hook can lose its programs behind our back: links can be closed in our process, kprobes turned off for the whole host. Nothing tells;
//! the hook just says no more, like one with nothing to say. So a thread of ours makes calls that fail, and the programs count when
//! they meet it (they leave it out of the events, as all of the sensor). Learned at the start is how many answers each call gets; a call that
//! gets fewer, three times in a row, has lost a hook.
//!
//! What the pulse cannot reach ([`exercise`]), or did not reach even at the start, is not exercised: of that nothing is known.

mod exercise;
#[cfg(test)]
mod tests;
mod touch;

use std::{
    ffi::CStr,
    io,
    path::Path,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd as _, OwnedFd},
    io::Errno,
};
use tokio::sync::watch;

use super::{Hook, StartError, library::Moved};
pub(crate) use exercise::calls;
use exercise::{Exercise, Ground};

/// Silence is known within this and the moment that a pulse takes.
const EVERY: Duration = Duration::from_secs(30);
/// A program that is interrupted by another may be passed over by the kernel.
const TRIES: usize = 3;
/// The kernel's own name for the thread.
const THREAD_NAME: &CStr = c"probe-pulse";
/// The rung of a hook that does not notice any more.
pub(crate) const SILENT: &str = "silent";

/// Calls named in the detail of a silent hook.
const NAMED_MAX: usize = 4;
/// In the detail of a hook of which the pulse cannot tell.
const NOT_EXERCISED: &str = "not exercised by the pulse";

/// An exercise and how many programs answered it at the start.
struct Lesson {
    exercise: Exercise,
    answers: u64,
}

/// Owned by its thread.
pub(super) struct Pulse {
    /// Whom the programs listen for, and how often they heard it.
    kernel: Array<MapData, [u64; 2]>,
    ground: Ground,
    /// As they were attached.
    hooks: Vec<Hook>,
    lessons: Vec<Lesson>,
    told: watch::Sender<Vec<Hook>>,
    /// What other files than at the start are watched by.
    moved: Moved,
    stop: Arc<OwnedFd>,
}

impl Pulse {
    /// Takes the map out of the object.
    pub(super) fn take(
        ebpf: &mut Ebpf,
        hooks: Vec<Hook>,
        folder: Option<&Path>,
        stop: Arc<OwnedFd>,
    ) -> Result<(Self, watch::Receiver<Vec<Hook>>), StartError> {
        let map = ebpf.take_map("PULSE").ok_or_else(|| StartError::Foreign("no map PULSE".to_owned()))?;
        let kernel = Array::try_from(map).map_err(|error| StartError::Foreign(format!("map PULSE: {error}")))?;
        let ground = Ground::new(folder).map_err(StartError::system("prepare the ground for the pulse"))?;
        let (told, hears) = watch::channel(hooks.clone());
        let (lessons, moved) = (Vec::new(), Moved::default());
        Ok((Self { kernel, ground, hooks, lessons, told, moved, stop }, hears))
    }

    /// For who moves hooks to other files.
    pub(super) fn told(&self) -> (watch::Sender<Vec<Hook>>, Moved) {
        (self.told.clone(), self.moved.clone())
    }

    /// Where its own listener is.
    pub(super) fn port(&self) -> io::Result<u16> {
        self.ground.port()
    }

    /// In a thread of its own. Returns when it has learned what to expect, which takes milliseconds.
    pub(super) fn spawn(self) -> io::Result<()> {
        let name = THREAD_NAME.to_string_lossy().into_owned();
        let (learned, learning) = sync_channel(1);
        thread::Builder::new().name(name).spawn(move || self.run(learned))?;
        // Whether it learned or gave up.
        let (Ok(()) | Err(_)) = learning.recv();
        Ok(())
    }

    fn run(mut self, learned: SyncSender<()>) {
        let thread = u64::from(nix::unistd::gettid().as_raw().unsigned_abs());
        if let Err(error) = self.kernel.set(0, [thread, 0], 0) {
            return tracing::warn!(%error, "no pulse: hooks that fall silent are not noticed");
        }
        self.learn();
        drop(learned);
        loop {
            match self.stopped_within(EVERY) {
                Ok(true) => return,
                Ok(false) => self.beat(),
                Err(error) => return tracing::warn!(%error, "the pulse ended: hooks that fall silent are not noticed"),
            }
        }
    }

    /// Whether it is time to end, and not to go on.
    fn stopped_within(&self, time: Duration) -> Result<bool, Errno> {
        let timeout = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        let mut watched = [PollFd::from_borrowed_fd(self.stop.as_fd(), PollFlags::IN)];
        match poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(watched[0].revents().contains(PollFlags::IN)),
            Err(error) => Err(error),
        }
    }

    /// How many programs answer what, when all are in their places.
    fn learn(&mut self) {
        let mut exercises: Vec<Exercise> = Vec::new();
        for exercise in self.hooks.iter().flat_map(|hook| &hook.points).filter_map(|point| Exercise::of(point)) {
            if !exercises.contains(&exercise) {
                exercises.push(exercise);
            }
        }
        let learned = exercises.into_iter().map(|exercise| Lesson { exercise, answers: self.answers(exercise) });
        self.lessons = learned.filter(|lesson| lesson.answers > 0).collect();
        let known: Vec<Exercise> = self.lessons.iter().map(|lesson| lesson.exercise).collect();
        let mut unknown = Vec::new();
        for hook in self.hooks.iter_mut().filter(|hook| !hook.points.is_empty() && !exercised(hook, &known)) {
            unknown.push(hook.name.clone());
            not_exercised(hook);
        }
        self.told.send_replace(self.hooks.clone());
        tracing::info!(
            not_exercised = unknown.join(" "),
            "hooks that fall silent are noticed, but for those not exercised"
        );
    }

    /// The fewest of a few tries that could be made: what can be counted on.
    fn answers(&self, exercise: Exercise) -> u64 {
        let heard = (0..TRIES).filter_map(|_| self.heard(exercise)).min().unwrap_or(0);
        // Making a thread is several calls, not the same ones each time.
        if exercise == Exercise::Thread { heard.min(1) } else { heard }
    }

    /// `None` when it could not be done, of which nothing follows.
    fn heard(&self, exercise: Exercise) -> Option<u64> {
        let counted = || self.kernel.get(&0, 0).ok().map(|[_, heard]| heard);
        match self.ground.heard(exercise, counted) {
            Ok(heard) => Some(heard),
            Err(error) => {
                tracing::debug!(?exercise, %error, "a part of the pulse could not be done");
                None
            }
        }
    }

    fn beat(&self) {
        let is_silent = |lesson: &&Lesson| {
            (0..TRIES).all(|_| self.heard(lesson.exercise).is_some_and(|heard| heard < lesson.answers))
        };
        let silent: Vec<Exercise> = self.lessons.iter().filter(is_silent).map(|lesson| lesson.exercise).collect();
        let mut now = judged(&self.hooks, &silent);
        self.told.send_if_modified(|told| {
            self.moved.over(&mut now);
            for (hook, before) in now.iter().zip(&*told).filter(|(hook, before)| hook != before) {
                if hook.rung == SILENT {
                    tracing::warn!(
                        hook = hook.name,
                        detail = hook.detail,
                        "a hook does not notice what it should: blind here"
                    );
                } else {
                    tracing::info!(hook = hook.name, was = before.detail, "a hook notices again");
                }
            }
            let changed = *told != now;
            *told = now;
            changed
        });
    }
}

/// Has a hook that stands somewhere say that the pulse does not reach it.
pub(super) fn not_exercised(hook: &mut Hook) {
    if !hook.points.is_empty() {
        let comma = if hook.detail.is_empty() { "" } else { "; " };
        hook.detail = format!("{}{comma}{NOT_EXERCISED}", hook.detail);
    }
}

/// Whether anything that the hook is attached to is exercised.
fn exercised(hook: &Hook, known: &[Exercise]) -> bool {
    hook.points.iter().any(|point| Exercise::of(point).is_some_and(|exercise| known.contains(&exercise)))
}

/// The hooks as they stand when these exercises are not answered.
fn judged(hooks: &[Hook], silent: &[Exercise]) -> Vec<Hook> {
    let judge = |hook: &Hook| {
        let passed = |point: &&&str| Exercise::of(point).is_some_and(|exercise| silent.contains(&exercise));
        let deaf: Vec<&str> = hook.points.iter().filter(passed).copied().collect();
        if deaf.is_empty() {
            return hook.clone();
        }
        // The greeting has room for few words, and the first of many calls says it.
        let more = if deaf.len() > NAMED_MAX { " and others" } else { "" };
        let named = deaf[..deaf.len().min(NAMED_MAX)].join(", ");
        let detail = format!("does not notice {named}{more} any more");
        Hook { rung: SILENT.to_owned(), detail, ..hook.clone() }
    };
    hooks.iter().map(judge).collect()
}
