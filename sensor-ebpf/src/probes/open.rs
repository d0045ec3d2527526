//! Files that are made, opened for writing, or, when they are sensitive, opened for reading.

use core::ptr;

use aya_ebpf::{helpers::generated::bpf_probe_read_user, macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{Family, File, Kind, PathText};

use crate::{
    file::{Inode, OpenFile, result},
    maps::{SENSITIVE, WALL_CLOCK},
    probes::memory::memory_opened,
    record::{Draft, Ring, is_own},
    task::{Arguments, Task},
    writing::Writing,
};

/// FMODE_WRITE.
const WRITE: u32 = 0x2;
/// FMODE_CREATED: this very call made the file.
const CREATED: u32 = 0x10_0000;
/// O_TRUNC.
const EMPTY_IT: u64 = 0o1000;
/// So many seconds after a file was written its reading is sent whatever the file: userland knows by its path whether it is a sensitive one that was
/// just made, and needs a moment to tell us of its inode.
const FRESH: u64 = 5;

// The result of each call is a descriptor, and the path is read from the file behind it, never from what the program passed.

/// `sys_exit_open` of `open(const char *path, int flags, ...)`.
#[tracepoint]
pub(crate) fn opened(context: TracePointContext) -> u32 {
    returns(&context, Arguments::current().second())
}

/// `sys_exit_openat` of `openat(int directory, const char *path, int flags, ...)`; `sys_exit_open_by_handle_at` of `open_by_handle_at(int mount,
/// struct file_handle *handle, int flags)`.
#[tracepoint]
pub(crate) fn opened_at(context: TracePointContext) -> u32 {
    returns(&context, Arguments::current().third())
}

/// `sys_exit_openat2` of `openat2(int directory, const char *path, struct open_how *how, size_t size)`. The kernel's copy of the flags, which come first in
/// `how`, is gone; what another thread puts there in between can hide at most that the file was emptied.
#[tracepoint]
pub(crate) fn opened_how(context: TracePointContext) -> u32 {
    let mut flags = 0_u64;
    // SAFETY: the helper checks the source and writes 8 bytes.
    unsafe { bpf_probe_read_user(ptr::from_mut(&mut flags).cast(), 8, Arguments::current().third() as *const _) };
    returns(&context, flags)
}

/// `sys_exit_creat`, which empties what is there.
#[tracepoint]
pub(crate) fn created(context: TracePointContext) -> u32 {
    returns(&context, EMPTY_IT)
}

#[inline(always)]
fn returns(context: &TracePointContext, flags: u64) -> u32 {
    let descriptor = result(context);
    if descriptor >= 0 && !is_own() {
        let _sent = tell(descriptor as u64, flags);
    }
    0
}

/// Tells of the file that the current task has just opened as this descriptor with these flags, when that matters.
#[inline(always)]
pub(crate) fn tell(descriptor: u64, flags: u64) -> Option<()> {
    let task = Task::current();
    let file = OpenFile::of(task, descriptor)?;
    let inode = file.inode();
    let mode = file.mode();
    let number = inode.number();
    // SAFETY: nobody keeps the reference; userland may change the entry meanwhile, which does no harm.
    let sensitive = unsafe { SENSITIVE.get(&number) }.is_some();
    let reads = mode & (CREATED | WRITE) == 0;
    if reads && !sensitive && !is_fresh(inode) {
        return None;
    }
    let window = inode.is_pseudo();
    if window && !sensitive && (reads || !is_lever(file)) || !inode.is_regular() {
        return memory_opened(file, reads);
    }
    let kind = if reads {
        Kind::Read
    } else if mode & CREATED != 0 {
        Kind::Create
    } else {
        Kind::Write
    };
    let family = if sensitive { Family::Sensitive } else { Family::File };
    if mode & WRITE != 0 && !window {
        // Whether or not the opening itself is told.
        Writing::begins(file, inode);
        if flags & EMPTY_IT != 0 && mode & CREATED == 0 && inode.size() == 0 {
            let _sent = send(task, file, inode, Kind::Truncate, family);
        }
    }
    send(task, file, inode, kind, family)
}

#[inline(always)]
fn send(task: Task, file: OpenFile, inode: Inode, kind: Kind, family: Family) -> Option<()> {
    let draft = Draft::charged::<File>(family)?;
    let walk_len = draft.path(file.path(), File::PATH_CUT);
    let head = File {
        header: draft.header(task, kind),
        inode: inode.number(),
        device: inode.device(),
        mode: u32::from(inode.mode()),
        path: PathText { walk_len, name_len: 0 },
        previous: PathText::default(),
    };
    draft.send(head, Ring::Other);
    Some(())
}

/// Whether the file was written within the last [`FRESH`] seconds. Those of proc are as old as the first look at them. Nothing is before the reader
/// runs, which sets the clock: all that is read until then would wait for it in the ring.
#[inline(always)]
fn is_fresh(inode: Inode) -> bool {
    match WALL_CLOCK.get(0) {
        Some(now) => *now != 0 && inode.modified() + FRESH >= *now,
        None => false,
    }
}

/// Whether the name is one of those windows into the kernel that hand over the host to who writes there: what runs when a program crashes or a
/// cgroup empties, which programs the kernel calls for help, whom a user namespace may be, what the kernel's own probes do.
#[inline(always)]
fn is_lever(file: OpenFile) -> bool {
    let name = file.name();
    name == *b"core_pattern\0\0\0\0"
        || name == *b"release_agent\0\0\0"
        || name == *b"modprobe\0\0\0\0\0\0\0\0"
        || name == *b"uid_map\0\0\0\0\0\0\0\0\0"
        || name == *b"gid_map\0\0\0\0\0\0\0\0\0"
        || name == *b"kprobe_events\0\0\0"
        || name == *b"uprobe_events\0\0\0"
        || name == *b"sysrq-trigger\0\0\0"
        || name == *b"uevent_helper\0\0\0"
}
