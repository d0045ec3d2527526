//! Processes that end.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use bongsu_sensor_abi::{Exit, Kind};

use crate::{
    globals::{offset, setting},
    record::{Draft, Ring, is_own, raw_argument},
    task::{Task, read},
};

/// The whole group was told to end, so its members' own codes do not count.
const SIGNAL_GROUP_EXIT: u32 = 4;

/// `sched_process_exit(struct task_struct *p, bool group_dead)`; the second argument exists since 6.16. Called by every thread; only the
/// last one ends the process. Before 6.16 two threads may both see that none is left: userland drops the second record.
#[raw_tracepoint]
pub(crate) fn exit(context: RawTracePointContext) -> i32 {
    if !is_own() && is_last(&context) {
        let _sent = send(&context);
    }
    0
}

#[inline(always)]
pub(crate) fn is_last(context: &RawTracePointContext) -> bool {
    if setting!(exit_tells_last) == 1 {
        return raw_argument(context, 1) & 0xff != 0;
    }
    let signal = Task(raw_argument(context, 0)).pointer(offset!(task_signal));
    read::<i32>(signal + offset!(signal_live)) == 0
}

#[inline(always)]
fn send(context: &RawTracePointContext) -> Option<()> {
    let draft = Draft::new::<Exit>()?;
    let task = Task(raw_argument(context, 0));
    let signal = task.pointer(offset!(task_signal));
    // As wait(2) reports it: the group's code, or else the leader's, who may have ended long before its threads.
    let status = if read::<u32>(signal + offset!(signal_flags)) & SIGNAL_GROUP_EXIT != 0 {
        read(signal + offset!(signal_exit_code))
    } else {
        read(task.pointer(offset!(task_leader)) + offset!(task_exit_code))
    };
    draft.send(Exit { header: draft.header(task, Kind::Exit), status, reserved: 0 }, Ring::Process);
    Some(())
}
