//! Files that lose a name.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    file::{named, result, send},
    record::{Draft, is_own},
    task::Arguments,
};

const AT_FDCWD: i32 = -100;
const AT_REMOVEDIR: u64 = 0x200;

/// `sys_exit_unlink` of `unlink(const char *path)`.
#[tracepoint]
pub(crate) fn unlink(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let _sent = deleted(&context, AT_FDCWD, Arguments::current().first());
    }
    0
}

/// `sys_exit_unlinkat` of `unlinkat(int directory, const char *path, int flags)`.
#[tracepoint]
pub(crate) fn unlinkat(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let arguments = Arguments::current();
        // Directories are no files.
        if arguments.third() & AT_REMOVEDIR == 0 {
            let _sent = deleted(&context, arguments.first() as i32, arguments.second());
        }
    }
    0
}

#[inline(always)]
fn deleted(context: &TracePointContext, directory: i32, name: u64) -> Option<()> {
    let draft = Draft::new::<File>()?;
    let path = named(draft, context, directory, name)?;
    send(draft, Kind::Delete, path, PathText::default(), 0);
    Some(())
}
