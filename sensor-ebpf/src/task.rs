//! Reading tasks: who a thread belongs to, its parent, its identities.

use core::mem::MaybeUninit;

use aya_ebpf::{
    bindings::pt_regs,
    helpers::generated::{bpf_get_current_task, bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_task_pt_regs},
};
use bongsu_sensor_abi::{ABSENT, Creds, TaskRef, User};

use crate::globals::offset;

/// Reads a `T` of the kernel's; all zeroes when there is none.
///
/// Without looking at what the helper says, for it fills the place with zeroes when it fails. A branch here would double the ways through
/// a program with every read: older verifiers (6.1) follow them one by one, and gave up on the exec program after a million steps.
#[inline(always)]
pub(crate) fn read<T: Pod>(from: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the source, writes size_of::<T>() bytes whether it fails or not, and any bytes are a Pod.
    unsafe {
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, from as *const _);
        value.assume_init()
    }
}

/// Two members of the struct at `from`, in one read where the second follows the first: a read costs more than what it reads. The offsets are constants to
/// the verifier, which sees one of the two ways only.
#[inline(always)]
pub(crate) fn pair(from: u64, first: u64, second: u64) -> [u64; 2] {
    if second == first + 8 { read(from + first) } else { [read(from + first), read(from + second)] }
}

/// What may be read from the kernel: any bytes are a value of it.
///
/// # Safety
/// Integers and arrays of them only.
pub(crate) unsafe trait Pod: Copy {}

macro_rules! pod {
    ($($integer:ty)*) => {$(
        // SAFETY: an integer.
        unsafe impl Pod for $integer {}
    )*};
}

pod!(u8 u16 u32 u64 i32);

// SAFETY: an array of what may be read.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// A `task_struct`, by its address.
#[derive(Clone, Copy)]
pub(crate) struct Task(pub(crate) u64);

impl Task {
    /// The thread that runs now.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: a helper without conditions.
        Self(unsafe { bpf_get_current_task() })
    }

    /// The pointer in the member at `offset`.
    #[inline(always)]
    pub(crate) fn pointer(self, offset: u64) -> u64 {
        read(self.0 + offset)
    }

    /// The process's name for userland.
    #[inline(always)]
    pub(crate) fn reference(self) -> TaskRef {
        let leader = self.pointer(offset!(task_leader));
        let start_ns = read(leader + offset!(task_start));
        let (thread, process) = (offset!(task_pid), offset!(task_tgid));
        let [thread, pid]: [u32; 2] =
            if process == thread + 4 { read(self.0 + thread) } else { [read(self.0 + thread), read(self.0 + process)] };
        TaskRef { start_ns, pid, thread }
    }

    #[inline(always)]
    pub(crate) fn parent(self) -> Self {
        Self(self.pointer(offset!(task_parent)))
    }

    /// Under which identities it acts.
    #[inline(always)]
    pub(crate) fn user(self) -> User {
        let [uid, _gid, _suid, _sgid, euid]: [u32; 5] = read(self.pointer(offset!(task_cred)) + offset!(cred_uid));
        User { uid, euid }
    }

    #[inline(always)]
    pub(crate) fn creds(self) -> Creds {
        let ids: [u32; 6] = read(self.pointer(offset!(task_cred)) + offset!(cred_uid));
        let [uid, gid, suid, sgid, euid, egid] = ids;
        let login = match offset!(task_login) {
            absent if absent == ABSENT as u64 => u32::MAX,
            offset => read(self.0 + offset),
        };
        Creds { uid, gid, suid, sgid, euid, egid, login, reserved: 0 }
    }
}

/// The arguments a system call was entered with, which the kernel keeps on the thread's stack until it returns.
#[derive(Clone, Copy)]
pub(crate) struct Arguments(u64);

impl Arguments {
    /// Of the call the current thread is in.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: helpers without conditions.
        let regs: *mut pt_regs = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) as *mut pt_regs };
        Self(regs as u64)
    }

    #[inline(always)]
    pub(crate) fn first(self) -> u64 {
        read(self.0 + offset!(regs_0))
    }

    #[inline(always)]
    pub(crate) fn second(self) -> u64 {
        read(self.0 + offset!(regs_1))
    }

    #[inline(always)]
    pub(crate) fn third(self) -> u64 {
        read(self.0 + offset!(regs_2))
    }

    #[inline(always)]
    pub(crate) fn fourth(self) -> u64 {
        read(self.0 + offset!(regs_3))
    }
}
