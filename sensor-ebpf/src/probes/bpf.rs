//! BPF programs that others load.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::TamperOperation;

use crate::{
    file::{OpenFile, result},
    globals::offset,
    record::{Draft, Ring, is_own},
    tamper::Tamper,
    task::{Arguments, Task, read},
};

const PROG_LOAD: u32 = 5;

/// `sys_exit_bpf` of `bpf(int command, ...)`: the result is the new program's descriptor, and name and type are read from the program itself.
#[tracepoint]
pub(crate) fn bpf_called(context: TracePointContext) -> u32 {
    let descriptor = result(&context);
    if descriptor >= 0 && Arguments::current().first() as u32 == PROG_LOAD && !is_own() {
        let _sent = loaded(descriptor as u64);
    }
    0
}

#[inline(always)]
fn loaded(descriptor: u64) -> Option<()> {
    let program = OpenFile::of(Task::current(), descriptor)?.private();
    let draft = Draft::new::<bongsu_sensor_abi::Tamper>()?;
    let name_len = draft.kernel_string(read::<u64>(program + offset!(bpf_prog_aux)) + offset!(bpf_prog_name));
    let kind = read(program + offset!(bpf_prog_type));
    Tamper::new(TamperOperation::LoadBpf, kind).send(draft, name_len, Ring::Process);
    Some(())
}
