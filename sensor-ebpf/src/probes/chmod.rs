//! Files whose mode changes.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    file::{OpenFile, named, result, send},
    record::{Draft, is_own},
    task::{Arguments, Task},
};

const AT_FDCWD: i32 = -100;
const MODE_MASK: u64 = 0o7777;

/// `sys_exit_chmod` of `chmod(const char *path, mode_t mode)`.
#[tracepoint]
pub(crate) fn chmod(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let arguments = Arguments::current();
        let _sent = changed(&context, AT_FDCWD, arguments.first(), arguments.second());
    }
    0
}

/// `sys_exit_fchmodat` and `sys_exit_fchmodat2` of `fchmodat(int directory, const char *path, mode_t mode, ...)`.
#[tracepoint]
pub(crate) fn fchmodat(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let arguments = Arguments::current();
        let _sent = changed(&context, arguments.first() as i32, arguments.second(), arguments.third());
    }
    0
}

/// `sys_exit_fchmod` of `fchmod(int descriptor, mode_t mode)`.
#[tracepoint]
pub(crate) fn fchmod(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let arguments = Arguments::current();
        let _sent = changed_open(arguments.first(), arguments.second());
    }
    0
}

#[inline(always)]
fn changed(context: &TracePointContext, directory: i32, name: u64, mode: u64) -> Option<()> {
    let draft = Draft::new::<File>()?;
    let path = named(draft, context, directory, name)?;
    send(draft, Kind::Chmod, path, PathText::default(), (mode & MODE_MASK) as u32);
    Some(())
}

#[inline(always)]
fn changed_open(descriptor: u64, mode: u64) -> Option<()> {
    let file = OpenFile::of(Task::current(), descriptor)?;
    let draft = Draft::new::<File>()?;
    let walk_len = draft.path(file.path(), File::PATH_CUT);
    let path = PathText { walk_len, name_len: 0 };
    send(draft, Kind::Chmod, path, PathText::default(), (mode & MODE_MASK) as u32);
    Some(())
}
