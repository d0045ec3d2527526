//! From descriptors and pointers of a program to files and paths of the kernel.

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_kernel_str},
    programs::TracePointContext,
};
use bongsu_sensor_abi::{ABSENT, File, Kind, PathText};

use crate::{
    asked::Call,
    globals::offset,
    record::{Draft, Ring, heard, lose},
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

    /// What tells it from all other files that are open.
    #[inline(always)]
    pub(crate) fn address(self) -> u64 {
        self.0
    }

    /// How many hold it: descriptors of any process, mappings, calls that are under way.
    #[inline(always)]
    pub(crate) fn holders(self) -> u64 {
        match offset!(file_others) {
            absent if absent == ABSENT as u64 => read(self.0 + offset!(file_count)),
            offset => read::<u64>(self.0 + offset).wrapping_add(1),
        }
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

    /// The beginning of its name, with zeroes behind it.
    #[inline(always)]
    pub(crate) fn name(self) -> [u8; 16] {
        let dentry: u64 = read(self.path() + offset!(path_dentry));
        let from: u64 = read(dentry + offset!(dentry_name) + offset!(qstr_name));
        let mut name = [0; 16];
        // SAFETY: the helper checks the source and writes 16 bytes at most.
        unsafe { bpf_probe_read_kernel_str(name.as_mut_ptr().cast(), 16, from as *const _) };
        name
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

/// What writing to a file changes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct State {
    size: u64,
    modified: u64,
    modified_ns: u64,
}

/// A `struct inode`, by its address.
#[derive(Clone, Copy)]
pub(crate) struct Inode(pub(crate) u64);

impl Inode {
    /// That of the `struct path` at `path`.
    #[inline(always)]
    pub(crate) fn of_path(path: u64) -> Self {
        Self(read(read::<u64>(path + offset!(path_dentry)) + offset!(dentry_inode)))
    }

    /// User and group, in the host's user namespace.
    #[inline(always)]
    pub(crate) fn owner(self) -> (u32, u32) {
        let [uid, gid]: [u32; 2] = read(self.0 + offset!(inode_uid));
        (uid, gid)
    }

    /// How many names it has.
    #[inline(always)]
    pub(crate) fn links(self) -> u32 {
        read(self.0 + offset!(inode_links))
    }

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

    #[inline(always)]
    pub(crate) fn size(self) -> u64 {
        read(self.0 + offset!(inode_size))
    }

    /// When it was modified last, in seconds since 1970.
    #[inline(always)]
    pub(crate) fn modified(self) -> u64 {
        read(self.0 + offset!(inode_modified))
    }

    /// Its size, and when it was modified last.
    #[inline(always)]
    pub(crate) fn state(self) -> State {
        let modified = self.0 + offset!(inode_modified);
        let modified_ns = match offset!(inode_modified_ns) {
            absent if absent == ABSENT as u64 => read(modified + 8),
            offset => u64::from(read::<u32>(self.0 + offset)),
        };
        State { size: self.size(), modified: self.modified(), modified_ns }
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
/// The string is that of the call's entry ([`Call`]), or, where the program's memory was not there by then, that of its return: the kernel's
/// own copy is gone. A hook inside the call sees what the kernel took: that is what this rung lacks.
#[inline(always)]
pub(crate) fn named(draft: Draft, asked: &Call, directory: i32, name: usize) -> Option<PathText> {
    let task = Task::current();
    let from = match (asked.first_byte(name), directory) {
        (b'/', _) => task.pointer(offset!(task_fs)) + offset!(fs_root),
        (_, AT_FDCWD) => task.pointer(offset!(task_fs)) + offset!(fs_pwd),
        _ => OpenFile::of(task, directory as u64)?.path(),
    };
    let walk_len = draft.path(from, File::PATH_CUT);
    let name_len = asked.append(draft, name);
    if name_len == 0 { None } else { Some(PathText { walk_len, name_len }) }
}

/// Sends the record of a file that only its path tells of; counts it as lost when that could not be read.
#[inline(always)]
pub(crate) fn send(draft: Draft, kind: Kind, path: Option<PathText>, previous: Option<PathText>, mode: u32) {
    let (Some(path), Some(previous)) = (path, previous) else { return lose(Ring::Other) };
    let header = draft.header(Task::current(), kind);
    draft.send(File { header, inode: 0, device: 0, mode, path, previous }, Ring::Other);
}

/// Sends the record of what was done to the file at a `struct path`, with nothing else to say than the mode.
#[inline(always)]
pub(crate) fn send_path(draft: Draft, kind: Kind, path: u64, mode: u32) {
    let walk_len = draft.path(path, File::PATH_CUT);
    send(draft, kind, Some(PathText { walk_len, name_len: 0 }), Some(PathText::default()), mode);
}

/// As [`send_path`], for the file behind a descriptor that a call was given, as it returns.
#[inline(always)]
pub(crate) fn send_open(kind: Kind, descriptor: u64, mode: u32) {
    let Some(draft) = Draft::new::<File>() else { return };
    match OpenFile::of(Task::current(), descriptor) {
        Some(file) => send_path(draft, kind, file.path(), mode),
        // Another thread closed it before the call returned.
        None => lose(Ring::Other),
    }
}
