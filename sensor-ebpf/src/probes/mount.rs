//! File systems mounted and unmounted.

use aya_ebpf::{helpers::bpf_probe_read_user, macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{Kind, Mount, PathText};

use crate::{
    file::{AT_FDCWD, OpenFile, result},
    globals::offset,
    record::{Counted, Draft, Ring, is_own},
    task::{Arguments, Task, read},
};

const REMOUNT: u64 = 0x20;
const BIND: u64 = 0x1000;
const MOVE: u64 = 0x2000;
/// MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED.
const PROPAGATION: u64 = 0x1e_0000;
/// What old programs put above the flags; the kernel takes it away.
const MAGIC: u64 = 0xc0ed_0000;
const MAGIC_MASK: u64 = 0xffff_0000;

/// What happened to a mount, but for the text.
#[derive(Clone, Copy)]
struct Change {
    kind: Kind,
    flags: u64,
}

/// `sys_exit_mount` of `mount(char *source, char *target, char *kind, unsigned long flags, ...)`.
#[tracepoint]
pub(crate) fn mounted(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let arguments = Arguments::current();
        let flags = arguments.fourth();
        let flags = if flags & MAGIC_MASK == MAGIC { flags & !MAGIC_MASK } else { flags };
        told(mount(arguments, flags));
    }
    0
}

/// `sys_exit_move_mount` of `move_mount(int from_directory, const char *from, int to_directory, const char *to, ...)`.
#[tracepoint]
pub(crate) fn mount_moved(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let arguments = Arguments::current();
        // SAFETY: the helper checks the source.
        let first = unsafe { bpf_probe_read_user(arguments.second() as *const u8) }.unwrap_or(0);
        told(if first == 0 { put(arguments.first()) } else { moved(arguments) });
    }
    0
}

/// `sys_exit_umount` of `umount2(char *target, int flags)`.
#[tracepoint]
pub(crate) fn unmounted(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        told(unmount(Arguments::current()));
    }
    0
}

/// A path that was in memory when the kernel read it, and is not there now, costs the event, which counts as lost.
#[inline(always)]
fn told(sent: Option<()>) {
    if sent.is_none()
        && let Some(counted) = Counted::new(Ring::Other)
    {
        counted.lost();
    }
}

#[inline(always)]
fn mount(arguments: Arguments, flags: u64) -> Option<()> {
    let Some(draft) = Draft::new::<Mount>() else { return Some(()) };
    let change = Change { kind: Kind::Mount, flags };
    // In the order in which the kernel looks at them.
    let (bind, remount) = (flags & BIND != 0, flags & REMOUNT != 0);
    let only_flags = remount || (!bind && flags & PROPAGATION != 0);
    if !only_flags && flags & (BIND | MOVE) == 0 {
        let source = PathText { walk_len: 0, name_len: draft.user_string(arguments.first()) };
        let target = located(draft, AT_FDCWD, arguments.second())?;
        return send(draft, change, source, target, draft.user_string(arguments.third()));
    }
    let mut source = PathText { walk_len: 0, name_len: 0 };
    if !only_flags {
        draft.flag(Mount::SOURCE_IS_PATH);
        source = located(draft, AT_FDCWD, arguments.first())?;
    }
    let target = located(draft, AT_FDCWD, arguments.second())?;
    send(draft, change, source, target, 0)
}

/// What fsmount(2) or open_tree(2) gave as a descriptor lies where its own path says now. All of it is the kernel's.
#[inline(always)]
fn put(descriptor: u64) -> Option<()> {
    let path = OpenFile::of(Task::current(), descriptor)?.path();
    let Some(draft) = Draft::new::<Mount>() else { return Some(()) };
    let vfsmount: u64 = read(path + offset!(path_mount));
    let device: u64 = read(vfsmount - offset!(mount_vfsmount) + offset!(mount_device));
    let source = PathText { walk_len: 0, name_len: draft.kernel_string(device) };
    let target = PathText { walk_len: draft.path(path, Mount::PATH_CUT), name_len: 0 };
    let super_block: u64 = read(vfsmount + offset!(vfsmount_super));
    let name: u64 = read(read::<u64>(super_block + offset!(super_type)) + offset!(type_name));
    send(draft, Change { kind: Kind::Mount, flags: 0 }, source, target, draft.kernel_string(name))
}

#[inline(always)]
fn moved(arguments: Arguments) -> Option<()> {
    let Some(draft) = Draft::new::<Mount>() else { return Some(()) };
    draft.flag(Mount::SOURCE_IS_PATH);
    let source = located(draft, arguments.first() as i32, arguments.second())?;
    let target = located(draft, arguments.third() as i32, arguments.fourth())?;
    send(draft, Change { kind: Kind::Mount, flags: MOVE }, source, target, 0)
}

#[inline(always)]
fn unmount(arguments: Arguments) -> Option<()> {
    let Some(draft) = Draft::new::<Mount>() else { return Some(()) };
    let target = located(draft, AT_FDCWD, arguments.first())?;
    let change = Change { kind: Kind::Unmount, flags: arguments.second() & 0xffff_ffff };
    send(draft, change, PathText { walk_len: 0, name_len: 0 }, target, 0)
}

/// Appends a path that the program gave, seen from a directory descriptor.
#[inline(always)]
fn located(draft: Draft, directory: i32, name: u64) -> Option<PathText> {
    let task = Task::current();
    // SAFETY: the helper checks the source.
    let first = unsafe { bpf_probe_read_user(name as *const u8) }.ok()?;
    let from = match (first, directory) {
        (b'/', _) => task.pointer(offset!(task_fs)) + offset!(fs_root),
        (_, AT_FDCWD) => task.pointer(offset!(task_fs)) + offset!(fs_pwd),
        _ => OpenFile::of(task, directory as u64)?.path(),
    };
    let walk_len = draft.path(from, Mount::PATH_CUT);
    let name_len = draft.user_string(name);
    if name_len == 0 { None } else { Some(PathText { walk_len, name_len }) }
}

#[inline(always)]
fn send(draft: Draft, change: Change, source: PathText, target: PathText, kind_len: u16) -> Option<()> {
    let header = draft.header(Task::current(), change.kind);
    draft.send(Mount { header, flags: change.flags, source, target, kind_len, reserved: [0; 3] }, Ring::Other);
    Some(())
}
