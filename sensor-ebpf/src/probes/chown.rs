//! Files whose owner or group is set.

use aya_ebpf::{
    macros::{fexit, tracepoint},
    programs::{FExitContext, TracePointContext},
};
use bongsu_sensor_abi::{Chown, File, Kind, PathText};

use crate::{
    asked::{Asked, Call, NONE},
    file::{AT_FDCWD, Inode, OpenFile, named, result},
    record::{Draft, Ring, is_own, lose, raw_argument},
    task::{Arguments, Task},
};

/// An id that is left as it is.
const LEFT: u32 = u32::MAX;

/// `int chown_common(const struct path *path, uid_t user, gid_t group)`: what all of the calls come to. The ids are those of the caller's
/// user namespace; the inode has the host's.
#[fexit]
pub(crate) fn chown_done(context: FExitContext) -> i32 {
    if !is_own() && raw_argument(&context, 3) as i32 == 0 {
        Draft::alone::<Chown>(|draft| {
            let path = raw_argument(&context, 0);
            let owner = given(path, raw_argument(&context, 1) as u32, raw_argument(&context, 2) as u32);
            send(draft, Some(walked(draft, path)), owner);
        });
    }
    0
}

/// `sys_enter_chown` and `sys_enter_lchown` of `chown(const char *path, uid_t user, gid_t group)`.
#[tracepoint]
pub(crate) fn chown_asked(context: TracePointContext) -> u32 {
    Asked::keep(&context, 3, 0);
    0
}

/// `sys_enter_fchownat` of `fchownat(int directory, const char *path, uid_t user, gid_t group, int flags)`.
#[tracepoint]
pub(crate) fn fchownat_asked(context: TracePointContext) -> u32 {
    Asked::keep(&context, 4, 1);
    0
}

/// `sys_exit_chown` and `sys_exit_lchown`.
#[tracepoint]
pub(crate) fn chown(context: TracePointContext) -> u32 {
    Asked::returned(&context, [0, NONE], |asked| {
        changed(asked, AT_FDCWD, asked.argument(1) as u32, asked.argument(2) as u32);
    });
    0
}

/// `sys_exit_fchownat`.
#[tracepoint]
pub(crate) fn fchownat(context: TracePointContext) -> u32 {
    Asked::returned(&context, [1, NONE], |asked| {
        changed(asked, asked.argument(0) as i32, asked.argument(2) as u32, asked.argument(3) as u32);
    });
    0
}

/// `sys_exit_fchown` of `fchown(int descriptor, uid_t user, gid_t group)`.
#[tracepoint]
pub(crate) fn fchown(context: TracePointContext) -> u32 {
    if !is_own()
        && result(&context) == 0
        && let Some(draft) = Draft::new::<Chown>()
    {
        let arguments = Arguments::current();
        match OpenFile::of(Task::current(), arguments.first()) {
            Some(file) => {
                let owner = given(file.path(), arguments.second() as u32, arguments.third() as u32);
                send(draft, Some(walked(draft, file.path())), owner);
            }
            // Another thread closed it before the call returned.
            None => lose(Ring::Other),
        }
    }
    0
}

/// The path is all that this rung has of the file, so the ids are the caller's.
#[inline(always)]
fn changed(asked: &Call, directory: i32, uid: u32, gid: u32) {
    let Some(draft) = Draft::new::<Chown>() else { return };
    let path = named(draft, asked, directory, 0);
    send(draft, path, (uid, gid));
}

/// The ids that the file at a `struct path` has now, where they were asked for.
#[inline(always)]
fn given(path: u64, uid: u32, gid: u32) -> (u32, u32) {
    let (has_uid, has_gid) = Inode::of_path(path).owner();
    (if uid == LEFT { LEFT } else { has_uid }, if gid == LEFT { LEFT } else { has_gid })
}

#[inline(always)]
fn walked(draft: Draft, path: u64) -> PathText {
    PathText { walk_len: draft.path(path, File::PATH_CUT), name_len: 0 }
}

#[inline(always)]
fn send(draft: Draft, path: Option<PathText>, (uid, gid): (u32, u32)) {
    let Some(path) = path else { return lose(Ring::Other) };
    let header = draft.header(Task::current(), Kind::Chown);
    draft.send(Chown { header, uid, gid, path, reserved: 0 }, Ring::Other);
}
