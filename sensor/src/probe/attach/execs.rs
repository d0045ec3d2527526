//! The ladder of programs that could not be started.

use super::rung::Rung;

/// The functions have the kernel's copy of the path. Since 6.8 one opens the file and the other does the rest; before, the second did both.
pub(super) const FAILED: &[Rung] = &[
    Rung::Together(&[
        Rung::FunctionExit { program: "exec_not_begun", function: "alloc_bprm", parameters: 3 },
        Rung::FunctionExit { program: "exec_not_done", function: "bprm_execve", parameters: 1 },
    ]),
    Rung::FunctionExit { program: "exec_not_begun_or_done", function: "bprm_execve", parameters: 4 },
    Rung::Syscalls(&[("execve_failed", "sys_exit_execve"), ("execveat_failed", "sys_exit_execveat")]),
];
