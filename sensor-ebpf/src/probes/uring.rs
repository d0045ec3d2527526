//! Operations that a program leaves to an io_uring, which pass no system call.
//!
//! A request is told as it is handed over, when the kernel has made its own copies of the paths: what the program writes into its memory
//! afterwards changes nothing. A thread of the kernel that submits for a program (SQPOLL) is one of that program's own threads since 5.12.

use aya_ebpf::{helpers::generated::bpf_probe_read_user, macros::raw_tracepoint, programs::RawTracePointContext};
use bongsu_sensor_abi::{ABSENT, IoUring, Kind, PathText};

use crate::{
    file::{AT_FDCWD, OpenFile},
    globals::{offset, setting},
    probes::open,
    record::{Draft, Ring, is_own, raw_argument},
    tamper::Repeated,
    task::{Task, read},
};

// As linux/io_uring.h numbers them.
const SENDMSG: u32 = 9;
const ACCEPT: u32 = 13;
const CONNECT: u32 = 16;
const OPENAT: u32 = 18;
const SEND: u32 = 26;
const OPENAT2: u32 = 28;
const RENAMEAT: u32 = 35;
const UNLINKAT: u32 = 36;
const MKDIRAT: u32 = 37;
const SYMLINKAT: u32 = 38;
const LINKAT: u32 = 39;
const FSETXATTR: u32 = 41;
const SETXATTR: u32 = 42;
const SOCKET: u32 = 45;
const SEND_ZC: u32 = 47;
const SENDMSG_ZC: u32 = 48;
const FTRUNCATE: u32 = 55;
const BIND: u32 = 56;
const LISTEN: u32 = 57;

/// Each of these is told.
const EACH: u64 = bit(CONNECT)
    | bit(OPENAT)
    | bit(OPENAT2)
    | bit(RENAMEAT)
    | bit(UNLINKAT)
    | bit(MKDIRAT)
    | bit(SYMLINKAT)
    | bit(LINKAT)
    | bit(FSETXATTR)
    | bit(SETXATTR)
    | bit(FTRUNCATE)
    | bit(BIND)
    | bit(LISTEN);
/// Of these the first of a program in [`AGAIN_NS`]: what a server does all the time. Their other ends are for other hooks to tell.
const SELDOM: u64 = bit(SENDMSG) | bit(ACCEPT) | bit(SEND) | bit(SOCKET) | bit(SEND_ZC) | bit(SENDMSG_ZC);
const AGAIN_NS: u64 = 60_000_000_000;

/// What tells these from tampering where repetitions are remembered.
const REPEATED: u32 = 1 << 16;

/// O_WRONLY, O_RDWR, O_CREAT and O_TRUNC.
const WRITES: u64 = 0x1 | 0x2 | 0x40 | 0x200;
/// REQ_F_FIXED_FILE: the descriptor is one of the ring's own.
const OF_RING: u32 = 1;

const fn bit(operation: u32) -> u64 {
    1 << operation
}

/// A `struct io_kiocb`, by its address.
#[derive(Clone, Copy)]
struct Request(u64);

/// `io_uring_submit_req(struct io_kiocb *req)`; called `io_uring_submit_sqe`, with another argument behind, until 6.3. Before 6.0 the request
/// was not among the arguments or had another shape, but the operation was.
#[raw_tracepoint]
pub(crate) fn ring_asked(context: RawTracePointContext) -> i32 {
    let (request, operation) = match setting!(uring_operation_argument) {
        ABSENT => {
            let request = Request(raw_argument(&context, 0));
            (Some(request), request.operation())
        }
        1 => (None, raw_argument(&context, 1) as u32 & 0xff),
        2 => (None, raw_argument(&context, 2) as u32 & 0xff),
        _ => (None, raw_argument(&context, 3) as u32 & 0xff),
    };
    if operation < u64::BITS && (EACH | SELDOM) & bit(operation) != 0 && !is_own() {
        let _sent = send(request, operation);
    }
    0
}

/// `io_uring_complete(struct io_ring_ctx *ctx, struct io_kiocb *req, ...)` since 6.0, by a thread of the process that asked. What was opened is a
/// file like any other.
#[raw_tracepoint]
pub(crate) fn ring_opened(context: RawTracePointContext) -> i32 {
    if setting!(uring_operation_argument) != ABSENT {
        return 0;
    }
    let request = Request(raw_argument(&context, 1));
    let operation = request.operation();
    if operation == OPENAT || operation == OPENAT2 {
        let descriptor: i32 = read(request.end() + offset!(uring_end_result));
        // A file that went into the ring's own table has no descriptor.
        let slot: u32 = read(request.command() + offset!(uring_open_slot));
        if descriptor >= 0 && slot == 0 && !is_own() {
            let _sent = open::tell(descriptor as u64, read(request.command() + offset!(uring_open_how)));
        }
    }
    0
}

