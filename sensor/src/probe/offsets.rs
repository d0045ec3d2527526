//! Where members lie in the running kernel's structs, by its BTF.

use std::{fs::File, io, os::fd::AsRawFd as _};

use bongsu_sensor_abi::{ABSENT, Offsets, Settings};
use btf_rs::{Backend, Btf, BtfType, Type};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::process_table::proc_fs;

/// The kernel's own description of its types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Structs that a kernel may lack, or members it may lack; the programs look for [`ABSENT`].
const OPTIONAL: &[(&str, &str)] = &[
    ("task_struct", "loginuid"),
    ("tty_struct", "name"),
    ("sock_common", "skc_v6_rcv_saddr"),
    ("sock_common", "skc_v6_daddr"),
    ("task_struct", "thread_pid"),
    ("task_struct", "pid_links"),
    ("pid", "level"),
    ("pid", "tasks"),
    ("pid", "numbers"),
    ("upid", "ns"),
    ("pid_namespace", "idr"),
    ("idr", "idr_rt"),
    ("xarray", "xa_head"),
    ("xa_node", "shift"),
    ("xa_node", "slots"),
    ("proc_inode", "pid"),
    ("proc_inode", "vfs_inode"),
    ("module", "name"),
    ("bpf_prog", "type"),
    ("bpf_prog", "aux"),
    ("bpf_prog_aux", "name"),
    ("cred", "cap_inheritable"),
    ("inode", "i_private"),
    ("ns_common", "ns_type"),
    ("ns_common", "ops"),
    ("proc_ns_operations", "type"),
    ("file", "f_count"),
    ("file", "f_ref"),
    ("inode", "i_mtime_nsec"),
    ("io_kiocb", "opcode"),
    ("io_kiocb", "cmd"),
    ("io_kiocb", "flags"),
    ("io_kiocb", "cqe"),
    ("io_cqe", "res"),
    ("io_cqe", "fd"),
    ("io_open", "dfd"),
    ("io_open", "file_slot"),
    ("io_open", "filename"),
    ("io_open", "how"),
    ("io_unlink", "dfd"),
    ("io_unlink", "filename"),
    ("io_rename", "new_dfd"),
    ("io_rename", "newpath"),
    ("io_mkdir", "dfd"),
    ("io_mkdir", "filename"),
    ("io_link", "new_dfd"),
    ("io_link", "newpath"),
    ("io_xattr", "filename"),
    ("io_connect", "addr"),
    ("io_connect", "addr_len"),
    ("renamedata", "old_dentry"),
];

/// Anonymous structs and unions nest a few levels in the kernel.
const NESTING_MAX: u32 = 8;

/// Why offsets could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OffsetsError {
    /// The kernel was built without CONFIG_DEBUG_INFO_BTF, or /sys is not mounted.
    #[error(
        "cannot read the kernel's type information from {VMLINUX} (kernels from 5.8 on with CONFIG_DEBUG_INFO_BTF have it)"
    )]
    Read(#[source] io::Error),
    /// It is there and cannot be understood.
    #[error("cannot understand the kernel's type information in {VMLINUX}")]
    Parse(#[source] btf_rs::Error),
    /// A kernel newer or stranger than we know.
    #[error("this kernel's {structure} has no member {member}")]
    Missing {
        /// The struct.
        structure: &'static str,
        /// The member, by its newest name.
        member: &'static str,
    },
    /// BTF that refers to what it does not hold.
    #[error("the kernel's type information about {structure} is broken")]
    Broken {
        /// The struct.
        structure: &'static str,
        /// What the parser says.
        #[source]
        source: btf_rs::Error,
    },
}

/// What the programs must know of this kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) offsets: Offsets,
    pub(crate) settings: Settings,
    pub(crate) parameters: Parameters,
}

/// How many arguments functions of the kernel take: those of which programs read the result, which lies behind the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Parameters([(&'static str, Option<usize>); FUNCTIONS.len()]);

