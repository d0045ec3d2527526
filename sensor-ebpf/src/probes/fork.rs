//! New processes.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::raw_tracepoint, programs::RawTracePointContext};
use bongsu_sensor_abi::{Fork, Kind};

use crate::{
    record::{Draft, Ring, heard, raw_argument},
    task::Task,
};

/// `sched_process_fork(struct task_struct *parent, struct task_struct *child)`, before the child runs. Threads come by here as
/// well; they are no processes. The sensor's own children are not left out: their parent must be known.
#[raw_tracepoint]
pub(crate) fn fork(context: RawTracePointContext) -> i32 {
    heard(bpf_get_current_pid_tgid());
    let child = Task(raw_argument(&context, 1)).reference();
    if child.pid == child.thread {
        let _sent = send(&context);
    }
    0
}

#[inline(always)]
fn send(context: &RawTracePointContext) -> Option<()> {
    let draft = Draft::new::<Fork>()?;
    let child = Task(raw_argument(context, 1));
    let head = Fork {
        header: draft.header(Task(raw_argument(context, 0)), Kind::Fork),
        child: child.reference(),
        parent: child.parent().reference(),
    };
    draft.send(head, Ring::Process);
    Some(())
}
