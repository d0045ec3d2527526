//! What the loader tells the programs, and what they tell it beside the rings.

use crate::{Allowance, FAMILIES, Record};

/// An offset of a member that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident: $structure:literal . $($member:literal)|+,)*) => {
        /// Where the members lie that the programs read, in bytes from the start of their struct; from the running kernel's BTF.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(C)]
        pub struct Offsets {
            $(
                #[doc = concat!("Of ", $structure, ".")]
                $(#[$doc])*
                pub $field: u32,
            )*
        }

        impl Offsets {
            /// No offset known: what the object holds until the loader sets it.
            pub const UNKNOWN: Self = Self { $($field: ABSENT,)* };

            /// The offsets, each found by `find(struct, names the member has had, newest first)`.
            ///
            /// # Errors
            /// The first error of `find`.
            pub fn find<E>(mut find: impl FnMut(&'static str, &'static [&'static str]) -> Result<u32, E>) -> Result<Self, E> {
                Ok(Self { $($field: find($structure, &[$($member),+])?,)* })
            }
        }
    };
}

offsets! {
    task_tgid: "task_struct"."tgid",
    task_pid: "task_struct"."pid",
    task_leader: "task_struct"."group_leader",
    task_parent: "task_struct"."real_parent",
    task_start: "task_struct"."start_boottime"|"real_start_time",
    task_cred: "task_struct"."real_cred",
    task_mm: "task_struct"."mm",
    task_fs: "task_struct"."fs",
    task_files: "task_struct"."files",
    task_signal: "task_struct"."signal",
    task_cgroups: "task_struct"."cgroups",
    task_exit_code: "task_struct"."exit_code",
    task_comm: "task_struct"."comm",
    /// Absent without CONFIG_AUDIT.
    task_login: "task_struct"."loginuid",
    task_stack: "task_struct"."stack",
    task_struct_pid: "task_struct"."thread_pid",
    task_namespaces: "task_struct"."nsproxy",
    cred_capabilities: "cred"."cap_effective",
    cred_user_namespace: "cred"."user_ns",
    signal_pids: "signal_struct"."pids",
    signal_terminal: "signal_struct"."tty",
    /// Absent without CONFIG_TTY.
    terminal_name: "tty_struct"."name",
    pid_level: "pid"."level",
    pid_numbers: "pid"."numbers",
    upid_number: "upid"."nr",
    upid_namespace: "upid"."ns",
    namespaces_mount: "nsproxy"."mnt_ns",
    namespaces_net: "nsproxy"."net_ns",
    mount_namespace: "mnt_namespace"."ns",
    pid_namespace: "pid_namespace"."ns",
    net_namespace: "net"."ns",
    user_namespace: "user_namespace"."ns",
    namespace_number: "ns_common"."inum",
    /// uid, gid, suid, sgid, euid and egid follow each other in every kernel.
    cred_uid: "cred"."uid",
    mm_arg_start: "mm_struct"."arg_start",
    mm_arg_end: "mm_struct"."arg_end",
    mm_env_start: "mm_struct"."env_start",
    mm_env_end: "mm_struct"."env_end",
    mm_exe_file: "mm_struct"."exe_file",
    fs_pwd: "fs_struct"."pwd",
    fs_root: "fs_struct"."root",
    files_table: "files_struct"."fdt",
    table_files: "fdtable"."fd",
    table_len: "fdtable"."max_fds",
    table_open: "fdtable"."open_fds",
    path_mount: "path"."mnt",
    path_dentry: "path"."dentry",
    file_inode: "file"."f_inode",
    file_mode: "file"."f_mode",
    file_path: "file"."f_path",
    file_private: "file"."private_data",
    /// How many hold the file open; absent since 6.13.
    file_count: "file"."f_count",
    /// The same, less one; since 6.13.
    file_others: "file"."f_ref",
    inode_number: "inode"."i_ino",
    inode_size: "inode"."i_size",
    /// Seconds; in some kernels the nanoseconds follow.
    inode_modified: "inode"."i_mtime_sec"|"i_mtime"|"__i_mtime",
    /// Absent where they follow the seconds.
    inode_modified_ns: "inode"."i_mtime_nsec",
    inode_mode: "inode"."i_mode",
    inode_links: "inode"."i_nlink"|"__i_nlink",
    /// i_gid follows in every kernel.
    inode_uid: "inode"."i_uid",
    inode_super: "inode"."i_sb",
    super_device: "super_block"."s_dev",
    super_magic: "super_block"."s_magic",
    dentry_parent: "dentry"."d_parent",
    dentry_inode: "dentry"."d_inode",
    dentry_name: "dentry"."d_name"|"__d_name",
    qstr_name: "qstr"."name",
    vfsmount_root: "vfsmount"."mnt_root",
    vfsmount_super: "vfsmount"."mnt_sb",
    super_type: "super_block"."s_type",
    type_name: "file_system_type"."name",
    mount_vfsmount: "mount"."mnt",
    mount_device: "mount"."mnt_devname",
    mount_parent: "mount"."mnt_parent",
    mount_point: "mount"."mnt_mountpoint",
    mount_in: "mount"."mnt_ns",
    signal_flags: "signal_struct"."flags",
    signal_exit_code: "signal_struct"."group_exit_code",
    signal_live: "signal_struct"."live",
    cgroups_default: "css_set"."dfl_cgrp",
    cgroups_subsystems: "css_set"."subsys",
    css_cgroup: "cgroup_subsys_state"."cgroup",
    cgroup_node: "cgroup"."kn",
    /// Tells hierarchies apart.
    cgroup_root: "cgroup"."root",
    node_name: "kernfs_node"."name",
    node_parent: "kernfs_node"."__parent"|"parent",
    /// Absent before 5.12.
    rename_dentry: "renamedata"."old_dentry",
    bprm_filename: "linux_binprm"."filename",
    bprm_interp: "linux_binprm"."interp",
    socket_sock: "socket"."sk",
    sock_family: "sock_common"."skc_family",
    sock_local: "sock_common"."skc_rcv_saddr",
    sock_remote: "sock_common"."skc_daddr",
    /// Not skc_num, which a socket has lost by the time its state is told to be closed.
    sock_local_port: "inet_sock"."inet_sport",
    sock_remote_port: "sock_common"."skc_dport",
    /// Absent without CONFIG_IPV6.
    sock_local6: "sock_common"."skc_v6_rcv_saddr",
    /// Absent without CONFIG_IPV6.
    sock_remote6: "sock_common"."skc_v6_daddr",
    sock_protocol: "sock"."sk_protocol",
    sock_state: "sock_common"."skc_state",
    sock_flags: "sock_common"."skc_flags",
    sock_error: "sock"."sk_err",
    tcp_acked: "tcp_sock"."bytes_acked",
    tcp_sent: "tcp_sock"."bytes_sent",
    tcp_resent: "tcp_sock"."bytes_retrans",
    tcp_received: "tcp_sock"."bytes_received",
    /// This and what leads from a number to a task may change: a target is not named then.
    task_pid_links: "task_struct"."pid_links",
    pid_tasks: "pid"."tasks",
    pid_namespace_idr: "pid_namespace"."idr",
    idr_tree: "idr"."idr_rt",
    tree_head: "xarray"."xa_head",
    tree_node_shift: "xa_node"."shift",
    tree_node_slots: "xa_node"."slots",
    proc_inode_pid: "proc_inode"."pid",
    proc_inode_inode: "proc_inode"."vfs_inode",
    /// Absent in kernels without modules.
    module_name: "module"."name",
    bpf_prog_type: "bpf_prog"."type",
    bpf_prog_aux: "bpf_prog"."aux",
    bpf_prog_name: "bpf_prog_aux"."name",
    /// inheritable, permitted and effective follow each other in every kernel.
    cred_inheritable: "cred"."cap_inheritable",
    inode_private: "inode"."i_private",
    /// Since 6.18.
    namespace_type: "ns_common"."ns_type",
    namespace_operations: "ns_common"."ops",
    /// Until 6.17.
    namespace_operations_type: "proc_ns_operations"."type",
    /// This and the next: absent before 6.0, and without CONFIG_IO_URING.
    uring_operation: "io_kiocb"."opcode",
    uring_command: "io_kiocb"."cmd",
    uring_flags: "io_kiocb"."flags",
    uring_end: "io_kiocb"."cqe",
    uring_end_result: "io_cqe"."res",
    uring_end_descriptor: "io_cqe"."fd",
    uring_open_directory: "io_open"."dfd",
    uring_open_slot: "io_open"."file_slot",
    uring_open_name: "io_open"."filename",
    uring_open_how: "io_open"."how",
    uring_unlink_directory: "io_unlink"."dfd",
    uring_unlink_name: "io_unlink"."filename",
    uring_rename_directory: "io_rename"."new_dfd",
    uring_rename_name: "io_rename"."newpath",
    uring_mkdir_directory: "io_mkdir"."dfd",
    uring_mkdir_name: "io_mkdir"."filename",
    uring_link_directory: "io_link"."new_dfd",
    uring_link_name: "io_link"."newpath",
    uring_xattr_name: "io_xattr"."filename",
    uring_connect_address: "io_connect"."addr",
    uring_connect_len: "io_connect"."addr_len",
    /// The kernel's copy of a path that a program gave.
    filename_name: "filename"."name",
    /// The first argument of a system call, still there when it returns.
    regs_0: "pt_regs"."di"|"orig_x0",
    regs_1: "pt_regs"."si"|"regs",
    regs_2: "pt_regs"."dx"|"regs",
    regs_3: "pt_regs"."r10"|"regs",
    regs_stack: "pt_regs"."sp",
}

// SAFETY: repr(C) and only u32.
unsafe impl Record for Offsets {}

/// What else the programs have to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Settings {
    /// The sensor itself, which no event is about.
    pub own_pid: u32,
    /// 1 when sched_process_exit says whether the thread was the last one (since 6.16), 0 when we have to look.
    pub exit_tells_last: u32,
    /// The index in css_set.subsys of a controller whose hierarchy, where it has one of its own, tells containers apart; or [`ABSENT`].
    pub container_controller: u32,
    /// Bytes from an inode of an overlay mount to the dentry of the file in the writable layer, or [`ABSENT`].
    pub overlay_upper: u32,
    /// 1 when the environment of new programs is asked for.
    pub environment: u32,
    /// What each process may have told of it, by [`crate::Family`].
    pub allowances: [Allowance; FAMILIES],
    /// Which argument of the tracepoint of submitted io_uring requests is the operation, before 6.0; [`ABSENT`] where the request is the first.
    pub uring_operation_argument: u32,
}

