//! Files between being opened for writing and being closed by the last who holds them.
//!
//! Whether a file was written is told by what writing changes, its size and its time of modification, and not by what was asked for. Writing as
//! many bytes as were there before within a tick of the file system's clock (some milliseconds) of the change before that leaves no trace.

use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    file::{Inode, OpenFile, State},
    globals::offset,
    maps::WRITING,
    record::{Draft, Ring},
    task::{Task, read},
};

/// A file that is open for writing.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Writing {
    /// The address of its inode: another one now is another file at the same address.
    inode: u64,
    /// As it was opened.
    state: State,
    /// Which walk through a table of descriptors met it last.
    walk: u64,
    /// How often that walk met it.
    met: u64,
}

impl Writing {
    /// Remembers a file that has just been opened for writing.
    #[inline(always)]
    pub(crate) fn begins(file: OpenFile, inode: Inode) {
        // Fails only when the kernel has no memory; then the closing of this file is not told.
        let _kept = WRITING.insert(file.address(), Self { inode: inode.0, state: inode.state(), walk: 0, met: 0 }, 0);
    }
}

/// A descriptor of the current task is about to be closed: tells of the file when that was the last.
#[inline(always)]
pub(crate) fn closes(descriptor: u64) {
    // Nearly all that is closed is something else, and leaves here. Whether the table is that long is asked of the others.
    let table: u64 = read(Task::current().pointer(offset!(task_files)) + offset!(files_table));
    let file: u64 = read(read::<u64>(table + offset!(table_files)) + descriptor * 8);
    if WRITING.get_ptr(file).is_some() {
        closes_one_of(descriptor, 0);
    }
}

/// As [`closes`], when several are closed at once, for one file may have several of them; `walk` is the same number for all.
#[inline(always)]
pub(crate) fn closes_one_of(descriptor: u64, walk: u64) {
    let _unused = close_descriptor(descriptor, walk);
}

/// A global function, for the same reason as those of `walk`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn close_descriptor(descriptor: u64, walk: u64) -> u64 {
    let Some(file) = OpenFile::of(Task::current(), descriptor) else { return 0 };
    let Some(writing) = WRITING.get_ptr_mut(file.address()) else { return 0 };
    // SAFETY: the map's value. Two processes that close the same file at once each hold it still, so neither is taken for the last.
    let known = unsafe {
        if walk != 0 && (*writing).walk == walk {
            (*writing).met += 1;
        } else {
            (*writing).walk = walk;
            (*writing).met = 1;
        }
        *writing
    };
    if known.met < file.holders() {
        return 0;
    }
    // It is there.
    let _removed = WRITING.remove(file.address());
    let inode = file.inode();
    if inode.0 == known.inode && inode.state() != known.state {
        let _sent = tell(file, inode);
    }
    1
}

#[inline(always)]
fn tell(file: OpenFile, inode: Inode) -> Option<()> {
    let draft = Draft::new::<File>()?;
    let walk_len = draft.path(file.path(), File::PATH_CUT);
    let head = File {
        header: draft.header(Task::current(), Kind::CloseWrite),
        inode: inode.number(),
        device: inode.device(),
        mode: u32::from(inode.mode()),
        path: PathText { walk_len, name_len: 0 },
        previous: PathText::default(),
    };
    draft.send(head, Ring::Other);
    Some(())
}
