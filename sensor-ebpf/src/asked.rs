//! What a system call was asked for, kept from its entry to its return.
//!
//! The tracepoints of system calls see the program's memory, never the kernel's copy of it. Entry is the moment closest to the one at which the
//! kernel takes its copy; at the return other threads have had all the time of the call to write something else there, or to take the memory
//! away. So the strings are read at the entry, and at the return only where they could not be read before: a page that nobody has touched
//! yet is there only once the kernel has looked at it.

use aya_ebpf::{EbpfContext, helpers::bpf_get_current_pid_tgid, programs::TracePointContext};
use bongsu_sensor_abi::Record;

use crate::{
    file::result,
    maps::ASKED,
    record::{Draft, is_own},
    task::{Arguments, read},
};

/// Room for the strings of one call. Longer ones are read at the return.
const TEXT_MAX: u64 = 1024;

/// The arguments and strings of a call. The head of a [`Draft`] while it is put together.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Asked {
    head: Head,
    text: [u8; TEXT_MAX as usize],
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Head {
    /// Which call it is.
    number: u64,
    arguments: [u64; 4],
    /// Where the strings are in the program's memory. Not which arguments they are: the verifier follows no index that it does not know.
    pointers: [u64; 2],
    /// The `struct vfsmount` that the path led to, once the kernel has found it: the first one that it asked to write to. [`TOLD`] when the record
    /// was made of what the kernel has.
    mount: u64,
    /// Bytes of the strings, NUL included; 0 for one that could not be read or does not fit.
    lens: [u16; 2],
    reserved: u32,
}

// SAFETY: repr(C), only integers, and 72 bytes of them without a hole.
unsafe impl Record for Head {}

/// A string that a call does not have.
pub(crate) const NONE: u16 = u16::MAX;

/// No address.
const TOLD: u64 = 1;

impl Asked {
    /// Keeps the first `count` arguments of the call that is entered, and the string that argument `place` points to. A program that reads more
    /// arguments than a call has cannot be attached to it.
    #[inline(always)]
    pub(crate) fn keep(context: &TracePointContext, count: usize, place: u16) {
        Self::keep_two(context, count, place, NONE);
    }

    /// As [`Self::keep`], with two strings.
    #[inline(always)]
    pub(crate) fn keep_two(context: &TracePointContext, count: usize, first: u16, second: u16) {
        if is_own() {
            return;
        }
        let Some(draft) = Draft::new::<Head>() else { return };
        let arguments = core::array::from_fn(|index| if index < count { word(context, 2 + index) } else { 0 });
        let pointers = [pointer(arguments, first), pointer(arguments, second)];
        let mut lens = [0, 0];
        if first != NONE {
            lens[0] = draft.user_string(pointers[0]);
        }
        if second != NONE {
            lens[1] = draft.user_string(pointers[1]);
        }
        let first_fits = u64::from(lens[0]) <= TEXT_MAX;
        let both_fit = u64::from(lens[0]) + u64::from(lens[1]) <= TEXT_MAX;
        let lens = [if first_fits { lens[0] } else { 0 }, if both_fit { lens[1] } else { 0 }];
        let asked = draft.bytes();
        // SAFETY: a record is larger than Asked, and any bytes are a value of it.
        let asked = unsafe {
            asked.cast::<Head>().write(Head {
                number: number(context),
                arguments,
                pointers,
                mount: 0,
                lens,
                reserved: 0,
            });
            &*asked.cast::<Self>()
        };
        // Without room for it the return reads what is there by then.
        let _kept = ASKED.insert(thread(), asked, 0);
    }

    /// Keeps the mount that the kernel is about to write to for the current thread's call.
    #[inline(always)]
    pub(crate) fn leads_to(mount: u64) {
        if let Some(asked) = ASKED.get_ptr_mut(thread())
            // SAFETY: only this thread writes and removes its entry. Volatile: an address of the kernel's, of a type that is none of ours.
            && unsafe { core::ptr::read_volatile(&raw const (*asked).head.mount) } == 0
        {
            // SAFETY: as above.
            unsafe { core::ptr::write_volatile(&raw mut (*asked).head.mount, mount) };
        }
    }

