//! Reading tasks: who a thread belongs to, its parent, its identities.

use aya_ebpf::{
    bindings::pt_regs,
    helpers::{
        bpf_probe_read_kernel,
        generated::{bpf_get_current_task, bpf_get_current_task_btf, bpf_task_pt_regs},
    },
};
use bongsu_sensor_abi::{ABSENT, Creds, TaskRef};

use crate::globals::offset;

/// Reads a `T` of the kernel's; all zeroes when there is none.
#[inline(always)]
pub(crate) fn read<T: Default>(from: u64) -> T {
    // SAFETY: the helper checks the source and faults are an error, not a crash.
    unsafe { bpf_probe_read_kernel(from as *const T) }.unwrap_or_default()
}

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
        TaskRef {
            start_ns: read(leader + offset!(task_start)),
            pid: read(self.0 + offset!(task_tgid)),
            thread: read(self.0 + offset!(task_pid)),
        }
    }

    #[inline(always)]
    pub(crate) fn parent(self) -> Self {
        Self(self.pointer(offset!(task_parent)))
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
