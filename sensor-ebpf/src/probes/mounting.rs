//! File systems mounted and unmounted, as the kernel's own functions are asked for it: with its copies of the strings, and the paths that it found.

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use bongsu_sensor_abi::{Mount, PathText};

use super::mount::{Change, Source, device, kind};
use crate::{
    globals::offset,
    held,
    record::{Draft, Ring, is_own, lose, raw_argument},
    task::{Task, read},
};

/// `int path_mount(const char *dev_name, struct path *path, const char *type_page, unsigned long flags, void *data_page)`: what mount(2) comes
/// to.
#[fexit]
pub(crate) fn mount_done(context: FExitContext) -> i32 {
    if !is_own() && raw_argument(&context, 5) as i32 == 0 {
        Draft::alone::<Mount>(|draft| mounted(draft, &context));
    }
    0
}

#[inline(always)]
fn mounted(draft: Draft, context: &FExitContext) {
    let (change, from) = Change::mount(raw_argument(context, 3));
    let given = raw_argument(context, 0);
    let source = match from {
        Source::Name => PathText { walk_len: 0, name_len: draft.kernel_string(given) },
        Source::Path => {
            draft.flag(Mount::SOURCE_IS_PATH);
            located(draft, given)
        }
        Source::Unused => PathText::default(),
    };
    let target = walked(draft, raw_argument(context, 1));
    let kind_len = if from == Source::Name { draft.kernel_string(raw_argument(context, 2)) } else { 0 };
    draft.send(change.head(draft, source, target, kind_len), Ring::Other);
}

/// `int path_umount(struct path *path, int flags)`. The mount is in its place still.
#[fentry]
pub(crate) fn unmount_begins(context: FEntryContext) -> i32 {
    if !is_own() {
        let _holds = held::hold(|draft| {
            let target = walked(draft, raw_argument(&context, 0));
            Change::unmount(raw_argument(&context, 1)).head(draft, PathText::default(), target, 0)
        });
    }
    0
}

/// The same function, which has let go of the mount.
#[fexit]
pub(crate) fn unmount_done(context: FExitContext) -> i32 {
    if is_own() {
        return 0;
    }
    if raw_argument(&context, 2) as i32 != 0 {
        held::forget();
    } else if !held::release() {
        lose(Ring::Other);
    }
    0
}

/// `int security_move_mount(const struct path *from_path, const struct path *to_path)`, of move_mount(2), whose return tells what came of it.
#[fentry]
pub(crate) fn move_begins(context: FEntryContext) -> i32 {
    if !is_own() {
        let _holds = held::hold(|draft| moved(draft, raw_argument(&context, 0), raw_argument(&context, 1)));
    }
    0
}

#[inline(always)]
fn moved(draft: Draft, from: u64, to: u64) -> Mount {
    let mount = read::<u64>(from + offset!(path_mount)) - offset!(mount_vfsmount);
    // What fsmount(2) or open_tree(2) gave is nowhere yet.
    if read::<u64>(mount + offset!(mount_parent)) == mount {
        let source = device(draft, from);
        let target = walked(draft, to);
        return Change::PUT.head(draft, source, target, kind(draft, from));
    }
    draft.flag(Mount::SOURCE_IS_PATH);
    let source = walked(draft, from);
    let target = walked(draft, to);
    Change::MOVE.head(draft, source, target, 0)
}

/// Appends where the `struct path` there is.
#[inline(always)]
fn walked(draft: Draft, path: u64) -> PathText {
    PathText { walk_len: draft.path(path, Mount::PATH_CUT), name_len: 0 }
}

/// Appends a path of which only the kernel's copy of the string is at hand, seen from where the program stands.
#[inline(always)]
fn located(draft: Draft, name: u64) -> PathText {
    let fs = Task::current().pointer(offset!(task_fs));
    let from = if read::<u8>(name) == b'/' { fs + offset!(fs_root) } else { fs + offset!(fs_pwd) };
    let walk_len = draft.path(from, Mount::PATH_CUT);
    PathText { walk_len, name_len: draft.kernel_string(name) }
}
