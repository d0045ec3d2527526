//! Records of processes.

use bongsu_sensor_abi::{self as abi, Creds, Place, TaskRef};
use bstr::{BString, ByteSlice};

use super::{
    Action, DecodeError, head,
    path::{self, Text},
};

/// Of a device number inside the kernel.
const MINOR_BITS: u32 = 20;

/// Kept of an environment. An empty variable takes one byte there and 24 here.
const VARIABLES_MAX: usize = 1024;

/// A program that started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) parent: TaskRef,
    pub(crate) creds: Creds,
    pub(crate) comm: BString,
    pub(crate) executable: BString,
    pub(crate) cwd: BString,
    pub(crate) script: Option<BString>,
    /// The path of its cgroup.
    pub(crate) cgroup: BString,
    pub(crate) args: Vec<BString>,
    pub(crate) args_cut: bool,
    /// `NAME=value` each, where it is asked for.
    pub(crate) environment: Vec<BString>,
    pub(crate) image: bongsu_event::ImageTraits,
    pub(crate) inode: u64,
    /// As stat(2) shows it.
    pub(crate) device: u64,
    pub(crate) links: u32,
    pub(crate) place: Place,
}

pub(super) fn exec(bytes: &[u8]) -> Result<Program, DecodeError> {
    let exec: abi::Exec = head(bytes)?;
    let flags = exec.header.flags;
    let mut text = Text::behind::<abi::Exec>(bytes);
    let path_cut = flags & abi::Exec::PATH_CUT != 0;
    let executable = path::walk(text.take(exec.executable_len)?, path_cut);
    let cwd = path::walk(text.take(exec.cwd_len)?, path_cut);
    let script = path::string(text.take(exec.script_len)?);
    let cgroup = path::walk(text.take(exec.cgroup_len)?, false);
    let args = arguments(text.take(exec.args_len)?);
    let environment = environment(text.take(exec.environment_len)?);
    // Files of /dev/shm that were unlinked before they ran lie on tmpfs as well; only memfd_create gives this name.
    let memfd = flags & abi::Exec::MEMFD != 0 && executable.starts_with(b"/memfd:");
    let no_links = flags & abi::Exec::NO_LINKS != 0;
    // Set-gid counts only together with group-execute; without it the bit means mandatory locking.
    let setuid =
        exec.mode & libc::S_ISUID != 0 || exec.mode & (libc::S_ISGID | libc::S_IXGRP) == libc::S_ISGID | libc::S_IXGRP;
    Ok(Program {
        parent: exec.parent,
        creds: exec.creds,
        comm: name(&exec.comm),
        script: (!script.is_empty()).then(|| path::join(&cwd, &script)),
        executable,
        cwd,
        cgroup,
        args,
        environment,
        args_cut: flags & abi::Exec::ARGS_CUT != 0,
        image: bongsu_event::ImageTraits {
            memfd,
            deleted: no_links && !memfd,
            setuid,
            upper_layer: flags & abi::Exec::UPPER_LAYER != 0,
        },
        inode: exec.inode,
        device: libc::makedev(exec.device >> MINOR_BITS, exec.device & ((1 << MINOR_BITS) - 1)),
        links: exec.links,
        place: exec.place,
    })
}

/// argv as it lies in the program's stack: each argument followed by NUL, the last one perhaps cut before its NUL.
pub(super) fn arguments(bytes: &[u8]) -> Vec<BString> {
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.strip_suffix(b"\0").unwrap_or(bytes).split_str(b"\0").map(BString::from).collect()
}

/// As argv; a variable that was cut is left out.
fn environment(bytes: &[u8]) -> Vec<BString> {
    let whole = bytes.rfind_byte(0).map_or(0, |end| end + 1);
    let mut variables = arguments(&bytes[..whole]);
    variables.truncate(VARIABLES_MAX);
    variables
}

/// As the kernel names it, which puts `/dev/fd/N` for a descriptor.
pub(super) fn exec_failed(bytes: &[u8]) -> Result<Action, DecodeError> {
    let failed: abi::ExecFailed = head(bytes)?;
    let given = path::string(Text::behind::<abi::ExecFailed>(bytes).take(failed.path_len)?);
    let path = match failed.directory {
        _ if given.starts_with(b"/") => given,
        libc::AT_FDCWD => given,
        directory if given.is_empty() => format!("/dev/fd/{directory}").into(),
        directory => [format!("/dev/fd/{directory}/").as_bytes(), &given].concat().into(),
    };
    // The kernel's errors end at 4095.
    Ok(Action::ExecFailed { path, error: u16::try_from(failed.error).unwrap_or(u16::MAX) })
}

pub(super) fn exit(exit: &abi::Exit) -> Action {
    // wait(2)'s encoding: the signal in the low seven bits, the code in the second byte; both masks leave what fits.
    let [low, code, ..] = exit.status.to_le_bytes();
    Action::Exit { code, signal: low & 0x7f }
}

pub(super) fn set_name(set: &abi::SetName) -> Action {
    Action::SetName { before: name(&set.before), after: name(&set.after) }
}

/// The kernel's `comm`: what lies behind the NUL is of earlier, longer names.
fn name(comm: &[u8; 16]) -> BString {
    comm.split(|byte| *byte == 0).next().unwrap_or_default().into()
}
