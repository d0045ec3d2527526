//! The attach ladder: for each hook the attach points that will do, best first, each tried by really loading and attaching.
//!
//! What a kernel allows cannot be read off its version or its configuration (fentry is refused on locked-down clouds that list it);
//! only the trial tells. A hook for which no rung holds is reported, and the sensor runs without it.

mod execs;
mod files;
mod functions;
mod mounts;
mod packets;
mod rung;
mod syscalls;

use std::error::Error as _;

use aya::{
    Btf, Ebpf,
    programs::{Program, ProgramError},
};

use super::offsets::Parameters;
use rung::Rung;
pub(crate) use syscalls::ensure_tracefs;

/// A hook and its ladder.
pub(crate) struct Ladder {
    /// What it watches, as the host page names it.
    pub(crate) name: &'static str,
    /// Best first.
    pub(crate) rungs: &'static [Rung],
}

/// All hooks.
pub(crate) const LADDERS: &[Ladder] = &[
    Ladder { name: "exec", rungs: &[Rung::RawTracepoint { program: "exec", name: "sched_process_exec" }] },
    Ladder { name: "fork", rungs: &[Rung::RawTracepoint { program: "fork", name: "sched_process_fork" }] },
    // Before exit: programs at one point run in the order in which they are attached, and the end is told last.
    Ladder {
        name: "file-close-write-exit",
        rungs: &[Rung::RawTracepoint { program: "files_left", name: "sched_process_exit" }],
    },
    Ladder { name: "exit", rungs: &[Rung::RawTracepoint { program: "exit", name: "sched_process_exit" }] },
    Ladder { name: "exec-failed", rungs: execs::FAILED },
    Ladder { name: "set-name", rungs: &[Rung::RawTracepoint { program: "set_name", name: "task_rename" }] },
    Ladder {
        name: "set-credentials",
        rungs: &[Rung::Syscalls(&[
            ("identity_asked", "sys_enter_setuid"),
            ("identity_asked", "sys_enter_setreuid"),
            ("identity_asked", "sys_enter_setresuid"),
            ("identity_asked", "sys_enter_setgid"),
            ("identity_asked", "sys_enter_setregid"),
            ("identity_asked", "sys_enter_setresgid"),
            ("identity_changed", "sys_exit_setuid"),
            ("identity_changed", "sys_exit_setreuid"),
            ("identity_changed", "sys_exit_setresuid"),
            ("identity_changed", "sys_exit_setgid"),
            ("identity_changed", "sys_exit_setregid"),
            ("identity_changed", "sys_exit_setresgid"),
        ])],
    },
    Ladder {
        name: "file-open",
        rungs: &[Rung::Syscalls(&[
            ("opened", "sys_exit_open"),
            ("opened_at", "sys_exit_openat"),
            ("opened_how", "sys_exit_openat2"),
            ("created", "sys_exit_creat"),
            ("opened_at", "sys_exit_open_by_handle_at"),
        ])],
    },
    Ladder {
        name: "file-close-write",
        rungs: &[Rung::Syscalls(&[
            ("close_asked", "sys_enter_close"),
            ("close_range_asked", "sys_enter_close_range"),
            ("replace_asked", "sys_enter_dup2"),
            ("replace_asked", "sys_enter_dup3"),
        ])],
    },
    Ladder { name: "file-delete", rungs: files::DELETE },
    Ladder { name: "file-rename", rungs: files::RENAME },
    Ladder { name: "file-chmod", rungs: files::CHMOD },
    Ladder { name: "file-link", rungs: files::LINK },
    Ladder { name: "file-symlink", rungs: files::SYMLINK },
    Ladder { name: "file-chown", rungs: files::CHOWN },
    Ladder { name: "file-truncate", rungs: files::TRUNCATE },
    Ladder { name: "file-ftruncate", rungs: files::FTRUNCATE },
    Ladder { name: "file-attribute", rungs: files::ATTRIBUTE },
    Ladder {
        name: "connect",
        rungs: &[Rung::RawTracepoint { program: "connection_state", name: "inet_sock_set_state" }],
    },
    Ladder {
        name: "accept",
        rungs: &[Rung::Syscalls(&[("accepted", "sys_exit_accept"), ("accepted", "sys_exit_accept4")])],
    },
    Ladder { name: "bind", rungs: &[Rung::Syscalls(&[("bound", "sys_exit_bind")])] },
    Ladder { name: "listen", rungs: &[Rung::Syscalls(&[("listening", "sys_exit_listen")])] },
    Ladder { name: "packets", rungs: &[Rung::Packets { outgoing: "packet_out", incoming: "packet_in" }] },
    Ladder {
        name: "io-uring",
        rungs: &[
            Rung::RawTracepoint { program: "ring_asked", name: "io_uring_submit_req" },
            Rung::RawTracepoint { program: "ring_asked", name: "io_uring_submit_sqe" },
        ],
    },
    Ladder {
        name: "io-uring-open",
        rungs: &[Rung::RawTracepoint { program: "ring_opened", name: "io_uring_complete" }],
    },
    Ladder { name: "mount", rungs: mounts::MOUNT },
    Ladder { name: "ptrace", rungs: &[Rung::Syscalls(&[("traced", "sys_exit_ptrace")])] },
    Ladder { name: "memory-write", rungs: &[Rung::Syscalls(&[("memory_written", "sys_exit_process_vm_writev")])] },
    Ladder { name: "memfd", rungs: &[Rung::Syscalls(&[("memfd_made", "sys_exit_memfd_create")])] },
    Ladder {
        name: "write-execute",
        rungs: &[Rung::Syscalls(&[
            ("protected", "sys_exit_mmap"),
            ("protected", "sys_exit_mprotect"),
            ("protected", "sys_exit_pkey_mprotect"),
        ])],
    },
    Ladder { name: "raw-socket", rungs: &[Rung::Syscalls(&[("socket_made", "sys_exit_socket")])] },
    Ladder {
        name: "module-load",
        rungs: &[
            Rung::RawTracepoint { program: "module_loaded", name: "module_load" },
            Rung::Syscalls(&[("module_file", "sys_exit_finit_module"), ("module_image", "sys_exit_init_module")]),
        ],
    },
    Ladder {
        name: "module-unload",
        rungs: &[
            Rung::RawTracepoint { program: "module_freed", name: "module_free" },
            Rung::Syscalls(&[("module_removed", "sys_exit_delete_module")]),
        ],
    },
    Ladder { name: "bpf-load", rungs: &[Rung::Syscalls(&[("bpf_called", "sys_exit_bpf")])] },
    Ladder {
        name: "kexec-load",
        rungs: &[Rung::Syscalls(&[
            ("kernel_image", "sys_exit_kexec_load"),
            ("kernel_file", "sys_exit_kexec_file_load"),
        ])],
    },
    Ladder {
        name: "set-capabilities",
        rungs: &[Rung::Syscalls(&[
            ("capabilities_asked", "sys_enter_capset"),
            ("capabilities_changed", "sys_exit_capset"),
        ])],
    },
    Ladder { name: "unshare", rungs: &[Rung::Syscalls(&[("unshared", "sys_exit_unshare")])] },
    Ladder { name: "setns", rungs: &[Rung::Syscalls(&[("joined", "sys_exit_setns")])] },
];

