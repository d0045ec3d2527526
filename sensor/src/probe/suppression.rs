//! Telling what processes had left out because they made too much of it.
//!
//! The kernel programs count what they leave out twice: with the process, where an entry may be forgotten when there are too many, and per
//! family, which is exact. They send a word when a burst begins; from then on the process is looked at each [`EVERY`], and what was left out
//! is told when the burst has ended, when it lasts ([`LASTS`]), and when the process ends. Of processes never more is told than the
//! family's sum; what is left of that for a while belongs to processes that were forgotten, and is told as nobody's. So all that is told of
//! a family adds up to what was left out of it.

use std::sync::Arc;

use ahash::AHashMap;
use aya::{
    Ebpf,
    maps::{HashMap, MapData},
};
use bongsu_sensor_abi::{BURST_GAP_NS, FAMILIES, Family, Record as _, SPENDERS_MAX, Spender, Spent, TaskRef, User};

use super::{StartError, counters::Ledger};
use crate::decode::{Action, Decoded, LeftOut};

const SECOND_NS: u64 = 1_000_000_000;
/// How often the noisy ones are looked at.
const EVERY: u64 = SECOND_NS;
/// A burst that lasts is told in pieces of this length.
const LASTS: u64 = 10 * SECOND_NS;
/// One that was quiet for so long is not looked at any more. Longer than the gap that ends a burst, after which its next one is announced.
const QUIET: u64 = 10 * SECOND_NS;
/// What nobody is found for is held back for so many looks: the word of a process may be on its way.
const HELD_BACK: u32 = 5;

const _: () = assert!(QUIET > BURST_GAP_NS + EVERY);

const SPENDER: usize = size_of::<Spender>();
const SPENT: usize = size_of::<Spent>();

/// What was told of a noisy process.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// Of these, since the kernel's entry was made.
    count: u64,
    /// The entry that is meant.
    made_ns: u64,
    /// What was left out until then was told.
    until_ns: u64,
    /// When something was told, or the first word came.
    at_ns: u64,
}

/// A family's sum that no process accounts for.
#[derive(Debug, Clone, Copy, Default)]
struct Unaccounted {
    /// The least it was at each look since it is there.
    least: u64,
    looks: u32,
    since_ns: u64,
}

/// Where the kernel's counts are, and what was told of them.
pub(super) struct Suppression {
    spent: HashMap<MapData, [u8; SPENDER], [u8; SPENT]>,
    ledger: Arc<Ledger>,
    noisy: AHashMap<Spender, Told>,
    /// By family, all that was ever told.
    told: [u64; FAMILIES],
    unaccounted: [Unaccounted; FAMILIES],
    looked_ns: u64,
}

impl Suppression {
    /// Takes the map out of the object.
    pub(super) fn take(ebpf: &mut Ebpf, ledger: Arc<Ledger>) -> Result<Self, StartError> {
        let map = ebpf.take_map("SPENT").ok_or_else(|| StartError::Foreign("no map SPENT".to_owned()))?;
        let spent = HashMap::try_from(map).map_err(|error| StartError::Foreign(format!("map SPENT: {error}")))?;
        Ok(Self {
            spent,
            ledger,
            noisy: AHashMap::new(),
            told: [0; FAMILIES],
            unaccounted: [Unaccounted::default(); FAMILIES],
            looked_ns: 0,
        })
    }

    /// The word of the kernel programs: look at this process.
    pub(super) fn announced(&mut self, task: TaskRef, family: Family, now_ns: u64) {
        let spender = spender(task, family);
        // More than the kernel follows cannot be there; what were beyond is told as nobody's.
        if self.noisy.len() < SPENDERS_MAX as usize {
            let first = Told { count: 0, made_ns: 0, until_ns: 0, at_ns: now_ns };
            self.noisy.entry(spender).or_insert(first);
        }
    }

    /// The process ended: what is left to tell of it, and it is forgotten.
    pub(super) fn ended(&mut self, task: TaskRef, time_ns: u64, tell: &mut impl FnMut(Decoded)) {
        if self.noisy.is_empty() {
            return;
        }
        for family in Family::ALL {
            let spender = spender(task, family);
            if self.noisy.contains_key(&spender) {
                let sums = self.ledger.suppressed();
                self.look_at(spender, sums, time_ns, true, tell);
                self.forget(spender);
            }
        }
    }

    /// Looks at all that are noisy, when it is time. To be called while the rings are empty: then no word is on its way.
    pub(super) fn look(&mut self, now_ns: u64, tell: &mut impl FnMut(Decoded)) {
        if now_ns.saturating_sub(self.looked_ns) >= EVERY {
            self.look_now(now_ns, false, tell);
        }
    }

