//! Files whose length is set.

use aya_ebpf::{
    macros::{fexit, tracepoint},
    programs::{FExitContext, TracePointContext},
};
use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    asked::{Asked, NONE},
    file::{AT_FDCWD, OpenFile, named, result, send, send_open, send_path},
    record::{Draft, is_own, raw_argument},
    task::{Arguments, Task},
};

/// `int vfs_truncate(const struct path *path, loff_t length)`: of truncate(2), not of ftruncate(2).
#[fexit]
pub(crate) fn truncate_done(context: FExitContext) -> i32 {
    if !is_own() && raw_argument(&context, 2) as i32 == 0 {
        Draft::alone::<File>(|draft| send_path(draft, Kind::Truncate, raw_argument(&context, 0), 0));
    }
    0
}

/// `sys_enter_truncate` of `truncate(const char *path, long length)`.
#[tracepoint]
pub(crate) fn truncate_asked(context: TracePointContext) -> u32 {
    Asked::keep(&context, 2, 0);
    0
}

/// `sys_exit_truncate`.
#[tracepoint]
pub(crate) fn truncate(context: TracePointContext) -> u32 {
    Asked::returned(&context, [0, NONE], |asked| {
        let Some(draft) = Draft::new::<File>() else { return };
        let path = named(draft, asked, AT_FDCWD, 0);
        send(draft, Kind::Truncate, path, Some(PathText::default()), 0);
    });
    0
}

/// `sys_exit_ftruncate` of `ftruncate(unsigned int descriptor, off_t length)`. Not of files without a name: every program that shares memory sets the length of one, and nothing of it stays.
#[tracepoint]
pub(crate) fn ftruncate(context: TracePointContext) -> u32 {
    if !is_own() && result(&context) == 0 {
        let descriptor = Arguments::current().first();
        match OpenFile::of(Task::current(), descriptor) {
            Some(file) if file.inode().links() == 0 => {}
            // One that is not there was closed by another thread before the call returned.
            _ => send_open(Kind::Truncate, descriptor, 0),
        }
    }
    0
}