/// The rung of a hook that has nothing to watch: a kernel without modules, say. That is no blind spot.
pub(crate) const NEEDLESS: &str = "needless";

/// Where a hook stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hook {
    /// What it watches.
    pub(crate) name: String,
    /// What it is attached to; `none` when no rung held, [`NEEDLESS`] when this kernel cannot do what it watches.
    pub(crate) rung: String,
    /// Why better rungs were not taken; empty when the best one holds.
    pub(crate) detail: String,
    /// The kernel programs it consists of; none when no rung held.
    pub(crate) programs: Vec<&'static str>,
    /// The tracepoints and functions that they are attached to.
    pub(crate) points: Vec<&'static str>,
}

/// Why a rung does not hold.
#[derive(Debug, thiserror::Error)]
pub(super) enum RungError {
    #[error("no cgroup2 hierarchy is mounted (or /proc/self/mountinfo does not say where)")]
    NoCgroups,
    #[error("cannot open the root of the cgroup tree")]
    Cgroups(#[source] std::io::Error),
    #[error("the object has no program {0}")]
    NoProgram(&'static str),
    #[error("the kernel's own BTF cannot be read")]
    NoBtf,
    #[error("the function takes {found:?} arguments and not {expected}")]
    Parameters { expected: usize, found: Option<usize> },
    #[error("this kernel has none of these system calls")]
    NoCall,
    #[error("tracefs does not list the system calls")]
    NoList,
    #[error(transparent)]
    Refused(#[from] ProgramError),
}

/// What is known of the kernel that programs are attached to.
#[derive(Clone, Copy)]
pub(crate) struct Kernel<'a> {
    /// Its own type information, where it can be read.
    pub(crate) btf: Option<&'a Btf>,
    /// What its functions take.
    pub(crate) parameters: Parameters,
}

/// Attaches what can be attached.
pub(crate) fn attach_all(ebpf: &mut Ebpf, kernel: Kernel<'_>) -> Vec<Hook> {
    LADDERS.iter().map(|ladder| attach(ebpf, kernel, ladder)).collect()
}

/// Every hook, standing nowhere for one and the same reason.
pub(crate) fn all_blind(reason: &str) -> Vec<Hook> {
    LADDERS.iter().map(|ladder| nowhere(ladder, "none", reason.to_owned())).collect()
}

fn nowhere(ladder: &Ladder, rung: &str, detail: String) -> Hook {
    let (name, rung) = (ladder.name.to_owned(), rung.to_owned());
    Hook { name, rung, detail, programs: Vec::new(), points: Vec::new() }
}

fn attach(ebpf: &mut Ebpf, kernel: Kernel<'_>, ladder: &Ladder) -> Hook {
    let mut refused = Vec::new();
    let mut needless = false;
    for rung in ladder.rungs {
        match attach_rung(ebpf, kernel, *rung) {
            Ok(()) => {
                let (programs, points, detail) = (rung.programs(), rung.points(), refused.join("; "));
                return Hook { name: ladder.name.to_owned(), rung: rung.to_string(), detail, programs, points };
            }
            Err(error) => {
                needless |= matches!(error, RungError::NoCall);
                refused.push(format!("{rung}: {}", chain(&error)));
            }
        }
    }
    let detail = refused.join("; ");
    if needless {
        return nowhere(ladder, NEEDLESS, detail);
    }
    tracing::warn!(hook = ladder.name, detail, "no attach point holds: the sensor is blind here");
    nowhere(ladder, "none", detail)
}

fn attach_rung(ebpf: &mut Ebpf, kernel: Kernel<'_>, rung: Rung) -> Result<(), RungError> {
    match rung {
        Rung::FunctionEntry { program, function } => functions::attach_entry(ebpf, kernel, program, function)?,
        Rung::FunctionExit { program, function, parameters } => {
            functions::attach_exit(ebpf, kernel, program, function, parameters)?;
        }
        Rung::RawTracepoint { program, name } => {
            let Some(Program::RawTracePoint(point)) = ebpf.program_mut(program) else {
                return Err(RungError::NoProgram(program));
            };
            // A better rung may have loaded it and found its attach point missing.
            match point.load() {
                Ok(()) | Err(ProgramError::AlreadyLoaded) => {}
                Err(error) => return Err(error.into()),
            }
            point.attach(name)?;
        }
        Rung::Packets { outgoing, incoming } => packets::attach(ebpf, outgoing, incoming)?,
        Rung::Syscalls(calls) => syscalls::attach(ebpf, calls)?,
        Rung::Together(parts) => {
            let result = parts.iter().try_for_each(|part| attach_rung(ebpf, kernel, *part));
            if result.is_err() {
                parts.iter().flat_map(Rung::programs).for_each(|program| functions::detach(ebpf, program));
            }
            result?;
        }
    }
    Ok(())
}

/// An error with its causes, in one line that fits a host page: verifier logs are long, and their end says what is wrong.
pub(super) fn chain(error: &RungError) -> String {
    const DETAIL_MAX: usize = 600;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let message = next.to_string();
        // Some libraries put the cause into the message as well.
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = next.source();
    }
    // Where the verifier had nothing to say.
    let text = text.trim().trim_end_matches("Verifier output:").trim_end_matches(['.', ' ']).replace('\n', " | ");
    match text.char_indices().rev().nth(DETAIL_MAX) {
        Some((at, _)) => format!("...{}", &text[at..]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{library, load, offsets};

    /// A tenth of where verifiers give up. Kernels differ in how they count, so one that comes this far here will not load elsewhere.
    const STEPS_MAX: u32 = 100_000;

    #[test]
    fn no_program_on_any_rung_is_too_much_for_the_verifier() {
        let layout = offsets::read(std::process::id()).map_err(load::LoadError::from);
        let loaded = layout.and_then(|layout| Ok((load::load(&layout)?, layout.parameters)));
        let (mut ebpf, parameters) = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return println!("skipped: {error}"),
        };
        ensure_tracefs();
        let btf = Btf::from_sys_fs().ok();
        let kernel = Kernel { btf: btf.as_ref(), parameters };
        for rung in LADDERS.iter().flat_map(|ladder| ladder.rungs) {
            // A kernel may refuse a kind of program altogether, but then its verifier has nothing to say.
            if let Err(RungError::Refused(ProgramError::LoadError { verifier_log, .. })) =
                attach_rung(&mut ebpf, kernel, *rung)
            {
                assert_eq!(verifier_log.to_string(), "", "{rung}");
            }
        }
        let shells = library::shells();
        let _hooks = library::Libraries::attach(&mut ebpf, &library::pam(), &shells);
        for (name, program) in ebpf.programs() {
            // Kernels tell this since 5.16.
            let Some(steps) = program.info().ok().and_then(|info| info.verified_instruction_count()) else { continue };
            println!("{name}: {steps} steps");
            assert!(steps < STEPS_MAX, "{name}: {steps} steps");
        }
    }
}