const FUNCTIONS: [&str; 15] = [
    "vfs_unlink",
    "vfs_rename",
    "vfs_link",
    "vfs_symlink",
    "vfs_truncate",
    "chmod_common",
    "chown_common",
    "security_inode_setxattr",
    "security_inode_removexattr",
    "security_inode_set_acl",
    "security_inode_remove_acl",
    "path_mount",
    "path_umount",
    "alloc_bprm",
    "bprm_execve",
];

impl Parameters {
    /// `None` when the kernel does not say, or was not asked.
    pub(crate) fn of(&self, function: &str) -> Option<usize> {
        self.0.iter().find(|(name, _)| *name == function)?.1
    }
}

/// Reads the running kernel's layout.
pub(crate) fn read(own_pid: u32) -> Result<Layout, OffsetsError> {
    let btf = open()?;
    #[cfg_attr(target_arch = "x86_64", expect(unused_mut, reason = "only x86 names each register"))]
    let mut offsets = Offsets::find(|structure, members| member_offset(&btf, structure, members))?;
    #[cfg(target_arch = "aarch64")]
    {
        offsets.regs_1 += 8;
        offsets.regs_2 += 16;
        offsets.regs_3 += 24;
    }
    let settings = Settings {
        own_pid,
        exit_tells_last: u32::from(tracepoint_parameters(&btf, "btf_trace_sched_process_exit") == Some(2)),
        container_controller: container_controller(&btf).unwrap_or(ABSENT),
        overlay_upper: overlay_upper(&btf).unwrap_or(ABSENT),
        uring_operation_argument: uring_operation_argument(&btf).unwrap_or(ABSENT),
        ..Settings::UNKNOWN
    };
    let parameters = Parameters(FUNCTIONS.map(|name| (name, function_parameters(&btf, name))));
    Ok(Layout { offsets, settings, parameters })
}

/// The parser's mapped mode: a few MiB for a moment where its other mode takes tens, which the heap would keep. The kernel's own file
/// can be mapped since 6.16 only, a copy of it in memory always.
fn open() -> Result<Btf, OffsetsError> {
    let copy = || -> io::Result<File> {
        let mut copy = File::from(memfd_create("btf", MemfdFlags::CLOEXEC)?);
        io::copy(&mut File::open(VMLINUX)?, &mut copy)?;
        Ok(copy)
    };
    let copy = copy().map_err(OffsetsError::Read)?;
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    Btf::from_file_with_backend(path, Backend::Mmap).map_err(OffsetsError::Parse)
}

/// From an overlay mount's inode to its file in the writable layer. The overlay module's `struct ovl_inode` has had the one right behind
/// the other since 4.19, and it is not among the kernel's own types where it is a module, perhaps loaded later: then the size of an inode
/// says where.
fn overlay_upper(btf: &Btf) -> Option<u32> {
    let overlay = |members| member_offset(btf, "ovl_inode", members);
    if let (Ok(inode), Ok(upper)) = (overlay(&["vfs_inode"]), overlay(&["__upperdentry"])) {
        return upper.checked_sub(inode);
    }
    let types = btf.resolve_types_by_name("inode").ok()?;
    types.into_iter().find_map(|found| match found {
        Type::Struct(inode) => u32::try_from(inode.size()).ok(),
        _ => None,
    })
}

