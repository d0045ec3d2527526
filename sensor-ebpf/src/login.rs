//! Functions of programs: what they were called with, until they return; and what a program told PAM, until PAM has decided.
//!
//! Programs that stand on functions can be preempted, unlike all others here: nothing of theirs lies in the room that a CPU's other
//! programs share ([`crate::record::Draft`]), records grow in the ring itself.

use aya_ebpf::{
    EbpfContext,
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{bpf_probe_read_kernel, bpf_probe_read_user, bpf_probe_read_user_str},
    },
};
use bongsu_sensor_abi::ITEM_MAX;

use crate::{
    globals::offset,
    maps::{PAM_CALLS, PAM_ITEMS},
    task::{Task, read},
};

/// Bytes of a return address, which x86 keeps on the stack.
const RETURN_ADDRESS: u64 = 8;

/// A function of libpam.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Function {
    Start = 1,
    SetItem = 2,
    GetUser = 3,
    Authenticate = 4,
}

/// A call that has not returned. The stack tells calls within calls of the same function apart: a module may log in elsewhere.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Call {
    stack: u64,
    thread: u32,
    function: u32,
}

impl Call {
    #[inline(always)]
    fn new(function: Function, stack: u64) -> Self {
        Self { stack, thread: bpf_get_current_pid_tgid() as u32, function: function as u32 }
    }

    /// At the function's first instruction: keeps what will be of use when it returns. Strings are read then and not now: by then the
    /// function itself has looked at them, so their pages are there.
    #[inline(always)]
    pub(crate) fn enter(context: &impl EbpfContext, function: Function, arguments: [u64; 3]) {
        // Fails only when the kernel has no memory or the map's lock is taken; then the call is not followed.
        let _kept = PAM_CALLS.insert(Self::new(function, stack(context)), &arguments, 0);
    }

    /// What was kept of the call that returns now.
    #[inline(always)]
    pub(crate) fn leave(context: &impl EbpfContext, function: Function) -> Option<[u64; 3]> {
        let stack = stack(context);
        // Where the return address is in a register, the stack stands as it did.
        Self::new(function, stack.wrapping_sub(RETURN_ADDRESS)).take().or_else(|| Self::new(function, stack).take())
    }

    #[inline(always)]
    fn take(self) -> Option<[u64; 3]> {
        // SAFETY: the value is copied at once, and only this thread's calls are under this key.
        let arguments = unsafe { PAM_CALLS.get(&self) }.copied()?;
        let _gone = PAM_CALLS.remove(&self);
        Some(arguments)
    }
}

#[inline(always)]
fn stack(context: &impl EbpfContext) -> u64 {
    read(context.as_ptr() as u64 + offset!(regs_stack))
}

/// Something a program told PAM. The numbers of items are PAM's; those beyond [`Item::REMOTE_HOST`] are a function and passwords, which
/// nothing here looks at.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Item {
    handle: u64,
    process_start: u64,
    process: u32,
    number: u32,
}

impl Item {
    pub(crate) const SERVICE: u32 = 1;
    pub(crate) const USER: u32 = 2;
    pub(crate) const TERMINAL: u32 = 3;
    pub(crate) const REMOTE_HOST: u32 = 4;

    #[inline(always)]
    fn of(task: Task, handle: u64, number: u32) -> Self {
        let process = task.reference();
        Self { handle, process_start: process.start_ns, process: process.pid, number }
    }

    /// Writes it to `to`; an empty string where nobody told it.
    ///
    /// sshd starts PAM in one process and authenticates in a child of it, which has a copy of the parent's handle at the same address.
    ///
    /// # Safety
    /// ITEM_MAX bytes may be written there, one of them by us and all of them by a helper.
    #[inline(always)]
    pub(crate) unsafe fn write(handle: u64, number: u32, to: *mut [u8; ITEM_MAX]) {
        let own = Task::current();
        // SAFETY: the value is copied at once.
        let told = unsafe { PAM_ITEMS.get(&Self::of(own, handle, number)) };
        // SAFETY: as above.
        let told = told.or_else(|| unsafe { PAM_ITEMS.get(&Self::of(own.parent(), handle, number)) });
        // SAFETY: the caller's; the source is a value of the map.
        unsafe {
            match told {
                Some(text) => {
                    bpf_probe_read_kernel(to.cast(), ITEM_MAX as u32, core::ptr::from_ref(text).cast());
                }
                None => to.cast::<u8>().write(0),
            }
        }
    }
}

/// Keeps an item of the current process's: the string at `from` in its memory, an empty one for no address. Not inlined, for its buffer takes half of
/// the stack.
#[inline(never)]
pub(crate) fn keep(handle: u64, number: u32, from: u64) -> u64 {
    let mut text = [0_u8; ITEM_MAX];
    if from != 0 {
        // SAFETY: ITEM_MAX bytes fit; the helper checks the source and ends with NUL what it cuts.
        unsafe { bpf_probe_read_user_str(text.as_mut_ptr().cast(), ITEM_MAX as u32, from as *const _) };
    }
    // Fails only when the kernel has no memory or the map's lock is taken; then the item is told as empty.
    let _kept = PAM_ITEMS.insert(Item::of(Task::current(), handle, number), &text, 0);
    0
}

/// A `T` of the program's memory; all zeroes when there is none.
#[inline(always)]
pub(crate) fn read_user<T: crate::task::Pod>(from: u64) -> T {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the source, writes size_of::<T>() bytes whether it fails or not, and any bytes are a Pod.
    unsafe {
        bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, from as *const _);
        value.assume_init()
    }
}
