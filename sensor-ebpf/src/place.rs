//! Where a task stands: session, terminal, capabilities, namespaces.

use bongsu_sensor_abi::{ABSENT, Place};

use crate::{
    globals::offset,
    task::{Task, read},
};

/// PIDTYPE_SID, as `signal_struct.pids` is indexed.
const SESSION: u64 = 3;
/// Bytes of a `struct upid`: a number, and the namespace in which it is one.
const UPID: u64 = 16;

impl Task {
    /// Where it stands. The task is alive and its own, so what it points to is there.
    #[inline(always)]
    pub(crate) fn place(self) -> Place {
        let cred = self.pointer(offset!(task_cred));
        let signal = self.pointer(offset!(task_signal));
        let namespaces = self.pointer(offset!(task_namespaces));
        let session: u64 = read(signal + offset!(signal_pids) + SESSION * 8);
        let own: u64 = self.pointer(offset!(task_struct_pid));
        // A process lives in the namespace in which its innermost number is one; nsproxy has the one its children will live in.
        let level = u64::from(read::<u32>(own + offset!(pid_level)));
        let innermost = own + offset!(pid_numbers) + level * UPID;
        Place {
            capabilities: read(cred + offset!(cred_capabilities)),
            session: read(session + offset!(pid_numbers) + offset!(upid_number)),
            mount: number(read::<u64>(namespaces + offset!(namespaces_mount)) + offset!(mount_namespace)),
            pid: number(read::<u64>(innermost + offset!(upid_namespace)) + offset!(pid_namespace)),
            net: number(read::<u64>(namespaces + offset!(namespaces_net)) + offset!(net_namespace)),
            user: number(read::<u64>(cred + offset!(cred_user_namespace)) + offset!(user_namespace)),
            reserved: 0,
            terminal: terminal(read(signal + offset!(signal_terminal))),
        }
    }
}

/// The number of the namespace whose `struct ns_common` lies there.
#[inline(always)]
fn number(common: u64) -> u32 {
    read(common + offset!(namespace_number))
}

/// Without a terminal the address is nearly 0, where nothing can be read.
#[inline(always)]
fn terminal(terminal: u64) -> [u8; 16] {
    match offset!(terminal_name) {
        absent if absent == ABSENT as u64 => [0; 16],
        offset => read(terminal + offset),
    }
}
