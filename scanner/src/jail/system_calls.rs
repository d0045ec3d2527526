//! The system calls that are left, each with its reason. Any other ends the process at once.

use libc::{PROT_EXEC, STDERR_FILENO, STDIN_FILENO, STDOUT_FILENO};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter_all_threads,
};

/// Why the filter is not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// It cannot be built.
    #[error("cannot build the filter for {}", std::env::consts::ARCH)]
    Build(#[from] BackendError),
    /// The kernel does not take it.
    #[error("the kernel does not take the filter")]
    Apply(#[from] seccompiler::Error),
}

/// When a call is allowed.
enum Allowed {
    Always,
    /// On this file descriptor (first argument).
    On(i32),
    /// With protection bits (third argument) that make nothing executable: code is made before the jail is shut, never after.
    NotExecutable,
}

use Allowed::{Always, NotExecutable, On};

const CALLS: &[(libc::c_long, Allowed)] = &[
    // Requests and the evidence that comes with them. Only the correlator's socket.
    (libc::SYS_recvmsg, On(STDIN_FILENO)),
    // The evidence.
    (libc::SYS_fstat, Always),
    (libc::SYS_read, Always),
    (libc::SYS_lseek, Always),
    (libc::SYS_close, Always),
    // Answers, and last words of a panic.
    (libc::SYS_write, On(STDOUT_FILENO)),
    (libc::SYS_write, On(STDERR_FILENO)),
    (libc::SYS_writev, On(STDERR_FILENO)),
    // Memory, within the limit.
    (libc::SYS_brk, Always),
    (libc::SYS_mmap, NotExecutable),
    (libc::SYS_mprotect, NotExecutable),
    (libc::SYS_mremap, Always),
    (libc::SYS_munmap, Always),
    (libc::SYS_madvise, Always),
    // Locks, and the engine's timer thread.
    (libc::SYS_futex, Always),
    (libc::SYS_clock_gettime, Always),
    (libc::SYS_clock_nanosleep, Always),
    (libc::SYS_nanosleep, Always),
    (libc::SYS_restart_syscall, Always),
    (libc::SYS_sched_yield, Always),
    // Seeds of hash tables.
    (libc::SYS_getrandom, Always),
    // Traps of the engine's virtual machine are signals.
    (libc::SYS_rt_sigreturn, Always),
    (libc::SYS_rt_sigaction, Always),
    (libc::SYS_rt_sigprocmask, Always),
    (libc::SYS_sigaltstack, Always),
    // The end, also by abort(3), which signals its own thread.
    (libc::SYS_getpid, Always),
    (libc::SYS_gettid, Always),
    (libc::SYS_exit, Always),
    (libc::SYS_exit_group, Always),
];

/// Puts the filter in force for all threads of the process.
pub(crate) fn restrict() -> Result<(), FilterError> {
    let mut calls: std::collections::BTreeMap<i64, Vec<SeccompRule>> = std::collections::BTreeMap::new();
    for (call, allowed) in CALLS {
        let rules = calls.entry(*call).or_default();
        rules.extend(condition(allowed)?.map(|condition| SeccompRule::new(vec![condition])).transpose()?);
    }
    let filter = SeccompFilter::new(
        calls,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter_all_threads(&program)?;
    Ok(())
}

fn condition(allowed: &Allowed) -> Result<Option<SeccompCondition>, BackendError> {
    match allowed {
        Always => Ok(None),
        On(descriptor) => {
            let descriptor = u64::try_from(*descriptor).unwrap_or(u64::MAX);
            SeccompCondition::new(0, Width::Dword, Compare::Eq, descriptor).map(Some)
        }
        NotExecutable => {
            let bit = u64::try_from(PROT_EXEC).unwrap_or(u64::MAX);
            SeccompCondition::new(2, Width::Dword, Compare::MaskedEq(bit), 0).map(Some)
        }
    }
}
