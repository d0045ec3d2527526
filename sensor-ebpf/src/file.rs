//! From descriptors and pointers of a program to files and paths of the kernel.

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_user},
    programs::TracePointContext,
};
use aya_log_ebpf::debug;
use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    globals::offset,
    record::{Draft, Ring, heard},
    task::{Task, read},
};

pub(crate) const AT_FDCWD: i32 = -100;
const TYPE_MASK: u16 = 0o170_000;
const REGULAR: u16 = 0o100_000;
const SOCKET: u16 = 0o140_000;

/// What a system call returned. The format of every `sys_exit_*`: 8 bytes common to all, the number of the call, the result.
#[inline(always)]
pub(crate) fn result(context: &TracePointContext) -> i64 {
    heard(bpf_get_current_pid_tgid());
    // SAFETY: see the format above.
    unsafe { *context.as_ptr().cast::<i64>().add(2) }
}

/// An open file: a `struct file`, by its address.
#[derive(Clone, Copy)]
pub(crate) struct OpenFile(u64);

impl OpenFile {
    /// The file behind a descriptor of the task, which has just used it or got it.
    #[inline(always)]
    pub(crate) fn of(task: Task, descriptor: u64) -> Option<Self> {
        let table: u64 = read(task.pointer(offset!(task_files)) + offset!(files_table));
        if descriptor >= u64::from(read::<u32>(table + offset!(table_len))) {
            return None;
        }
        let file: u64 = read(read::<u64>(table + offset!(table_files)) + descriptor * 8);
        if file == 0 { None } else { Some(Self(file)) }
    }

    /// The address of its `struct path`.
    #[inline(always)]
    pub(crate) fn path(self) -> u64 {
        self.0 + offset!(file_path)
    }

    /// The kernel's FMODE bits.
    #[inline(always)]
    pub(crate) fn mode(self) -> u32 {
        read(self.0 + offset!(file_mode))
    }

    /// What the file's own kind keeps with it.
    #[inline(always)]
    pub(crate) fn private(self) -> u64 {
        read(self.0 + offset!(file_private))
    }

    #[inline(always)]
    pub(crate) fn inode(self) -> Inode {
        Inode(read(self.0 + offset!(file_inode)))
    }

    /// The `struct sock` behind it, when it is a socket.
    #[inline(always)]
    pub(crate) fn sock(self) -> Option<u64> {
        if self.inode().mode() & TYPE_MASK != SOCKET {
            return None;
        }
        Some(read(self.private() + offset!(socket_sock)))
    }
}

/// A `struct inode`, by its address.
#[derive(Clone, Copy)]
pub(crate) struct Inode(pub(crate) u64);

impl Inode {
    #[inline(always)]
    pub(crate) fn mode(self) -> u16 {
        read(self.0 + offset!(inode_mode))
    }

    #[inline(always)]
    pub(crate) fn is_regular(self) -> bool {
        self.mode() & TYPE_MASK == REGULAR
    }

    #[inline(always)]
    pub(crate) fn number(self) -> u64 {
        read(self.0 + offset!(inode_number))
    }

    /// The device it lies on, in the kernel's encoding.
    #[inline(always)]
    pub(crate) fn device(self) -> u32 {
        read(read::<u64>(self.0 + offset!(inode_super)) + offset!(super_device))
    }

    /// What the kernel numbers its file system's kind by.
    #[inline(always)]
    pub(crate) fn magic(self) -> u64 {
        read(read::<u64>(self.0 + offset!(inode_super)) + offset!(super_magic))
    }

    /// Whether it lies on a file system whose files are windows into the kernel. Every shell writes there all the time, and nothing stays.
    #[inline(always)]
    pub(crate) fn is_pseudo(self) -> bool {
        let magic = self.magic();
        magic == 0x9fa0 // proc
            || magic == 0x6265_6572 // sysfs
            || magic == 0x7472_6163 // tracefs
            || magic == 0x6462_6720 // debugfs
            || magic == 0x0027_e0eb // cgroup
            || magic == 0x6367_7270 // cgroup2
            || magic == 0x7363_6673 // securityfs
            || magic == 0xf97c_ff8c // selinuxfs
            || magic == 0xcafe_4a11 // bpf
    }
}

/// Appends a path that a program gave as a string, seen from a directory descriptor. `None` when the string cannot be read any more.
///
/// The kernel's own copy is gone by the time the call returns; the program's may have been changed by another of its threads. A hook inside
/// the call would see the kernel's copy: that is what this rung lacks.
#[inline(always)]
pub(crate) fn named(draft: Draft, context: &TracePointContext, directory: i32, name: u64) -> Option<PathText> {
    let task = Task::current();
    // SAFETY: the helper checks the source.
    let Ok(first) = (unsafe { bpf_probe_read_user(name as *const u8) }) else {
        debug!(context, "a path at {:x} is not in memory", name);
        return None;
    };
    let from = match (first, directory) {
        (b'/', _) => task.pointer(offset!(task_fs)) + offset!(fs_root),
        (_, AT_FDCWD) => task.pointer(offset!(task_fs)) + offset!(fs_pwd),
        _ => OpenFile::of(task, directory as u64)?.path(),
    };
    let walk_len = draft.path(from, File::PATH_CUT);
    let name_len = draft.user_string(name);
    if name_len == 0 { None } else { Some(PathText { walk_len, name_len }) }
}

/// Sends the record of a file that only its path tells of.
#[inline(always)]
pub(crate) fn send(draft: Draft, kind: Kind, path: PathText, previous: PathText, mode: u32) {
    let header = draft.header(Task::current(), kind);
    draft.send(File { header, inode: 0, device: 0, mode, path, previous }, Ring::Other);
}
