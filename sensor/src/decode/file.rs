//! Records of files.

use bongsu_event::{FileOperation, Owner};
use bongsu_sensor_abi as abi;
use bstr::BString;

use super::{
    DecodeError, head,
    path::{self, Text},
};

/// Something done to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileAction {
    pub(crate) operation: FileOperation,
    pub(crate) path: BString,
    pub(crate) previous_path: Option<BString>,
    pub(crate) mode: Option<u32>,
    pub(crate) owner: Option<Owner>,
    pub(crate) attribute: Option<BString>,
    /// Which file, where the hook knows.
    pub(crate) identity: Option<FileIdentity>,
}

/// A file by what identifies it on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileIdentity {
    /// In the kernel's encoding: major shifted left by 20, or'ed with minor.
    pub(crate) device: u32,
    pub(crate) inode: u64,
}

/// What a [`abi::File`] tells.
pub(super) fn file(bytes: &[u8], operation: FileOperation) -> Result<FileAction, DecodeError> {
    let file: abi::File = head(bytes)?;
    let cut = file.header.flags & abi::File::PATH_CUT != 0;
    let mut text = Text::behind::<abi::File>(bytes);
    let path = path::located(&mut text, file.path, cut)?;
    let (mut previous_path, mut attribute) = (None, None);
    match operation {
        FileOperation::Rename | FileOperation::Link => {
            previous_path = Some(path::located(&mut text, file.previous, cut)?);
        }
        FileOperation::Symlink => previous_path = Some(path::string(text.take(file.previous.name_len)?)),
        FileOperation::SetAttribute => attribute = Some(path::string(text.take(file.previous.name_len)?)),
        _ => {}
    }
    let mode = matches!(operation, FileOperation::Create | FileOperation::Chmod).then_some(file.mode & 0o7777);
    Ok(FileAction {
        operation,
        path,
        previous_path,
        mode,
        owner: None,
        attribute,
        identity: (file.inode != 0).then_some(FileIdentity { device: file.device, inode: file.inode }),
    })
}

/// What a [`abi::Chown`] tells.
pub(super) fn chown(bytes: &[u8]) -> Result<FileAction, DecodeError> {
    let chown: abi::Chown = head(bytes)?;
    let cut = chown.header.flags & abi::File::PATH_CUT != 0;
    let path = path::located(&mut Text::behind::<abi::Chown>(bytes), chown.path, cut)?;
    let set = |id: u32| (id != u32::MAX).then_some(id);
    Ok(FileAction {
        operation: FileOperation::Chown,
        path,
        previous_path: None,
        mode: None,
        owner: Some(Owner { uid: set(chown.uid), gid: set(chown.gid) }),
        attribute: None,
        identity: None,
    })
}
