//! Records that are made when the kernel begins something, and sent when it has done it.
//!
//! As it begins, the kernel holds all that it is about; as it is done, some of that is gone: where a mount was, what an attribute was called.

use core::ptr;

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use bongsu_sensor_abi::{Family, Record};

use crate::{
    budget::admits,
    maps::HELD,
    record::{Draft, RECORD_AT, Ring, now, output},
    task::Task,
};

/// So long may a record be that waits for what comes of it.
const HELD_MAX: usize = 8192;

/// A record that waits: as much of the beginning of the room in which it grew.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Held {
    len: u64,
    _unused: [u64; RECORD_AT / 8 - 1],
    bytes: [u8; HELD_MAX],
}

const _: () = assert!(core::mem::offset_of!(Held, bytes) == RECORD_AT);

impl Held {
    /// The record with its head; `None` when it is too long.
    #[inline(always)]
    fn of<H: Record>(draft: Draft, head: H) -> Option<&'static Self> {
        if draft.len() > HELD_MAX as u64 {
            return None;
        }
        // SAFETY: heads are smaller than a record, which is 8-aligned as heads are. Its room begins as a Held does, and any bytes are a value of that.
        unsafe {
            draft.bytes().cast::<H>().write(head);
            Some(&*draft.0.cast::<Self>())
        }
    }

    /// Sends it as of now.
    ///
    /// # Safety
    /// It is a value of a map, and nobody else is at it.
    #[inline(always)]
    unsafe fn send(held: *mut Self) {
        // SAFETY: the caller's; the head of every record begins with the time.
        unsafe {
            (&raw mut (*held).bytes).cast::<u64>().write(now());
            let len = ptr::read_volatile(&raw const (*held).len);
            let len = if len > HELD_MAX as u64 { HELD_MAX as u64 } else { len };
            output((&raw const (*held).bytes).cast(), len, Ring::Other);
        }
    }
}

/// Makes a record that waits for what the current thread is about to do; `fill` gives its head. Says whether it waits.
#[inline(always)]
pub(crate) fn hold<H: Record>(fill: impl FnOnce(Draft) -> H) -> bool {
    let mut holds = false;
    Draft::uncharged::<H>(|draft| {
        let head = fill(draft);
        holds = Held::of(draft, head).is_some_and(|held| HELD.insert(thread(), held, 0).is_ok());
    }) && holds
}

/// Sends what waits for the current thread, which has done it, when its process has an allowance for files left. Says whether there was something.
#[inline(always)]
pub(crate) fn release() -> bool {
    let Some(held) = HELD.get_ptr_mut(thread()) else { return false };
    if admits(Task::current().reference(), Family::File) {
        // SAFETY: the map's value; only this thread writes and removes its entry.
        unsafe { Held::send(held) };
    }
    forget();
    true
}

/// Lets go of what waits for the current thread, which has not done it.
#[inline(always)]
pub(crate) fn forget() {
    // There need not be one.
    let _removed = HELD.remove(thread());
}

#[inline(always)]
fn thread() -> u32 {
    bpf_get_current_pid_tgid() as u32
}
