//! Files that get another name.

use aya_ebpf::{
    macros::{fentry, fexit, tracepoint},
    programs::{FEntryContext, FExitContext, TracePointContext},
};
use bongsu_sensor_abi::{File, Kind};

use crate::{
    asked::{Asked, Call},
    file::{AT_FDCWD, named, send},
    globals::offset,
    pending::Pending,
    record::{Draft, raw_argument},
    task::read,
};

/// `int security_path_rename(const struct path *old_dir, struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry,
/// unsigned int flags)`.
#[fentry]
pub(crate) fn rename_begins(context: FEntryContext) -> i32 {
    Pending::keep_move(raw_argument(&context, 1), raw_argument(&context, 0), raw_argument(&context, 2));
    0
}

/// `int vfs_rename(struct renamedata *rd)`. The old dentry has the new name now.
#[fexit]
pub(crate) fn rename_done(context: FExitContext) -> i32 {
    let moved: u64 = read(raw_argument(&context, 0) + offset!(rename_dentry));
    Pending::done(raw_argument(&context, 1), moved, |pending| {
        Draft::alone::<File>(|draft| {
            let path = pending.append(draft);
            let previous = pending.append_previous(draft);
            send(draft, Kind::Rename, Some(path), Some(previous), 0);
        });
    });
    0
}

/// `sys_enter_rename` of `rename(const char *old, const char *new)`.
#[tracepoint]
pub(crate) fn rename_asked(context: TracePointContext) -> u32 {
    Asked::keep_two(&context, 2, 0, 1);
    0
}

/// `sys_enter_renameat` and `sys_enter_renameat2` of `renameat(int old_directory, const char *old, int new_directory, const char *new, ...)`.
#[tracepoint]
pub(crate) fn renameat_asked(context: TracePointContext) -> u32 {
    Asked::keep_two(&context, 4, 1, 3);
    0
}

/// `sys_exit_rename`.
#[tracepoint]
pub(crate) fn rename(context: TracePointContext) -> u32 {
    Asked::returned(&context, [0, 1], |asked| {
        renamed(asked, AT_FDCWD, AT_FDCWD);
    });
    0
}

/// `sys_exit_renameat` and `sys_exit_renameat2`.
#[tracepoint]
pub(crate) fn renameat(context: TracePointContext) -> u32 {
    Asked::returned(&context, [1, 3], |asked| {
        renamed(asked, asked.argument(0) as i32, asked.argument(2) as i32);
    });
    0
}

#[inline(always)]
fn renamed(asked: &Call, old_directory: i32, new_directory: i32) {
    let Some(draft) = Draft::new::<File>() else { return };
    let path = named(draft, asked, new_directory, 1);
    let previous = named(draft, asked, old_directory, 0);
    send(draft, Kind::Rename, path, previous, 0);
}
