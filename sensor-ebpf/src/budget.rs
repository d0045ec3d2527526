//! What one process may have told of it. Over its allowance a record is not made; what was left out is counted.
//!
//! An allowance is kept as one number, the moment at which the whole burst is there again: each record moves it on by the interval, and a
//! record that would move it further into the future than the burst is long is left out. One addition and no lock, on however many processors
//! the process runs.
//!
//! Counted twice, and in this order: with the process, where an entry may be forgotten, and per CPU for the family, which is exact. Userland
//! never tells more of processes than the family's sum, and the rest as nobody's; so what it tells adds up.

use core::ptr;

use bongsu_sensor_abi::{
    Allowance, BURST_GAP_NS, FAMILIES, Family, Header, Kind, Noisy, Spender, Spent, TaskRef, User,
};

use crate::{
    globals::SETTINGS,
    maps::{SPENT, SUPPRESSED},
    record::{Counted, Ring, add, now},
};

const BPF_NOEXIST: u64 = 1;

/// Whether the process may have one more record of that family. When not, that is counted.
#[inline(always)]
pub(crate) fn admits(task: TaskRef, family: Family) -> bool {
    charge(task.start_ns, u64::from(task.pid), family as u64) != 0
}

/// A global function, for the same reason as those of `walk`: a hundred steps once, and not in each program.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn charge(start_ns: u64, pid: u64, family: u64) -> u64 {
    if family >= FAMILIES as u64 {
        return 1;
    }
    // SAFETY: reading a static, within its bounds. Volatile as in `setting!`.
    let allowance: Allowance =
        unsafe { ptr::read_volatile((&raw const SETTINGS.allowances).cast::<Allowance>().add(family as usize)) };
    let interval = u64::from(allowance.interval_ns);
    if interval == 0 {
        return 1;
    }
    let spender = Spender { start_ns, pid: pid as u32, family: family as u32 };
    let now = now();
    let Some(spent) = SPENT.get_ptr_mut(spender).or_else(|| made(spender, now)) else { return 1 };
    // SAFETY: the map's value. Others write it at the same time; what must be exact is added atomically. The kernel may give a forgotten
    // entry to another process while this runs, which then has a count too many: the family's own sum does not.
    unsafe {
        let mut full_at = ptr::read_volatile(&raw const (*spent).full_at_ns);
        if full_at < now {
            ptr::write_volatile(&raw mut (*spent).full_at_ns, now);
            full_at = now;
        }
        if full_at - now < u64::from(allowance.burst) * interval {
            add(&raw mut (*spent).full_at_ns, interval);
            return 1;
        }
        left_out(spent, spender, now);
    }
    0
}

/// A process's entry before its first record. From here and not from the stack: kernels before 6.13 hold this function's and its caller's
/// together to 512 bytes, and programs that send from the stack leave 64.
static UNSPENT: Spent = Spent { full_at_ns: 0, made_ns: 0, suppressed: 0, first_ns: 0, last_ns: 0, told: 0 };

/// A new entry; `None` when the kernel has no memory: then there is no limit.
#[inline(always)]
fn made(spender: Spender, now: u64) -> Option<*mut Spent> {
    // Not over one that another thread has just made.
    let _made = SPENT.insert(spender, &UNSPENT, BPF_NOEXIST);
    let spent = SPENT.get_ptr_mut(spender)?;
    // SAFETY: the map's value. Another thread that comes here at the same time writes the same moment.
    unsafe { ptr::write_volatile(&raw mut (*spent).made_ns, now) };
    Some(spent)
}

/// # Safety
/// `spent` is a value of the map.
#[inline(always)]
unsafe fn left_out(spent: *mut Spent, spender: Spender, now: u64) {
    // SAFETY: the caller's; as in `charge`.
    unsafe {
        let last = ptr::read_volatile(&raw const (*spent).last_ns);
        if now.saturating_sub(last) > BURST_GAP_NS {
            ptr::write_volatile(&raw mut (*spent).first_ns, now);
            ptr::write_volatile(&raw mut (*spent).told, 0);
        }
        ptr::write_volatile(&raw mut (*spent).last_ns, now);
        add(&raw mut (*spent).suppressed, 1);
        if let Some(sums) = SUPPRESSED.get_ptr_mut(0) {
            add(sums.cast::<u64>().add(spender.family as usize), 1);
        }
        // Tried again with the next one when the ring is full.
        if ptr::read_volatile(&raw const (*spent).told) == 0 {
            ptr::write_volatile(&raw mut (*spent).told, u64::from(announce(spender, now)));
        }
    }
}

/// Tells userland where to look; says whether there was room. Right into the ring: programs that come here have little stack left.
#[inline(always)]
fn announce(spender: Spender, now: u64) -> bool {
    let Some(counted) = Counted::new(Ring::Process) else { return false };
    let Some(mut entry) = counted.ring.reserve::<Noisy>(0) else {
        counted.lost();
        return false;
    };
    let task = TaskRef { start_ns: spender.start_ns, pid: spender.pid, thread: spender.pid };
    let header = Header { time_ns: now, task, kind: Kind::Suppressed as u32, flags: 0, user: User::UNKNOWN };
    entry.write(Noisy { header, family: spender.family, reserved: 0 });
    entry.submit(0);
    true
}
