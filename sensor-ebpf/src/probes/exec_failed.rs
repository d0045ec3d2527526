//! Programs that could not be started.

use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user_str},
    macros::{fexit, tracepoint},
    programs::{FExitContext, TracePointContext},
};
use bongsu_sensor_abi::{ExecFailed, Kind};

use crate::{
    file::{AT_FDCWD, result},
    globals::offset,
    record::{Draft, Ring, is_own, raw_argument},
    task::{Arguments, Task, read},
};

const EPERM: i64 = 1;
const ENOENT: i64 = 2;
const ENOEXEC: i64 = 8;
const EACCES: i64 = 13;
const ETXTBSY: i64 = 26;

/// Errors are the last numbers that an address can be.
const ERRORS: u64 = 4095;

/// Where a path lies.
#[derive(Clone, Copy)]
enum Path {
    /// In the program's memory.
    Given(u64),
    /// In the kernel's own.
    Copied(u64),
}

/// `struct linux_binprm *alloc_bprm(int fd, struct filename *filename, int flags)`: the file was not there, or could not be opened (since 6.8, where
/// this opens it).
#[fexit]
pub(crate) fn exec_not_begun(context: FExitContext) -> i32 {
    // Read as plain memory: to the verifier the argument is a pointer, which cannot be taken for a number.
    let result: u64 = read(context.as_ptr() as u64 + 3 * 8);
    if result > u64::MAX - ERRORS && !is_own() {
        alone(result as i64, raw_argument(&context, 0) as i32, copied(raw_argument(&context, 1)));
    }
    0
}

/// `int bprm_execve(struct linux_binprm *bprm)`, since 6.8: it is no program, or may not be run. A path that was seen from a descriptor is said as
/// the kernel's own scripts are: `/dev/fd/N/...`.
#[fexit]
pub(crate) fn exec_not_done(context: FExitContext) -> i32 {
    let result = i64::from(raw_argument(&context, 1) as i32);
    if result < 0 && !is_own() {
        let bprm = raw_argument(&context, 0);
        alone(result, AT_FDCWD, Path::Copied(read(bprm + offset!(bprm_filename))));
    }
    0
}

/// `int bprm_execve(struct linux_binprm *bprm, int fd, struct filename *filename, int flags)`, until 6.7: both.
#[fexit]
pub(crate) fn exec_not_begun_or_done(context: FExitContext) -> i32 {
    let result = i64::from(raw_argument(&context, 4) as i32);
    if result < 0 && !is_own() {
        alone(result, raw_argument(&context, 1) as i32, copied(raw_argument(&context, 2)));
    }
    0
}

/// The path in a `struct filename`.
#[inline(always)]
fn copied(filename: u64) -> Path {
    Path::Copied(read(filename + offset!(filename_name)))
}

/// `sys_exit_execve` of `execve(const char *path, ...)`.
#[tracepoint]
pub(crate) fn execve_failed(context: TracePointContext) -> u32 {
    if result(&context) < 0 && !is_own() {
        let _sent = send(result(&context), AT_FDCWD, Path::Given(Arguments::current().first()));
    }
    0
}

/// `sys_exit_execveat` of `execveat(int directory, const char *path, ...)`.
#[tracepoint]
pub(crate) fn execveat_failed(context: TracePointContext) -> u32 {
    if result(&context) < 0 && !is_own() {
        let arguments = Arguments::current();
        let _sent = send(result(&context), arguments.first() as i32, Path::Given(arguments.second()));
    }
    0
}

#[inline(always)]
fn send(result: i64, directory: i32, path: Path) -> Option<()> {
    if matters(-result, path) {
        tell(Draft::new::<ExecFailed>()?, -result, directory, path);
    }
    Some(())
}

/// As [`send`], of programs on functions.
#[inline(always)]
fn alone(result: i64, directory: i32, path: Path) {
    if matters(-result, path) {
        Draft::alone::<ExecFailed>(|draft| tell(draft, -result, directory, path));
    }
}

#[inline(always)]
fn tell(draft: Draft, error: i64, directory: i32, path: Path) {
    let path_len = match path {
        Path::Given(path) => draft.user_string(path),
        Path::Copied(path) => draft.kernel_string(path),
    };
    let header = draft.header(Task::current(), Kind::ExecFailed);
    draft.send(ExecFailed { header, error: error as u32, directory, path_len, reserved: [0; 3] }, Ring::Other);
}

#[inline(always)]
fn matters(error: i64, path: Path) -> bool {
    error == EPERM || error == ENOEXEC || error == EACCES || error == ETXTBSY || (error == ENOENT && is_telling(path))
}

/// Whether a missing file says something. Shells and execvp(3) ask for a program in each folder of PATH, absolute paths all; these ask
/// where programs are dropped and removed, and by names nobody searches for.
#[inline(always)]
fn is_telling(path: Path) -> bool {
    let mut begin = [0_u8; 16];
    let (into, len) = (begin.as_mut_ptr().cast(), begin.len() as u32);
    // SAFETY: 16 bytes fit; the helpers check the source.
    let _len = unsafe {
        match path {
            Path::Given(path) => bpf_probe_read_user_str(into, len, path as *const _),
            Path::Copied(path) => bpf_probe_read_kernel_str(into, len, path as *const _),
        }
    };
    let relative = begin[0] != b'/' && begin[0] != 0;
    relative
        || begins(&begin, b"/tmp/")
        || begins(&begin, b"/var/tmp/")
        || begins(&begin, b"/dev/")
        || begins(&begin, b"/proc/")
        || begins(&begin, b"/run/")
}

#[inline(always)]
fn begins<const N: usize>(path: &[u8; 16], prefix: &[u8; N]) -> bool {
    let mut at = 0;
    while at < N {
        if path[at] != prefix[at] {
            return false;
        }
        at += 1;
    }
    true
}
