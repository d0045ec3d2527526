//! The ladders of what is done to files by name.

use super::rung::Rung;

/// A file loses a name. The first function has the path with its mount, the second what came of it.
pub(super) const DELETE: &[Rung] = &[
    Rung::Together(&[
        Rung::FunctionEntry { program: "unlink_begins", function: "security_path_unlink" },
        Rung::FunctionExit { program: "unlink_done", function: "vfs_unlink", parameters: 4 },
    ]),
    Rung::Syscalls(&[
        ("unlink_asked", "sys_enter_unlink"),
        ("unlinkat_asked", "sys_enter_unlinkat"),
        ("unlink", "sys_exit_unlink"),
        ("unlinkat", "sys_exit_unlinkat"),
    ]),
];

/// A file gets another name; as above.
pub(super) const RENAME: &[Rung] = &[
    Rung::Together(&[
        Rung::FunctionEntry { program: "rename_begins", function: "security_path_rename" },
        Rung::FunctionExit { program: "rename_done", function: "vfs_rename", parameters: 1 },
    ]),
    Rung::Syscalls(&[
        ("rename_asked", "sys_enter_rename"),
        ("renameat_asked", "sys_enter_renameat"),
        ("renameat_asked", "sys_enter_renameat2"),
        ("rename", "sys_exit_rename"),
        ("renameat", "sys_exit_renameat"),
        ("renameat", "sys_exit_renameat2"),
    ]),
];

/// A mode is set; the function is what all of the calls come to.
pub(super) const CHMOD: &[Rung] = &[
    Rung::FunctionExit { program: "chmod_done", function: "chmod_common", parameters: 2 },
    Rung::Syscalls(&[
        ("chmod_asked", "sys_enter_chmod"),
        ("fchmodat_asked", "sys_enter_fchmodat"),
        ("fchmodat_asked", "sys_enter_fchmodat2"),
        ("chmod", "sys_exit_chmod"),
        ("fchmod", "sys_exit_fchmod"),
        ("fchmodat", "sys_exit_fchmodat"),
        ("fchmodat", "sys_exit_fchmodat2"),
    ]),
];

/// A file gets one more name; as for deletions.
pub(super) const LINK: &[Rung] = &[
    Rung::Together(&[
        Rung::FunctionEntry { program: "link_begins", function: "security_path_link" },
        Rung::FunctionExit { program: "link_done", function: "vfs_link", parameters: 5 },
    ]),
    Rung::Syscalls(&[
        ("link_asked", "sys_enter_link"),
        ("linkat_asked", "sys_enter_linkat"),
        ("link", "sys_exit_link"),
        ("linkat", "sys_exit_linkat"),
    ]),
];

/// A symbolic link is made; as for deletions.
pub(super) const SYMLINK: &[Rung] = &[
    Rung::Together(&[
        Rung::FunctionEntry { program: "symlink_begins", function: "security_path_symlink" },
        Rung::FunctionExit { program: "symlink_done", function: "vfs_symlink", parameters: 4 },
    ]),
    Rung::Syscalls(&[
        ("symlink_asked", "sys_enter_symlink"),
        ("symlinkat_asked", "sys_enter_symlinkat"),
        ("symlink", "sys_exit_symlink"),
        ("symlinkat", "sys_exit_symlinkat"),
    ]),
];

/// An owner is set; as for modes.
pub(super) const CHOWN: &[Rung] = &[
    Rung::FunctionExit { program: "chown_done", function: "chown_common", parameters: 3 },
    Rung::Syscalls(&[
        ("chown_asked", "sys_enter_chown"),
        ("chown_asked", "sys_enter_lchown"),
        ("fchownat_asked", "sys_enter_fchownat"),
        ("chown", "sys_exit_chown"),
        ("chown", "sys_exit_lchown"),
        ("fchown", "sys_exit_fchown"),
        ("fchownat", "sys_exit_fchownat"),
    ]),
];

/// A length is set by path.
pub(super) const TRUNCATE: &[Rung] = &[
    Rung::FunctionExit { program: "truncate_done", function: "vfs_truncate", parameters: 2 },
    Rung::Syscalls(&[("truncate_asked", "sys_enter_truncate"), ("truncate", "sys_exit_truncate")]),
];

/// A length is set by descriptor.
pub(super) const FTRUNCATE: &[Rung] = &[Rung::Syscalls(&[("ftruncate", "sys_exit_ftruncate")])];

/// An extended attribute is set or removed. The functions that have the kernel's copy of its name have no mount: that is seen before, and the return of
/// the call, which is the same on all rungs, tells what came of it. Access lists are attributes that pass functions of their own since 6.2.
pub(super) const ATTRIBUTE: &[Rung] = &[
    Rung::Together(&[
        ATTRIBUTE_MOUNT,
        ATTRIBUTE_FILE,
        ATTRIBUTE_SET,
        ATTRIBUTE_REMOVED,
        Rung::FunctionExit { program: "list_set", function: "security_inode_set_acl", parameters: 4 },
        Rung::FunctionExit { program: "list_removed", function: "security_inode_remove_acl", parameters: 3 },
        ATTRIBUTE_CALLS,
    ]),
    Rung::Together(&[ATTRIBUTE_MOUNT, ATTRIBUTE_FILE, ATTRIBUTE_SET, ATTRIBUTE_REMOVED, ATTRIBUTE_CALLS]),
    ATTRIBUTE_CALLS,
];

const ATTRIBUTE_MOUNT: Rung = Rung::FunctionEntry { program: "attribute_mount", function: "mnt_want_write" };
const ATTRIBUTE_FILE: Rung = Rung::FunctionEntry { program: "attribute_file", function: "mnt_want_write_file" };
const ATTRIBUTE_SET: Rung =
    Rung::FunctionExit { program: "attribute_set", function: "security_inode_setxattr", parameters: 6 };
const ATTRIBUTE_REMOVED: Rung =
    Rung::FunctionExit { program: "attribute_removed", function: "security_inode_removexattr", parameters: 3 };
const ATTRIBUTE_CALLS: Rung = Rung::Syscalls(&[
    ("attribute_asked", "sys_enter_setxattr"),
    ("attribute_asked", "sys_enter_lsetxattr"),
    ("attribute_asked", "sys_enter_removexattr"),
    ("attribute_asked", "sys_enter_lremovexattr"),
    ("open_attribute_asked", "sys_enter_fsetxattr"),
    ("open_attribute_asked", "sys_enter_fremovexattr"),
    ("attribute_at_asked", "sys_enter_setxattrat"),
    ("attribute_at_asked", "sys_enter_removexattrat"),
    ("attribute", "sys_exit_setxattr"),
    ("attribute", "sys_exit_lsetxattr"),
    ("attribute", "sys_exit_removexattr"),
    ("attribute", "sys_exit_lremovexattr"),
    ("open_attribute", "sys_exit_fsetxattr"),
    ("open_attribute", "sys_exit_fremovexattr"),
    ("attribute_at", "sys_exit_setxattrat"),
    ("attribute_at", "sys_exit_removexattrat"),
]);
