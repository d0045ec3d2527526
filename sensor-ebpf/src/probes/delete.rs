//! Files that lose a name.

use aya_ebpf::{
    macros::{fentry, fexit, tracepoint},
    programs::{FEntryContext, FExitContext, TracePointContext},
};
use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    asked::{Asked, Call, NONE},
    file::{AT_FDCWD, named, send},
    pending::Pending,
    record::{Draft, raw_argument},
};

const AT_REMOVEDIR: u64 = 0x200;

/// `int security_path_unlink(const struct path *dir, struct dentry *dentry)`: not for directories.
#[fentry]
pub(crate) fn unlink_begins(context: FEntryContext) -> i32 {
    Pending::keep(raw_argument(&context, 1), raw_argument(&context, 0));
    0
}

/// `int vfs_unlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, ...)`, four arguments.
#[fexit]
pub(crate) fn unlink_done(context: FExitContext) -> i32 {
    Pending::done(raw_argument(&context, 4), raw_argument(&context, 2), |pending| {
        Draft::alone::<File>(|draft| {
            let path = pending.append(draft);
            send(draft, Kind::Delete, Some(path), Some(PathText::default()), 0);
        });
    });
    0
}

/// `sys_enter_unlink` of `unlink(const char *path)`.
#[tracepoint]
pub(crate) fn unlink_asked(context: TracePointContext) -> u32 {
    Asked::keep(&context, 1, 0);
    0
}

/// `sys_enter_unlinkat` of `unlinkat(int directory, const char *path, int flags)`.
#[tracepoint]
pub(crate) fn unlinkat_asked(context: TracePointContext) -> u32 {
    Asked::keep(&context, 3, 1);
    0
}

/// `sys_exit_unlink`.
#[tracepoint]
pub(crate) fn unlink(context: TracePointContext) -> u32 {
    Asked::returned(&context, [0, NONE], |asked| {
        deleted(asked, AT_FDCWD);
    });
    0
}

/// `sys_exit_unlinkat`.
#[tracepoint]
pub(crate) fn unlinkat(context: TracePointContext) -> u32 {
    Asked::returned(&context, [1, NONE], |asked| {
        // Directories are no files.
        if asked.argument(2) & AT_REMOVEDIR == 0 {
            deleted(asked, asked.argument(0) as i32);
        }
    });
    0
}

#[inline(always)]
fn deleted(asked: &Call, directory: i32) {
    let Some(draft) = Draft::new::<File>() else { return };
    let path = named(draft, asked, directory, 0);
    send(draft, Kind::Delete, path, Some(PathText::default()), 0);
}
