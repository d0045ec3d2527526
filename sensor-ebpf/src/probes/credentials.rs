//! Tasks that change their own identity.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{Kind, SetCredentials};

use crate::{
    file::result,
    maps::BEFORE,
    record::{Draft, Ring, is_own},
    task::Task,
};

/// `sys_enter_setuid`, `sys_enter_setreuid`, `sys_enter_setresuid` and the same for groups: keeps what the thread is before the call.
#[tracepoint]
pub(crate) fn identity_asked(_context: TracePointContext) -> u32 {
    if !is_own() {
        // Fails only when the kernel has no memory; then the change shows with the next exec.
        let _kept = BEFORE.insert(thread(), Task::current().creds(), 0);
    }
    0
}

/// `sys_exit_setuid`, `sys_exit_setreuid`, `sys_exit_setresuid` and the same for groups.
#[tracepoint]
pub(crate) fn identity_changed(context: TracePointContext) -> u32 {
    if !is_own() {
        let _sent = send(&context);
    }
    0
}

#[inline(always)]
fn thread() -> u32 {
    bpf_get_current_pid_tgid() as u32
}

#[inline(always)]
fn send(context: &TracePointContext) -> Option<()> {
    // SAFETY: the entry is this thread's own, and it is copied at once.
    let before = *unsafe { BEFORE.get(&thread()) }?;
    let _removed = BEFORE.remove(&thread());
    let task = Task::current();
    let after = task.creds();
    let same_user = before.uid == after.uid && before.euid == after.euid && before.suid == after.suid;
    let same_group = before.gid == after.gid && before.egid == after.egid && before.sgid == after.sgid;
    if result(context) != 0 || (same_user && same_group) {
        return None;
    }
    let draft = Draft::new::<SetCredentials>()?;
    let head = SetCredentials { header: draft.header(task, Kind::SetCredentials), before, after };
    draft.send(head, Ring::Process);
    Some(())
}