fn member_offset(btf: &Btf, structure: &'static str, members: &'static [&'static str]) -> Result<u32, OffsetsError> {
    let broken = |source| OffsetsError::Broken { structure, source };
    let member = members.first().copied().unwrap_or_default();
    let optional = OPTIONAL.contains(&(structure, member));
    let candidates = match btf.resolve_types_by_name(structure) {
        Err(_) if optional => return Ok(ABSENT),
        candidates => candidates.map_err(broken)?,
    };
    for candidate in candidates {
        let Type::Struct(candidate) = candidate else { continue };
        for name in members {
            if let Some(bits) = find_member(btf, &candidate, name, NESTING_MAX).map_err(broken)? {
                return Ok(bits / 8);
            }
        }
    }
    if optional {
        return Ok(ABSENT);
    }
    Err(OffsetsError::Missing { structure, member })
}

/// The offset in bits of the member `name`, also when it lies in an anonymous struct or union.
fn find_member(btf: &Btf, structure: &btf_rs::Struct, name: &str, depth: u32) -> Result<Option<u32>, btf_rs::Error> {
    for member in &structure.members {
        let own_name =
            if member.get_name_offset().unwrap_or(0) == 0 { String::new() } else { btf.resolve_name(member)? };
        if own_name == name {
            return Ok(Some(member.bit_offset()));
        }
        if own_name.is_empty()
            && depth > 0
            && let Type::Struct(inner) | Type::Union(inner) = btf.resolve_chained_type(member)?
            && let Some(bits) = find_member(btf, &inner, name, depth - 1)?
        {
            return Ok(Some(member.bit_offset() + bits));
        }
    }
    Ok(None)
}

/// How many arguments a tracepoint hands to programs.
fn tracepoint_parameters(btf: &Btf, typedef: &str) -> Option<usize> {
    // The first one is the tracepoint's own.
    tracepoint(btf, typedef)?.parameters.len().checked_sub(1)
}

fn tracepoint(btf: &Btf, typedef: &str) -> Option<btf_rs::FuncProto> {
    let Type::Typedef(typedef) = btf.resolve_types_by_name(typedef).ok()?.pop()? else { return None };
    let Type::Ptr(pointer) = btf.resolve_chained_type(&typedef).ok()? else { return None };
    let Type::FuncProto(prototype) = btf.resolve_chained_type(&pointer).ok()? else { return None };
    Some(prototype)
}

/// Kernels before 6.0 hand the operation to the tracepoint, each few versions in another place; it is the only argument that is a byte.
fn uring_operation_argument(btf: &Btf) -> Option<u32> {
    let prototype = tracepoint(btf, "btf_trace_io_uring_submit_sqe")?;
    let is_byte = |parameter: &btf_rs::Parameter| matches!(btf.resolve_chained_type(parameter), Ok(Type::Typedef(found)) if btf.resolve_name(&found).is_ok_and(|name| name == "u8"));
    let at = prototype.parameters.iter().position(is_byte)?;
    u32::try_from(at.checked_sub(1)?).ok()
}

fn function_parameters(btf: &Btf, name: &str) -> Option<usize> {
    let Type::Func(function) = btf.resolve_types_by_name(name).ok()?.pop()? else { return None };
    let Type::FuncProto(prototype) = btf.resolve_chained_type(&function).ok()? else { return None };
    Some(prototype.parameters.len())
}

/// The index of the controller whose hierarchy of version 1 tells containers apart; of any, where nothing is of version 1.
fn container_controller(btf: &Btf) -> Option<u32> {
    let hierarchies = std::fs::read("/proc/self/cgroup").unwrap_or_default();
    let controller = proc_fs::container_controller(&hierarchies).unwrap_or(proc_fs::CONTROLLERS[0]);
    enumerator(btf, "cgroup_subsys_id", &format!("{controller}_cgrp_id"))
}

fn enumerator(btf: &Btf, name: &str, value: &str) -> Option<u32> {
    let Type::Enum(found) = btf.resolve_types_by_name(name).ok()?.pop()? else { return None };
    let member = found.members.iter().find(|member| btf.resolve_name(*member).is_ok_and(|name| name == value))?;
    Some(member.val())
}

/// The first eight bytes of the boot id, as process keys carry them.
pub(crate) fn boot_id() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_found_in_the_running_kernel() {
        let Ok(layout) = read(1) else {
            println!("skipped: this kernel has no BTF");
            return;
        };
        assert_eq!(layout.offsets.path_mount, 0);
        assert_eq!(layout.offsets.path_dentry, 8);
        assert_eq!(layout.offsets.sock_remote, 0, "skc_daddr lies first, in anonymous structs");
        assert_ne!(layout.offsets.task_pid, layout.offsets.task_tgid);
        assert_ne!(layout.settings.container_controller, ABSENT);
    }
}
