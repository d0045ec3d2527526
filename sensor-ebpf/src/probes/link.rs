//! Files that get one more name: hard links, and symbolic links to them.

use aya_ebpf::{
    macros::{fentry, fexit, tracepoint},
    programs::{FEntryContext, FExitContext, TracePointContext},
};
use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    asked::{Asked, Call},
    file::{AT_FDCWD, named, send},
    pending::Pending,
    record::{Draft, raw_argument},
};

/// `int security_path_link(struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry)`.
#[fentry]
pub(crate) fn link_begins(context: FEntryContext) -> i32 {
    Pending::keep(raw_argument(&context, 2), raw_argument(&context, 1));
    0
}

/// `int vfs_link(struct dentry *old_dentry, struct mnt_idmap *idmap, struct inode *dir, struct dentry *new_dentry, ...)`, five arguments. Both
/// names are seen through the same mount, or the kernel refuses.
#[fexit]
pub(crate) fn link_done(context: FExitContext) -> i32 {
    Pending::done(raw_argument(&context, 5), raw_argument(&context, 3), |pending| {
        Draft::alone::<File>(|draft| {
            let path = pending.append(draft);
            let other = pending.append_other(draft, raw_argument(&context, 0));
            send(draft, Kind::Link, Some(path), Some(other), 0);
        });
    });
    0
}

/// `int security_path_symlink(const struct path *dir, struct dentry *dentry, const char *old_name)`.
#[fentry]
pub(crate) fn symlink_begins(context: FEntryContext) -> i32 {
    Pending::keep(raw_argument(&context, 1), raw_argument(&context, 0));
    0
}

/// `int vfs_symlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, const char *oldname)`.
#[fexit]
pub(crate) fn symlink_done(context: FExitContext) -> i32 {
    Pending::done(raw_argument(&context, 4), raw_argument(&context, 2), |pending| {
        Draft::alone::<File>(|draft| {
            let path = pending.append(draft);
            let says = PathText { walk_len: 0, name_len: draft.kernel_string(raw_argument(&context, 3)) };
            send(draft, Kind::Symlink, Some(path), Some(says), 0);
        });
    });
    0
}

/// `sys_enter_link` of `link(const char *old, const char *new)`.
#[tracepoint]
pub(crate) fn link_asked(context: TracePointContext) -> u32 {
    Asked::keep_two(&context, 2, 0, 1);
    0
}

/// `sys_enter_linkat` of `linkat(int old_directory, const char *old, int new_directory, const char *new, int flags)`.
#[tracepoint]
pub(crate) fn linkat_asked(context: TracePointContext) -> u32 {
    Asked::keep_two(&context, 4, 1, 3);
    0
}

/// `sys_enter_symlink` of `symlink(const char *says, const char *path)`.
#[tracepoint]
pub(crate) fn symlink_asked(context: TracePointContext) -> u32 {
    Asked::keep_two(&context, 2, 0, 1);
    0
}

/// `sys_enter_symlinkat` of `symlinkat(const char *says, int directory, const char *path)`.
#[tracepoint]
pub(crate) fn symlinkat_asked(context: TracePointContext) -> u32 {
    Asked::keep_two(&context, 3, 0, 2);
    0
}

/// `sys_exit_link`.
#[tracepoint]
pub(crate) fn link(context: TracePointContext) -> u32 {
    Asked::returned(&context, [0, 1], |asked| {
        linked(asked, AT_FDCWD, AT_FDCWD);
    });
    0
}

/// `sys_exit_linkat`.
#[tracepoint]
pub(crate) fn linkat(context: TracePointContext) -> u32 {
    Asked::returned(&context, [1, 3], |asked| {
        linked(asked, asked.argument(0) as i32, asked.argument(2) as i32);
    });
    0
}

/// `sys_exit_symlink`.
#[tracepoint]
pub(crate) fn symlink(context: TracePointContext) -> u32 {
    Asked::returned(&context, [0, 1], |asked| {
        pointed(asked, AT_FDCWD);
    });
    0
}

/// `sys_exit_symlinkat`.
#[tracepoint]
pub(crate) fn symlinkat(context: TracePointContext) -> u32 {
    Asked::returned(&context, [0, 2], |asked| {
        pointed(asked, asked.argument(1) as i32);
    });
    0
}

#[inline(always)]
fn linked(asked: &Call, old_directory: i32, new_directory: i32) {
    let Some(draft) = Draft::new::<File>() else { return };
    let path = named(draft, asked, new_directory, 1);
    let other = named(draft, asked, old_directory, 0);
    send(draft, Kind::Link, path, other, 0);
}

#[inline(always)]
fn pointed(asked: &Call, directory: i32) {
    let Some(draft) = Draft::new::<File>() else { return };
    let path = named(draft, asked, directory, 1);
    let name_len = asked.append(draft, 0);
    let says = if name_len == 0 { None } else { Some(PathText { walk_len: 0, name_len }) };
    send(draft, Kind::Symlink, path, says, 0);
}
