//! Who watches while a bench makes something happen: the sensor, and the programs that Debian ships for the same purpose.
//!
//! Each is started, says when it sees something, is measured while it watches, and tells in the end what it saw. What it counts as lost is
//! asked in the way its own users would.

pub mod auditd;
pub mod sensor;
pub mod tracer;

use std::{thread, time::Duration};

use anyhow::Result;

use crate::usage::Usage;

/// Something that watches. Dropping it ends it.
pub trait Watcher {
    /// The processes whose time is its cost: the program, and its thread in the kernel when it has one.
    fn pids(&self) -> Vec<u32>;

    /// Ends it and says what it saw.
    ///
    /// # Errors
    /// When it cannot be ended, or what it wrote cannot be read.
    fn end(self: Box<Self>) -> Result<Seen>;
}

/// What a watcher saw in its life.
pub struct Seen {
    /// What it wrote, to be searched for what was done.
    pub text: Text,
    /// What it counted as lost; `None` when it does not count.
    pub lost: Option<u64>,
}

/// Where what was seen stands.
pub enum Text {
    /// Here, each thing in a word of its own.
    Words(String),
    /// In a store that is asked later.
    Stored,
}

/// What the watcher cost so far.
///
/// # Errors
/// When it has ended.
pub fn usage(watcher: &dyn Watcher) -> Result<Usage> {
    watcher.pids().into_iter().try_fold(Usage::default(), |sum, pid| Ok(sum.and(Usage::of(pid)?)))
}

/// What it cost once it has nothing more to do: when its time stands still, or at the end of a while.
///
/// # Errors
/// When it has ended.
pub fn settled_usage(watcher: &dyn Watcher) -> Result<Usage> {
    const LOOK_EVERY: Duration = Duration::from_millis(150);
    const LOOKS_MAX: u32 = 60;
    /// So many looks with nothing new: two flushes of a program that writes once a second lie further apart.
    const STILL: u32 = 3;
    let (mut last, mut still) = (usage(watcher)?, 0);
    for _ in 0..LOOKS_MAX {
        thread::sleep(LOOK_EVERY);
        let now = usage(watcher)?;
        still = if now.user + now.system == last.user + last.system { still + 1 } else { 0 };
        last = now;
        if still == STILL {
            break;
        }
    }
    Ok(last)
}
