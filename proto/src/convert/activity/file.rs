//! Files and file systems.

use bongsu_event::{FileActivity, FileOperation, Mount, MountOperation, Owner};

use super::{DecodeError, bytes, invalid, optional};
use crate::v1::{self, file, mount};

pub(super) fn encode(activity: &FileActivity) -> v1::File {
    let operation = match activity.operation {
        FileOperation::Create => file::Operation::Create,
        FileOperation::Write => file::Operation::Write,
        FileOperation::Read => file::Operation::Read,
        FileOperation::Delete => file::Operation::Delete,
        FileOperation::Rename => file::Operation::Rename,
        FileOperation::Chmod => file::Operation::Chmod,
        FileOperation::Chown => file::Operation::Chown,
        FileOperation::CloseWrite => file::Operation::CloseWrite,
        FileOperation::Link => file::Operation::Link,
        FileOperation::Symlink => file::Operation::Symlink,
        FileOperation::Truncate => file::Operation::Truncate,
        FileOperation::SetAttribute => file::Operation::SetAttribute,
    };
    v1::File {
        operation: operation.into(),
        path: bytes(&activity.path),
        previous_path: optional(activity.previous_path.as_ref()),
        mode: activity.mode,
        owner: activity.owner.map(|owner| v1::Owner { uid: owner.uid, gid: owner.gid }),
        attribute: optional(activity.attribute.as_ref()),
    }
}

pub(super) fn decode(file: v1::File) -> Result<FileActivity, DecodeError> {
    let operation = match file.operation() {
        file::Operation::Create => FileOperation::Create,
        file::Operation::Write => FileOperation::Write,
        file::Operation::Read => FileOperation::Read,
        file::Operation::Delete => FileOperation::Delete,
        file::Operation::Rename => FileOperation::Rename,
        file::Operation::Chmod => FileOperation::Chmod,
        file::Operation::Chown => FileOperation::Chown,
        file::Operation::CloseWrite => FileOperation::CloseWrite,
        file::Operation::Link => FileOperation::Link,
        file::Operation::Symlink => FileOperation::Symlink,
        file::Operation::Truncate => FileOperation::Truncate,
        file::Operation::SetAttribute => FileOperation::SetAttribute,
        file::Operation::Unspecified => return Err(invalid("file.operation", file.operation)),
    };
    Ok(FileActivity {
        operation,
        path: file.path.into(),
        previous_path: file.previous_path.map(Into::into),
        mode: file.mode,
        owner: file.owner.map(|owner| Owner { uid: owner.uid, gid: owner.gid }),
        attribute: file.attribute.map(Into::into),
    })
}

pub(super) fn encode_mount(mount: &Mount) -> v1::Mount {
    let operation = match mount.operation {
        MountOperation::Mount => mount::Operation::Mount,
        MountOperation::Unmount => mount::Operation::Unmount,
    };
    v1::Mount {
        operation: operation.into(),
        source: bytes(&mount.source),
        target: bytes(&mount.target),
        kind: bytes(&mount.kind),
        flags: mount.flags,
    }
}

pub(super) fn decode_mount(mount: v1::Mount) -> Result<Mount, DecodeError> {
    let operation = match mount.operation() {
        mount::Operation::Mount => MountOperation::Mount,
        mount::Operation::Unmount => MountOperation::Unmount,
        mount::Operation::Unspecified => return Err(invalid("mount.operation", mount.operation)),
    };
    Ok(Mount {
        operation,
        source: mount.source.into(),
        target: mount.target.into(),
        kind: mount.kind.into(),
        flags: mount.flags,
    })
}