impl Settings {
    /// What the object holds until the loader sets it.
    pub const UNKNOWN: Self = Self {
        own_pid: 0,
        exit_tells_last: 0,
        container_controller: ABSENT,
        overlay_upper: ABSENT,
        environment: 0,
        allowances: [Allowance { interval_ns: 0, burst: 0 }; FAMILIES],
        uring_operation_argument: ABSENT,
    };
}

// SAFETY: repr(C) and only u32.
unsafe impl Record for Settings {}

/// What one CPU did to one ring. Exact: emitted = read + lost once the ring is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Counters {
    /// Records the programs tried to put in.
    pub emitted: u64,
    /// Records that found no room.
    pub lost: u64,
}

// SAFETY: repr(C) and only u64.
unsafe impl Record for Counters {}

const _: () = assert!(size_of::<Settings>() == 72);
const _: () = assert!(size_of::<Counters>() == 16);

/// Whom the programs listen for, and how often they heard it: the sensor makes calls whose only use is that hooks see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Pulse {
    /// The sensor's thread that makes them, in the initial pid namespace; 0 for none.
    pub thread: u64,
    /// How often a program met that thread.
    pub heard: u64,
}

// SAFETY: repr(C) and only u64.
unsafe impl Record for Pulse {}

const _: () = assert!(size_of::<Pulse>() == 16);
