//! Processes that give themselves another name.

use aya_ebpf::{helpers::generated::bpf_probe_read_kernel_str, macros::raw_tracepoint, programs::RawTracePointContext};
use bongsu_sensor_abi::{Kind, SetName};

use crate::{
    globals::offset,
    record::{Draft, Ring, is_own, raw_argument},
    task::{Task, read},
};

/// Bytes of a kernel stack at least, on all architectures we know.
const STACK: u64 = 16 * 1024;

/// `task_rename(struct task_struct *task, const char *comm)`, while the task still has the name it had: prctl(PR_SET_NAME), writes to
/// /proc/PID/comm, and exec. The names of threads beside the first are no news.
///
/// Exec is told by its own record and left out here: prctl and /proc copy the name onto the caller's kernel stack, exec passes a part of
/// the path, which lies elsewhere. Kernel threads are named from a stack as well, but not by themselves and never in a process's group.
#[raw_tracepoint]
pub(crate) fn set_name(context: RawTracePointContext) -> i32 {
    if !is_own() {
        let _sent = send(&context);
    }
    0
}

#[inline(always)]
fn send(context: &RawTracePointContext) -> Option<()> {
    let (task, name) = (Task(raw_argument(context, 0)), raw_argument(context, 1));
    let current = Task::current();
    let stack = current.pointer(offset!(task_stack));
    // Every exec comes by here: it is sent away first.
    if name.wrapping_sub(stack) >= STACK {
        return None;
    }
    let who = task.reference();
    if who.pid != who.thread || who.pid != current.reference().pid {
        return None;
    }
    let before: [u8; 16] = read(task.0 + offset!(task_comm));
    let mut after = [0; 16];
    // SAFETY: 16 bytes fit; the helper checks the source.
    let _len = unsafe { bpf_probe_read_kernel_str(after.as_mut_ptr().cast(), after.len() as u32, name as *const _) };
    if same(&before, &after) {
        return None;
    }
    let draft = Draft::new::<SetName>()?;
    draft.send(SetName { header: draft.header(task, Kind::SetName), before, after }, Ring::Process);
    Some(())
}

/// As strings: what lies behind the NUL is of earlier, longer names.
#[inline(always)]
fn same(one: &[u8; 16], other: &[u8; 16]) -> bool {
    let mut at = 0;
    while at < 16 {
        if one[at] != other[at] {
            return false;
        }
        if one[at] == 0 {
            return true;
        }
        at += 1;
    }
    true
}