#[inline(always)]
fn send(request: Option<Request>, operation: u32) -> Option<()> {
    if SELDOM & bit(operation) != 0 {
        if !Repeated::by_current(0, REPEATED | operation, 0).is_news(AGAIN_NS) {
            return None;
        }
    } else if operation == OPENAT || operation == OPENAT2 {
        let how: u64 = request.map_or(WRITES, Request::open_flags);
        if how & WRITES == 0 {
            return None;
        }
    }
    let draft = Draft::new::<IoUring>()?;
    let path = request.and_then(|request| request.path(draft, operation)).unwrap_or_default();
    let address = match request {
        Some(request) if operation == CONNECT => request.peer(),
        _ => [0; IoUring::ADDRESS_LEN],
    };
    let header = draft.header(Task::current(), Kind::IoUring);
    draft.send(IoUring { header, operation, path, address, reserved: 0 }, Ring::Other);
    Some(())
}

impl Request {
    #[inline(always)]
    fn operation(self) -> u32 {
        u32::from(read::<u8>(self.0 + offset!(uring_operation)))
    }

    /// Where the operation keeps what it was asked, as its own struct.
    #[inline(always)]
    fn command(self) -> u64 {
        self.0 + offset!(uring_command)
    }

    /// What will go to the program in the end; until then the descriptor the operation is about.
    #[inline(always)]
    fn end(self) -> u64 {
        self.0 + offset!(uring_end)
    }

    #[inline(always)]
    fn open_flags(self) -> u64 {
        match offset!(uring_open_how) {
            absent if absent == ABSENT as u64 => WRITES,
            offset => read(self.command() + offset),
        }
    }

    /// Appends the path that the operation is about; of two, the new one.
    #[inline(always)]
    fn path(self, draft: Draft, operation: u32) -> Option<PathText> {
        let (directory, name) = match operation {
            OPENAT | OPENAT2 => (offset!(uring_open_directory), offset!(uring_open_name)),
            UNLINKAT => (offset!(uring_unlink_directory), offset!(uring_unlink_name)),
            RENAMEAT => (offset!(uring_rename_directory), offset!(uring_rename_name)),
            MKDIRAT => (offset!(uring_mkdir_directory), offset!(uring_mkdir_name)),
            SYMLINKAT | LINKAT => (offset!(uring_link_directory), offset!(uring_link_name)),
            // Seen from where the program stands, always.
            SETXATTR => (ABSENT as u64, offset!(uring_xattr_name)),
            FSETXATTR | FTRUNCATE => return self.file_path(draft),
            _ => return None,
        };
        if name == ABSENT as u64 {
            return None;
        }
        let command = self.command();
        let directory = if directory == ABSENT as u64 { AT_FDCWD } else { read(command + directory) };
        let name: u64 = read(read::<u64>(command + name) + offset!(filename_name));
        let task = Task::current();
        let from = match (read::<u8>(name), directory) {
            (b'/', _) => task.pointer(offset!(task_fs)) + offset!(fs_root),
            (_, AT_FDCWD) => task.pointer(offset!(task_fs)) + offset!(fs_pwd),
            _ => OpenFile::of(task, directory as u64)?.path(),
        };
        let walk_len = draft.path(from, IoUring::PATH_CUT);
        let name_len = draft.kernel_string(name);
        Some(PathText { walk_len, name_len })
    }

    /// Appends the path of the file whose descriptor the operation was given.
    #[inline(always)]
    fn file_path(self, draft: Draft) -> Option<PathText> {
        let descriptor: u32 = read(self.end() + offset!(uring_end_descriptor));
        if read::<u32>(self.0 + offset!(uring_flags)) & OF_RING != 0 {
            return None;
        }
        let file = OpenFile::of(Task::current(), u64::from(descriptor))?;
        Some(PathText { walk_len: draft.path(file.path(), IoUring::PATH_CUT), name_len: 0 })
    }

    /// Whom to connect to, as the program's memory says now. Kernels before 6.10 have no copy yet, and where later ones keep theirs differs
    /// without a trace in the BTF (it was not where 6.18's `struct io_async_msghdr` has a place for it).
    #[inline(always)]
    fn peer(self) -> [u8; IoUring::ADDRESS_LEN] {
        if offset!(uring_connect_address) == ABSENT as u64 {
            return [0; IoUring::ADDRESS_LEN];
        }
        let address: u64 = read(self.command() + offset!(uring_connect_address));
        let len: u32 = read(self.command() + offset!(uring_connect_len));
        let len = if len > IoUring::ADDRESS_LEN as u32 { IoUring::ADDRESS_LEN as u32 } else { len };
        let mut bytes = [0; IoUring::ADDRESS_LEN];
        // SAFETY: `len` bytes fit; the helper checks the source, and fills the place with zeroes when it fails.
        unsafe { bpf_probe_read_user(bytes.as_mut_ptr().cast(), len, address as *const _) };
        bytes
    }
}
