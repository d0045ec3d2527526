//! Files whose mode changes.

use aya_ebpf::{
    macros::{fexit, tracepoint},
    programs::{FExitContext, TracePointContext},
};
use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    asked::{Asked, Call, NONE},
    file::{AT_FDCWD, named, result, send, send_open, send_path},
    record::{Draft, is_own, raw_argument},
    task::Arguments,
};

const MODE_MASK: u64 = 0o7777;

/// `int chmod_common(const struct path *path, umode_t mode)`: what all of the calls come to.
#[fexit]
pub(crate) fn chmod_done(context: FExitContext) -> i32 {
    if !is_own() && raw_argument(&context, 2) as i32 == 0 {
        let mode = (raw_argument(&context, 1) & MODE_MASK) as u32;
        Draft::alone::<File>(|draft| send_path(draft, Kind::Chmod, raw_argument(&context, 0), mode));
    }
    0
}

/// `sys_enter_chmod` of `chmod(const char *path, mode_t mode)`.
#[tracepoint]
pub(crate) fn chmod_asked(context: TracePointContext) -> u32 {
    Asked::keep(&context, 2, 0);
    0
}

/// `sys_enter_fchmodat` and `sys_enter_fchmodat2` of `fchmodat(int directory, const char *path, mode_t mode, ...)`.
#[tracepoint]
pub(crate) fn fchmodat_asked(context: TracePointContext) -> u32 {
    Asked::keep(&context, 3, 1);
    0
}

/// `sys_exit_chmod`.
#[tracepoint]
pub(crate) fn chmod(context: TracePointContext) -> u32 {
    Asked::returned(&context, [0, NONE], |asked| {
        changed(asked, AT_FDCWD, asked.argument(1));
    });
    0
}

/// `sys_exit_fchmodat` and `sys_exit_fchmodat2`.
#[tracepoint]
pub(crate) fn fchmodat(context: TracePointContext) -> u32 {
    Asked::returned(&context, [1, NONE], |asked| {
        changed(asked, asked.argument(0) as i32, asked.argument(2));
    });
    0
}

/// `sys_exit_fchmod` of `fchmod(int descriptor, mode_t mode)`: no string, so nothing that another thread could change.
#[tracepoint]
pub(crate) fn fchmod(context: TracePointContext) -> u32 {
    if !is_own() && result(&context) == 0 {
        let arguments = Arguments::current();
        send_open(Kind::Chmod, arguments.first(), (arguments.second() & MODE_MASK) as u32);
    }
    0
}

#[inline(always)]
fn changed(asked: &Call, directory: i32, mode: u64) {
    let Some(draft) = Draft::new::<File>() else { return };
    let path = named(draft, asked, directory, 0);
    send(draft, Kind::Chmod, path, Some(PathText::default()), (mode & MODE_MASK) as u32);
}
