//! Extended attributes set and removed. File capabilities are one: `security.capability`.
//!
//! The kernel's functions that have a copy of the attribute's name have no mount, so what they know is no path; see the limits in
//! docs/kernel-support.md.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    asked::{Asked, Call, NONE},
    file::{AT_FDCWD, OpenFile, named, send},
    record::Draft,
    task::Task,
};

/// `sys_enter_setxattr`, `sys_enter_lsetxattr`, `sys_enter_removexattr`, `sys_enter_lremovexattr` of `setxattr(const char *path, const char *name,
/// ...)`.
#[tracepoint]
pub(crate) fn attribute_asked(context: TracePointContext) -> u32 {
    Asked::keep_two(&context, 2, 0, 1);
    0
}

/// `sys_enter_fsetxattr`, `sys_enter_fremovexattr` of `fsetxattr(int descriptor, const char *name, ...)`.
#[tracepoint]
pub(crate) fn open_attribute_asked(context: TracePointContext) -> u32 {
    Asked::keep(&context, 2, 1);
    0
}

/// `sys_enter_setxattrat`, `sys_enter_removexattrat` of `setxattrat(int directory, const char *path, unsigned int flags, const char *name, ...)`.
#[tracepoint]
pub(crate) fn attribute_at_asked(context: TracePointContext) -> u32 {
    Asked::keep_two(&context, 4, 1, 3);
    0
}

/// The returns of those of [`attribute_asked`].
#[tracepoint]
pub(crate) fn attribute(context: TracePointContext) -> u32 {
    Asked::returned(&context, [0, 1], |asked| {
        changed(asked, AT_FDCWD);
    });
    0
}

/// The returns of those of [`open_attribute_asked`].
#[tracepoint]
pub(crate) fn open_attribute(context: TracePointContext) -> u32 {
    Asked::returned(&context, [1, NONE], |asked| {
        let Some(draft) = Draft::new::<File>() else { return };
        let path = match OpenFile::of(Task::current(), asked.argument(0)) {
            Some(file) => Some(PathText { walk_len: draft.path(file.path(), File::PATH_CUT), name_len: 0 }),
            None => None,
        };
        send(draft, Kind::SetAttribute, path, name(draft, asked, 0), 0);
    });
    0
}

/// The returns of those of [`attribute_at_asked`].
#[tracepoint]
pub(crate) fn attribute_at(context: TracePointContext) -> u32 {
    Asked::returned(&context, [1, 3], |asked| {
        changed(asked, asked.argument(0) as i32);
    });
    0
}

#[inline(always)]
fn changed(asked: &Call, directory: i32) {
    let Some(draft) = Draft::new::<File>() else { return };
    let path = named(draft, asked, directory, 0);
    send(draft, Kind::SetAttribute, path, name(draft, asked, 1), 0);
}

#[inline(always)]
fn name(draft: Draft, asked: &Call, index: usize) -> Option<PathText> {
    let name_len = asked.append(draft, index);
    if name_len == 0 { None } else { Some(PathText { walk_len: 0, name_len }) }
}
