//! Files that get another name.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{File, Kind};

use crate::{
    file::{named, result, send},
    record::{Draft, is_own},
    task::Arguments,
};

const AT_FDCWD: i32 = -100;

/// `sys_exit_rename` of `rename(const char *old, const char *new)`.
#[tracepoint]
pub(crate) fn rename(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let arguments = Arguments::current();
        let _sent = renamed(&context, (AT_FDCWD, arguments.first()), (AT_FDCWD, arguments.second()));
    }
    0
}

/// `sys_exit_renameat` and `sys_exit_renameat2` of `renameat(int old_directory, const char *old, int new_directory, const char *new, ...)`.
#[tracepoint]
pub(crate) fn renameat(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let arguments = Arguments::current();
        let old = (arguments.first() as i32, arguments.second());
        let new = (arguments.third() as i32, arguments.fourth());
        let _sent = renamed(&context, old, new);
    }
    0
}

#[inline(always)]
fn renamed(context: &TracePointContext, old: (i32, u64), new: (i32, u64)) -> Option<()> {
    let draft = Draft::new::<File>()?;
    let path = named(draft, context, new.0, new.1)?;
    let previous = named(draft, context, old.0, old.1)?;
    send(draft, Kind::Rename, path, previous, 0);
    Some(())
}
