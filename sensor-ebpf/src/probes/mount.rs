//! File systems mounted and unmounted.

use aya_ebpf::{helpers::bpf_probe_read_user, macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{Kind, Mount, PathText};

use crate::{
    file::{AT_FDCWD, OpenFile, result},
    globals::offset,
    held,
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
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) flags: u64,
}

/// What mount(2) makes of its source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A name for a new file system.
    Name,
    /// A path: a directory is bound, or a mount moved.
    Path,
    /// Nothing: flags of a mount are set.
    Unused,
}

impl Change {
    /// By the flags of mount(2).
    #[inline(always)]
    pub(super) fn mount(flags: u64) -> (Self, Source) {
        let flags = if flags & MAGIC_MASK == MAGIC { flags & !MAGIC_MASK } else { flags };
        // In the order in which the kernel looks at them.
        let (bind, remount) = (flags & BIND != 0, flags & REMOUNT != 0);
        let source = if remount || (!bind && flags & PROPAGATION != 0) {
            Source::Unused
        } else if flags & (BIND | MOVE) == 0 {
            Source::Name
        } else {
            Source::Path
        };
        (Self { kind: Kind::Mount, flags }, source)
    }

    /// A mount goes to another place.
    pub(super) const MOVE: Self = Self { kind: Kind::Mount, flags: MOVE };

    /// What was put together by descriptors is mounted.
    pub(super) const PUT: Self = Self { kind: Kind::Mount, flags: 0 };

    /// By the flags of umount2(2).
    #[inline(always)]
    pub(super) fn unmount(flags: u64) -> Self {
        Self { kind: Kind::Unmount, flags: flags & 0xffff_ffff }
    }

    /// The head of the record.
    #[inline(always)]
    pub(super) fn head(self, draft: Draft, source: PathText, target: PathText, kind_len: u16) -> Mount {
        let header = draft.header(Task::current(), self.kind);
        Mount { header, flags: self.flags, source, target, kind_len, reserved: [0; 3] }
    }
}

/// `sys_exit_mount` of `mount(char *source, char *target, char *kind, unsigned long flags, ...)`.
#[tracepoint]
pub(crate) fn mounted(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        told(mount(Arguments::current()));
    }
    0
}

/// `sys_exit_move_mount` of `move_mount(int from_directory, const char *from, int to_directory, const char *to, ...)`. On the better rung the
/// record is there by now.
#[tracepoint]
pub(crate) fn mount_moved(context: TracePointContext) -> u32 {
    if is_own() {
        return 0;
    }
    if result(&context) != 0 {
        held::forget();
    } else if !held::release() {
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
fn mount(arguments: Arguments) -> Option<()> {
    let Some(draft) = Draft::new::<Mount>() else { return Some(()) };
    let (change, from) = Change::mount(arguments.fourth());
    let source = match from {
        Source::Name => PathText { walk_len: 0, name_len: draft.user_string(arguments.first()) },
        Source::Path => {
            draft.flag(Mount::SOURCE_IS_PATH);
            located(draft, AT_FDCWD, arguments.first())?
        }
        Source::Unused => PathText::default(),
    };
    let target = located(draft, AT_FDCWD, arguments.second())?;
    let kind_len = if from == Source::Name { draft.user_string(arguments.third()) } else { 0 };
    send(draft, change, source, target, kind_len)
}

/// What fsmount(2) or open_tree(2) gave as a descriptor lies where its own path says now. All of it is the kernel's.
#[inline(always)]
fn put(descriptor: u64) -> Option<()> {
    let path = OpenFile::of(Task::current(), descriptor)?.path();
    let Some(draft) = Draft::new::<Mount>() else { return Some(()) };
    let source = device(draft, path);
    let target = PathText { walk_len: draft.path(path, Mount::PATH_CUT), name_len: 0 };
    send(draft, Change::PUT, source, target, kind(draft, path))
}

/// Appends what the mount of the `struct path` there says that it is of.
#[inline(always)]
pub(super) fn device(draft: Draft, path: u64) -> PathText {
    let mount = read::<u64>(path + offset!(path_mount)) - offset!(mount_vfsmount);
    PathText { walk_len: 0, name_len: draft.kernel_string(read(mount + offset!(mount_device))) }
}

/// Appends the kind of file system that the `struct path` there is on.
#[inline(always)]
pub(super) fn kind(draft: Draft, path: u64) -> u16 {
    let super_block: u64 = read(read::<u64>(path + offset!(path_mount)) + offset!(vfsmount_super));
    draft.kernel_string(read(read::<u64>(super_block + offset!(super_type)) + offset!(type_name)))
}

#[inline(always)]
fn moved(arguments: Arguments) -> Option<()> {
    let Some(draft) = Draft::new::<Mount>() else { return Some(()) };
    draft.flag(Mount::SOURCE_IS_PATH);
    let source = located(draft, arguments.first() as i32, arguments.second())?;
    let target = located(draft, arguments.third() as i32, arguments.fourth())?;
    send(draft, Change::MOVE, source, target, 0)
}

#[inline(always)]
fn unmount(arguments: Arguments) -> Option<()> {
    let Some(draft) = Draft::new::<Mount>() else { return Some(()) };
    let target = located(draft, AT_FDCWD, arguments.first())?;
    send(draft, Change::unmount(arguments.second()), PathText::default(), target, 0)
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
    draft.send(change.head(draft, source, target, kind_len), Ring::Other);
    Some(())
}
