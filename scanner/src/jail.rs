//! What this process gives up before it touches a byte of evidence.
//!
//! The engine parses hostile files with a large parser and a compiler of machine code; we assume that one day a file will make it
//! run code of the attacker's choosing. That code finds a process that can compute, answer "no match" or "matched" for this one
//! file, and do nothing else: open no file, make no socket, start no process, signal nobody, gain no privilege, fill no disk.
//!
//! Order matters: limits first (they need to read `/proc`), then the identity, then the system calls, which shuts the door.
//! Landlock would add nothing: not one system call that takes a path is left.

mod system_calls;

use std::{fs, io};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
    },
    unistd::{Gid, Uid, setgroups, setresgid, setresuid},
};

/// Memory beyond what the worker holds at the start and the largest file it accepts.
const HEADROOM_BYTES: u64 = 256 << 20;
/// Processor seconds of the worker's whole life. The correlator retires a worker long before, so only a runaway meets this.
const CPU_SECONDS_MAX: u64 = 1800;
/// Three standard streams, what the engine holds, and the evidence.
const OPEN_FILES_MAX: u64 = 16;
/// `nobody`, as every distribution has it.
const NOBODY: u32 = 65534;

/// A restriction that could not be put in force. The worker then refuses to work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JailError {
    /// The kernel said no.
    #[error("cannot {what}")]
    Refused {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: Errno,
    },
    /// The size of our own memory is unknown.
    #[error("cannot read how much memory this process has, in /proc/self/statm")]
    Memory(#[source] io::Error),
    /// The filter for system calls could not be built or put in force.
    #[error("cannot restrict system calls")]
    SystemCalls(#[from] system_calls::FilterError),
}

/// Shuts the door. Returns the restrictions in force, in words.
pub(crate) fn enter(bytes_max: u64) -> Result<Vec<String>, JailError> {
    // No program run from here could gain privileges; the kernel also asks for it before it takes a filter from us.
    tried("forbid new privileges", prctl::set_no_new_privs())?;
    let memory = limit(bytes_max)?;
    let identity = become_nobody()?;
    // After the change of identity, which would set it again: evidence must neither be dumped to disk by a crash nor be read out of
    // our memory by another process of the same user.
    tried("forbid core dumps and tracing", prctl::set_dumpable(false))?;
    system_calls::restrict()?;
    Ok(vec![
        "no new privileges, no core dump, not traceable".to_owned(),
        format!("at most {} MiB of memory, {CPU_SECONDS_MAX} s of processor, {OPEN_FILES_MAX} files", memory >> 20),
        identity,
        "system calls: compute, receive a file, read it, answer; no new executable memory".to_owned(),
    ])
}

fn limit(bytes_max: u64) -> Result<u64, JailError> {
    let memory = mapped_bytes()?.saturating_add(bytes_max).saturating_add(HEADROOM_BYTES);
    let limits = [
        // A file made to blow up matching ends this process, not the host.
        ("limit memory", Resource::RLIMIT_AS, memory),
        // A loop that no deadline stops still ends.
        ("limit processor time", Resource::RLIMIT_CPU, CPU_SECONDS_MAX),
        ("limit open files", Resource::RLIMIT_NOFILE, OPEN_FILES_MAX),
        // Nothing is ever written to a file. Stdout is a pipe, to which this does not apply.
        ("forbid writing files", Resource::RLIMIT_FSIZE, 0),
        ("forbid core dumps", Resource::RLIMIT_CORE, 0),
        // No thread or process beyond those that exist.
        ("forbid new processes", Resource::RLIMIT_NPROC, 0),
    ];
    for (what, resource, value) in limits {
        tried(what, setrlimit(resource, value, value))?;
    }
    Ok(memory)
}

/// Root must not read hostile files. Without root there is nothing to give up: the worker has the correlator's own identity, and
/// what that may do is out of reach behind the system call filter.
fn become_nobody() -> Result<String, JailError> {
    if !Uid::effective().is_root() {
        return Ok(format!("user {}", Uid::effective()));
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    tried("give up supplementary groups", setgroups(&[]))?;
    tried("change the group to nobody", setresgid(group, group, group))?;
    tried("change the user to nobody", setresuid(user, user, user))?;
    Ok(format!("user {NOBODY}, group {NOBODY}, no other groups"))
}

fn mapped_bytes() -> Result<u64, JailError> {
    let text = fs::read_to_string("/proc/self/statm").map_err(JailError::Memory)?;
    let pages = text.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| JailError::Memory(io::ErrorKind::InvalidData.into()))?;
    Ok(pages.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(4096)))
}

fn tried(what: &'static str, result: nix::Result<()>) -> Result<(), JailError> {
    result.map_err(|source| JailError::Refused { what, source })
}
