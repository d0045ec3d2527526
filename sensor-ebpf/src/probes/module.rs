//! Kernel modules that come and go.

use aya_ebpf::{
    macros::{raw_tracepoint, tracepoint},
    programs::{RawTracePointContext, TracePointContext},
};
use bongsu_sensor_abi::TamperOperation;

use crate::{
    file::{OpenFile, result},
    globals::offset,
    record::{Draft, Ring, is_own, raw_argument},
    tamper::Tamper,
    task::{Arguments, Task},
};

/// `module_load(struct module *mod)`, before the module's own code runs, which may yet fail. The name is the one the module carries.
#[raw_tracepoint]
pub(crate) fn module_loaded(context: RawTracePointContext) -> i32 {
    if !is_own() {
        let _sent = named(TamperOperation::LoadModule, raw_argument(&context, 0));
    }
    0
}

/// `module_free(struct module *mod)`: also when the module's own code failed as it was loaded.
#[raw_tracepoint]
pub(crate) fn module_freed(context: RawTracePointContext) -> i32 {
    if !is_own() {
        let _sent = named(TamperOperation::UnloadModule, raw_argument(&context, 0));
    }
    0
}

#[inline(always)]
fn named(operation: TamperOperation, module: u64) -> Option<()> {
    let draft = Draft::new::<bongsu_sensor_abi::Tamper>()?;
    let name_len = draft.kernel_string(module + offset!(module_name));
    Tamper::new(operation, 0).send(draft, name_len, Ring::Process);
    Some(())
}

/// `sys_exit_finit_module` of `finit_module(int descriptor, ...)`: the file it came from.
#[tracepoint]
pub(crate) fn module_file(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let _sent = OpenFile::of(Task::current(), Arguments::current().first())
            .and_then(|file| Tamper::new(TamperOperation::LoadModule, 0).send_with_path(file));
    }
    0
}

/// `sys_exit_init_module`: the image came from the program's memory, and nothing here has its name.
#[tracepoint]
pub(crate) fn module_image(context: TracePointContext) -> u32 {
    if result(&context) == 0
        && !is_own()
        && let Some(draft) = Draft::new::<bongsu_sensor_abi::Tamper>()
    {
        Tamper::new(TamperOperation::LoadModule, 0).send(draft, 0, Ring::Process);
    }
    0
}

/// `sys_exit_delete_module` of `delete_module(const char *name, ...)`: the name is the program's, who may have changed it.
#[tracepoint]
pub(crate) fn module_removed(context: TracePointContext) -> u32 {
    if result(&context) == 0
        && !is_own()
        && let Some(draft) = Draft::new::<bongsu_sensor_abi::Tamper>()
    {
        let name_len = draft.user_string(Arguments::current().first());
        Tamper::new(TamperOperation::UnloadModule, 0).send(draft, name_len, Ring::Process);
    }
    0
}
