//! Files that are made, opened for writing, or, when they are sensitive, opened for reading.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{Family, File, Kind, PathText};

use crate::{
    file::{OpenFile, result},
    maps::SENSITIVE,
    probes::memory::memory_opened,
    record::{Draft, Ring, is_own},
    task::Task,
    writing::Writing,
};

/// FMODE_WRITE.
const WRITE: u32 = 0x2;
/// FMODE_CREATED: this very call made the file.
const CREATED: u32 = 0x10_0000;

/// `sys_exit_open`, `sys_exit_openat`, `sys_exit_openat2`, `sys_exit_creat`: the result is a descriptor, and the path is read from the
/// file behind it, never from what the program passed.
#[tracepoint]
pub(crate) fn opened(context: TracePointContext) -> u32 {
    let descriptor = result(&context);
    if descriptor >= 0 && !is_own() {
        let _sent = tell(descriptor as u64);
    }
    0
}

/// Tells of the file that the current task has just opened as this descriptor, when that matters.
#[inline(always)]
pub(crate) fn tell(descriptor: u64) -> Option<()> {
    let task = Task::current();
    let file = OpenFile::of(task, descriptor)?;
    let inode = file.inode();
    let mode = file.mode();
    let number = inode.number();
    let kind = if mode & (CREATED | WRITE) == 0 {
        // SAFETY: nobody keeps the reference; userland may change the entry meanwhile, which does no harm.
        unsafe { SENSITIVE.get(&number) }?;
        Kind::Read
    } else if !inode.is_regular() || inode.is_pseudo() {
        return memory_opened(file);
    } else if mode & CREATED != 0 {
        Kind::Create
    } else {
        Kind::Write
    };
    if mode & WRITE != 0 {
        // Whether or not the opening itself is told.
        Writing::begins(file, inode);
    }
    let family = if kind as u32 == Kind::Read as u32 { Family::Sensitive } else { Family::File };
    let draft = Draft::charged::<File>(family)?;
    let walk_len = draft.path(file.path(), File::PATH_CUT);
    let head = File {
        header: draft.header(task, kind),
        inode: number,
        device: inode.device(),
        mode: u32::from(inode.mode()),
        path: PathText { walk_len, name_len: 0 },
        previous: PathText::default(),
    };
    draft.send(head, Ring::Other);
    Some(())
}
