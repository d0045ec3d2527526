//! The ladder of mounts.

use super::rung::Rung;

/// File systems mounted, moved and unmounted. On the better rung mount(2) and umount2(2) are told by the functions that they come to, and move_mount(2)
/// by its return, of what was seen when security modules were asked.
pub(super) const MOUNT: &[Rung] = &[
    Rung::Together(&[
        Rung::FunctionExit { program: "mount_done", function: "path_mount", parameters: 5 },
        Rung::FunctionEntry { program: "unmount_begins", function: "path_umount" },
        Rung::FunctionExit { program: "unmount_done", function: "path_umount", parameters: 2 },
        Rung::FunctionEntry { program: "move_begins", function: "security_move_mount" },
        Rung::Syscalls(&[("mount_moved", "sys_exit_move_mount")]),
    ]),
    Rung::Syscalls(&[
        ("mounted", "sys_exit_mount"),
        ("mount_moved", "sys_exit_move_mount"),
        ("unmounted", "sys_exit_umount"),
    ]),
];
