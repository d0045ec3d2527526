//! Tasks that change their own capabilities.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{Capabilities, Kind, SetCapabilities};

use crate::{
    file::result,
    globals::offset,
    maps::CAPABILITIES_BEFORE,
    record::{Draft, Ring, is_own},
    task::{Task, read},
};

/// `sys_enter_capset`: keeps what the thread has before the call.
#[tracepoint]
pub(crate) fn capabilities_asked(_context: TracePointContext) -> u32 {
    if !is_own() {
        // Fails only when the kernel has no memory; then the change goes untold.
        let _kept = CAPABILITIES_BEFORE.insert(thread(), capabilities(Task::current()), 0);
    }
    0
}

/// `sys_exit_capset`: what it has now is read from its credentials, not from what it asked for.
#[tracepoint]
pub(crate) fn capabilities_changed(context: TracePointContext) -> u32 {
    if !is_own() {
        let _sent = send(&context);
    }
    0
}

#[inline(always)]
fn thread() -> u32 {
    bpf_get_current_pid_tgid() as u32
}

/// The kernel's type of a set has changed; its bytes have not.
#[inline(always)]
fn capabilities(task: Task) -> Capabilities {
    let [inheritable, permitted, effective]: [u64; 3] =
        read(task.pointer(offset!(task_cred)) + offset!(cred_inheritable));
    Capabilities { inheritable, permitted, effective }
}

#[inline(always)]
fn send(context: &TracePointContext) -> Option<()> {
    // SAFETY: the entry is this thread's own, and it is copied at once.
    let before = *unsafe { CAPABILITIES_BEFORE.get(&thread()) }?;
    let _removed = CAPABILITIES_BEFORE.remove(&thread());
    let task = Task::current();
    let after = capabilities(task);
    let same = before.inheritable == after.inheritable
        && before.permitted == after.permitted
        && before.effective == after.effective;
    if result(context) != 0 || same {
        return None;
    }
    let draft = Draft::new::<SetCapabilities>()?;
    let head = SetCapabilities { header: draft.header(task, Kind::SetCapabilities), before, after };
    draft.send(head, Ring::Process);
    Some(())
}
