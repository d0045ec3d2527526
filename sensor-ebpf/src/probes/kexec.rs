//! Other kernels, loaded to be jumped into.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::TamperOperation;

use crate::{
    file::{OpenFile, result},
    record::is_own,
    tamper::Tamper,
    task::{Arguments, Task},
};

/// `sys_exit_kexec_load` of `kexec_load(unsigned long entry, unsigned long segments, ...)`; without segments it unloads.
#[tracepoint]
pub(crate) fn kernel_image(context: TracePointContext) -> u32 {
    if result(&context) == 0 && Arguments::current().second() != 0 && !is_own() {
        let _sent = Tamper::new(TamperOperation::LoadKernel, 0).send_once();
    }
    0
}

/// `sys_exit_kexec_file_load` of `kexec_file_load(int kernel, ...)`; to unload, no kernel is given.
#[tracepoint]
pub(crate) fn kernel_file(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let _sent = OpenFile::of(Task::current(), Arguments::current().first())
            .and_then(|file| Tamper::new(TamperOperation::LoadKernel, 0).send_with_path(file));
    }
    0
}
