//! New processes.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::raw_tracepoint, programs::RawTracePointContext};
use bongsu_sensor_abi::{Fork, Kind, TaskRef};

use crate::{
    record::{Draft, Ring, heard, raw_argument},
    task::Task,
};

/// `sched_process_fork(struct task_struct *parent, struct task_struct *child)`, before the child runs. Threads come by here as
/// well; they are no processes. The sensor's own children are not left out: their parent must be known.
#[raw_tracepoint]
pub(crate) fn fork(context: RawTracePointContext) -> i32 {
    heard(bpf_get_current_pid_tgid());
    let child = Task(raw_argument(&context, 1));
    let who = child.reference();
    if who.pid == who.thread {
        let _sent = send(&context, child, who);
    }
    0
}

#[inline(always)]
fn send(context: &RawTracePointContext, child: Task, who: TaskRef) -> Option<()> {
    let draft = Draft::new::<Fork>()?;
    let (maker, parent) = (Task(raw_argument(context, 0)), child.parent());
    let header = draft.header(maker, Kind::Fork);
    // Nearly always the maker is the parent.
    let parent = if parent.0 == maker.0 { header.task } else { parent.reference() };
    draft.send(Fork { header, child: who, parent }, Ring::Process);
    Some(())
}