    /// Hands the mount of the current thread's call to `make`, once; when that makes a record, it is in the place of what the program said. A file
    /// system below may do the same to files of its own before the call returns.
    #[inline(always)]
    pub(crate) fn reached(make: impl FnOnce(u64) -> bool) {
        let Some(asked) = ASKED.get_ptr_mut(thread()) else { return };
        // SAFETY: as in `leads_to`.
        let mount = unsafe { core::ptr::read_volatile(&raw const (*asked).head.mount) };
        if mount > TOLD && make(mount) {
            // SAFETY: as in `leads_to`.
            unsafe { core::ptr::write_volatile(&raw mut (*asked).head.mount, TOLD) };
        }
    }

    /// Hands what the call that returns was asked for to `tell`, when the call succeeded, and forgets it. What its entry did not leave (another
    /// call of the thread's, whose return was missed, may have) is read now; `places` are the arguments that are strings.
    #[inline(always)]
    pub(crate) fn returned(context: &TracePointContext, places: [u16; 2], tell: impl FnOnce(&Call)) {
        if is_own() {
            return;
        }
        if result(context) == 0 {
            // SAFETY: only this thread writes and removes its entry.
            let call = match unsafe { ASKED.get(&thread()) } {
                Some(asked) if asked.head.number == number(context) => {
                    Call { head: asked.head, text: (&raw const asked.text) as u64 }
                }
                _ => Call { head: Head::now(places), text: 0 },
            };
            tell(&call);
        }
        // There is none when there was no room for it.
        let _removed = ASKED.remove(&thread());
    }
}

impl Head {
    /// Of the call that returns, whose arguments the kernel has kept; no string of it was read yet.
    #[inline(always)]
    fn now([first, second]: [u16; 2]) -> Self {
        let arguments = Arguments::current();
        let arguments = [arguments.first(), arguments.second(), arguments.third(), arguments.fourth()];
        let pointers = [pointer(arguments, first), pointer(arguments, second)];
        Self { number: 0, arguments, pointers, mount: 0, lens: [0; 2], reserved: 0 }
    }
}

/// A call that returns.
pub(crate) struct Call {
    head: Head,
    /// Where the strings of its entry lie.
    text: u64,
}

impl Call {
    /// Whether the record was made of what the kernel has.
    #[inline(always)]
    pub(crate) fn is_told(&self) -> bool {
        self.head.mount == TOLD
    }

    #[inline(always)]
    pub(crate) fn argument(&self, index: usize) -> u64 {
        self.head.arguments[index]
    }

    /// The first byte of string `index`, 0 or 1.
    #[inline(always)]
    pub(crate) fn first_byte(&self, index: usize) -> u8 {
        if self.head.lens[index] > 0 { read(self.text(index)) } else { read_user(self.head.pointers[index]) }
    }

    /// Appends string `index`, 0 or 1; says how many bytes, 0 when it cannot be read.
    #[inline(always)]
    pub(crate) fn append(&self, draft: Draft, index: usize) -> u16 {
        if self.head.lens[index] > 0 {
            draft.kernel_string(self.text(index))
        } else {
            draft.user_string(self.head.pointers[index])
        }
    }

    #[inline(always)]
    fn text(&self, index: usize) -> u64 {
        if index == 0 { self.text } else { self.text + u64::from(self.head.lens[0]) }
    }
}

#[inline(always)]
fn number(context: &TracePointContext) -> u64 {
    word(context, 1) & u64::from(u32::MAX)
}

/// A word of what the tracepoint tells. The format of every `sys_enter_*`: 8 bytes common to all, the number of the call, the arguments; of every
/// `sys_exit_*`: the same 8 bytes, the number, the result. The kernel writes the number as an int and leaves what follows it as it was.
#[inline(always)]
fn word(context: &TracePointContext, index: usize) -> u64 {
    // SAFETY: see the format. Volatile, so that it stays one read each: the verifier takes no reads through moved pointers.
    unsafe { core::ptr::read_volatile(context.as_ptr().cast::<u64>().add(index)) }
}

/// `place` is a constant wherever this is called.
#[inline(always)]
fn pointer(arguments: [u64; 4], place: u16) -> u64 {
    if place == NONE { 0 } else { arguments[place as usize] }
}

#[inline(always)]
fn read_user(from: u64) -> u8 {
    // SAFETY: the helper checks the source.
    unsafe { aya_ebpf::helpers::bpf_probe_read_user(from as *const u8) }.unwrap_or(0)
}

#[inline(always)]
fn thread() -> u32 {
    bpf_get_current_pid_tgid() as u32
}
