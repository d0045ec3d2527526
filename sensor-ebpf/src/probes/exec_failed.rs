//! Programs that could not be started.

use aya_ebpf::{helpers::generated::bpf_probe_read_user_str, macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{ExecFailed, Kind};

use crate::{
    file::result,
    record::{Draft, Ring, is_own},
    task::{Arguments, Task},
};

const EPERM: i64 = 1;
const ENOENT: i64 = 2;
const ENOEXEC: i64 = 8;
const EACCES: i64 = 13;
const ETXTBSY: i64 = 26;

const AT_FDCWD: i32 = -100;

/// `sys_exit_execve` of `execve(const char *path, ...)`.
#[tracepoint]
pub(crate) fn execve_failed(context: TracePointContext) -> u32 {
    if result(&context) < 0 && !is_own() {
        let _sent = send(result(&context), AT_FDCWD, Arguments::current().first());
    }
    0
}

/// `sys_exit_execveat` of `execveat(int directory, const char *path, ...)`.
#[tracepoint]
pub(crate) fn execveat_failed(context: TracePointContext) -> u32 {
    if result(&context) < 0 && !is_own() {
        let arguments = Arguments::current();
        let _sent = send(result(&context), arguments.first() as i32, arguments.second());
    }
    0
}

#[inline(always)]
fn send(result: i64, directory: i32, path: u64) -> Option<()> {
    let error = -result;
    let matters = error == EPERM || error == ENOEXEC || error == EACCES || error == ETXTBSY;
    if !matters && !(error == ENOENT && is_telling(path)) {
        return None;
    }
    let draft = Draft::new::<ExecFailed>()?;
    let path_len = draft.user_string(path);
    let header = draft.header(Task::current(), Kind::ExecFailed);
    draft.send(ExecFailed { header, error: error as u32, directory, path_len, reserved: [0; 3] }, Ring::Other);
    Some(())
}

/// Whether a missing file says something. Shells and execvp(3) ask for a program in each folder of PATH, absolute paths all; these ask
/// where programs are dropped and removed, and by names nobody searches for.
#[inline(always)]
fn is_telling(path: u64) -> bool {
    let mut begin = [0_u8; 16];
    // SAFETY: 16 bytes fit; the helper checks the source.
    let _len = unsafe { bpf_probe_read_user_str(begin.as_mut_ptr().cast(), begin.len() as u32, path as *const _) };
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
