//! Extended attributes set and removed. File capabilities are one: `security.capability`.
//!
//! The kernel's functions that have a copy of the attribute's name have no mount, so what they know is no path. But before each of these the kernel
//! asks the mount whether it can be written to. Where both can be seen, the record is made there, and sent when the call returns; what is not seen
//! there is told as the program said it.

use aya_ebpf::{
    macros::{fentry, fexit, tracepoint},
    programs::{FEntryContext, FExitContext, TracePointContext},
};
use bongsu_sensor_abi::{File, Kind, PathText};

use crate::{
    asked::{Asked, Call, NONE},
    file::{AT_FDCWD, OpenFile, named, send},
    globals::offset,
    held,
    record::{Draft, raw_argument},
    task::{Task, read},
};

/// `int mnt_want_write(struct vfsmount *m)`, of calls with a path. All that changes names and inodes passes here, so this looks for a call of ours
/// before anything else.
#[fentry]
pub(crate) fn attribute_mount(context: FEntryContext) -> i32 {
    Asked::leads_to(raw_argument(&context, 0));
    0
}

/// `int mnt_want_write_file(struct file *file)`, of calls with a descriptor.
#[fentry]
pub(crate) fn attribute_file(context: FEntryContext) -> i32 {
    Asked::leads_to(read(raw_argument(&context, 0) + offset!(file_path) + offset!(path_mount)));
    0
}

/// `int security_inode_setxattr(struct mnt_idmap *idmap, struct dentry *dentry, const char *name, const void *value, size_t size, int flags)`.
#[fexit]
pub(crate) fn attribute_set(context: FExitContext) -> i32 {
    permitted(&context, 6)
}

/// `int security_inode_removexattr(struct mnt_idmap *idmap, struct dentry *dentry, const char *name)`.
#[fexit]
pub(crate) fn attribute_removed(context: FExitContext) -> i32 {
    permitted(&context, 3)
}

/// `int security_inode_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, const char *acl_name, struct posix_acl *kacl)`, since 6.2.
#[fexit]
pub(crate) fn list_set(context: FExitContext) -> i32 {
    permitted(&context, 4)
}

/// `int security_inode_remove_acl(struct mnt_idmap *idmap, struct dentry *dentry, const char *acl_name)`, since 6.2.
#[fexit]
pub(crate) fn list_removed(context: FExitContext) -> i32 {
    permitted(&context, 3)
}

/// Makes the record when security modules have no objection, their answer lying behind so many arguments.
#[inline(always)]
fn permitted(context: &FExitContext, arguments: usize) -> i32 {
    if raw_argument(context, arguments) as i32 == 0 {
        let (dentry, name) = (raw_argument(context, 1), raw_argument(context, 2));
        Asked::reached(|mount| {
            held::hold(|draft| {
                let path = PathText { walk_len: draft.path_of(mount, dentry, File::PATH_CUT), name_len: 0 };
                let previous = PathText { walk_len: 0, name_len: draft.kernel_string(name) };
                let header = draft.header(Task::current(), Kind::SetAttribute);
                File { header, inode: 0, device: 0, mode: 0, path, previous }
            })
        });
    }
    0
}

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
    returned(&context, [0, 1], |asked| changed(asked, AT_FDCWD));
    0
}

/// The returns of those of [`open_attribute_asked`].
#[tracepoint]
pub(crate) fn open_attribute(context: TracePointContext) -> u32 {
    returned(&context, [1, NONE], |asked| {
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
    returned(&context, [1, 3], |asked| changed(asked, asked.argument(0) as i32));
    0
}

/// Sends what the kernel had, or else has `tell` say what the program said.
#[inline(always)]
fn returned(context: &TracePointContext, places: [u16; 2], tell: impl FnOnce(&Call)) {
    Asked::returned(context, places, |asked| {
        if !(asked.is_told() && held::release()) {
            tell(asked);
        }
    });
    // Of a call that failed.
    held::forget();
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