    /// Tells all that is left. Nothing is counted any more.
    pub(super) fn finish(&mut self, now_ns: u64, tell: &mut impl FnMut(Decoded)) {
        self.look_now(now_ns, true, tell);
    }

    fn look_now(&mut self, now_ns: u64, finally: bool, tell: &mut impl FnMut(Decoded)) {
        self.looked_ns = now_ns;
        // Before the processes: what is counted meanwhile must not look as if it were nobody's.
        let sums = self.ledger.suppressed();
        if self.noisy.is_empty() && sums == self.told {
            return;
        }
        let mut untold = [0; FAMILIES];
        let noisy: Vec<Spender> = self.noisy.keys().copied().collect();
        for spender in noisy {
            untold[spender.family as usize] += self.look_at(spender, sums, now_ns, finally, tell);
        }
        for family in Family::ALL {
            let index = family as usize;
            let left = sums[index].saturating_sub(self.told[index] + untold[index]);
            self.account(family, left, now_ns, finally, tell);
        }
    }

    /// Tells of one, when it is time. Says how much is still to be told.
    fn look_at(
        &mut self,
        spender: Spender,
        sums: [u64; FAMILIES],
        now_ns: u64,
        finally: bool,
        tell: &mut impl FnMut(Decoded),
    ) -> u64 {
        let Some(spent) = self.read(spender) else {
            // Forgotten by the kernel: what it had not told becomes nobody's.
            self.noisy.remove(&spender);
            return 0;
        };
        let (Some(told), Some(family)) = (self.noisy.get_mut(&spender), Family::from_number(spender.family)) else {
            return 0;
        };
        if told.made_ns != spent.made_ns {
            *told = Told { count: 0, made_ns: spent.made_ns, ..*told };
        }
        let told_of_family = &mut self.told[spender.family as usize];
        let untold = spent.suppressed.saturating_sub(told.count);
        let count = untold.min(sums[spender.family as usize].saturating_sub(*told_of_family));
        let is_over = now_ns.saturating_sub(spent.last_ns) >= EVERY;
        if count > 0 && (finally || is_over || now_ns.saturating_sub(told.at_ns) >= LASTS) {
            let left = LeftOut { family, count, first_ns: spent.first_ns.max(told.until_ns), last_ns: spent.last_ns };
            *told = Told { count: told.count + count, until_ns: spent.last_ns, at_ns: now_ns, ..*told };
            *told_of_family += count;
            let task = TaskRef { start_ns: spender.start_ns, pid: spender.pid, thread: spender.pid };
            tell(Decoded { time_ns: now_ns, task, user: User::UNKNOWN, action: Action::Suppressed(left) });
            return untold - count;
        }
        if untold == 0 && now_ns.saturating_sub(spent.last_ns) >= QUIET {
            self.forget(spender);
        }
        untold
    }

    /// Tells what no process accounts for, when it has stayed so.
    fn account(&mut self, family: Family, left: u64, now_ns: u64, finally: bool, tell: &mut impl FnMut(Decoded)) {
        let held = &mut self.unaccounted[family as usize];
        if left == 0 {
            *held = Unaccounted::default();
            return;
        }
        if held.looks == 0 {
            *held = Unaccounted { least: left, looks: 0, since_ns: now_ns.saturating_sub(EVERY) };
        }
        held.looks += 1;
        held.least = held.least.min(left);
        if finally || held.looks > HELD_BACK {
            let count = if finally { left } else { held.least };
            let left = LeftOut { family, count, first_ns: held.since_ns, last_ns: now_ns };
            *held = Unaccounted::default();
            self.told[family as usize] += count;
            tell(Decoded {
                time_ns: now_ns,
                task: TaskRef::default(),
                user: User::UNKNOWN,
                action: Action::Suppressed(left),
            });
        }
    }

    fn forget(&mut self, spender: Spender) {
        self.noisy.remove(&spender);
        // It may be gone already. The allowance is whole again by now, or the process is gone.
        let _gone = self.spent.remove(&key(spender));
    }

    fn read(&self, spender: Spender) -> Option<Spent> {
        Spent::read(&self.spent.get(&key(spender), 0).ok()?)
    }
}

fn spender(task: TaskRef, family: Family) -> Spender {
    Spender { start_ns: task.start_ns, pid: task.pid, family: family as u32 }
}

fn key(spender: Spender) -> [u8; SPENDER] {
    let mut key = [0; SPENDER];
    key.copy_from_slice(spender.as_bytes());
    key
}
