//! Tracepoints of system calls.

use std::{fs, path::Path};

use aya::{
    Ebpf,
    programs::{Program, ProgramError},
};

use super::RungError;

/// All of the calls or none: a hook that misses some of its calls would be half blind and look whole.
pub(super) fn attach(ebpf: &mut Ebpf, calls: &[(&'static str, &'static str)]) -> Result<(), RungError> {
    let present: Vec<_> = calls.iter().filter(|(_, call)| has_call(call)).collect();
    if present.is_empty() {
        let listed = TRACEFS.iter().any(|root| Path::new(root).join("events/syscalls").exists());
        return Err(if listed { RungError::NoCall } else { RungError::NoList });
    }
    let result = present.iter().try_for_each(|(program, call)| one(ebpf, program, call));
    if result.is_err() {
        for (program, _) in present {
            if let Some(Program::TracePoint(point)) = ebpf.program_mut(program)
                && let Err(error) = point.unload()
            {
                tracing::debug!(program, %error, "cannot detach what the failed rung had attached");
            }
        }
    }
    result
}

fn one(ebpf: &mut Ebpf, program: &'static str, call: &str) -> Result<(), RungError> {
    let Some(Program::TracePoint(point)) = ebpf.program_mut(program) else { return Err(RungError::NoProgram(program)) };
    // One program may serve several calls; it is loaded for the first.
    match point.load() {
        Ok(()) | Err(ProgramError::AlreadyLoaded) => {}
        Err(error) => return Err(error.into()),
    }
    point.attach("syscalls", call)?;
    Ok(())
}

pub(super) fn has_call(name: &str) -> bool {
    TRACEFS.iter().any(|root| Path::new(root).join("events/syscalls").join(name).exists())
}

const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Mounts tracefs where it belongs when nobody has: the ids of tracepoints are read there.
pub(crate) fn ensure_tracefs() {
    if TRACEFS.iter().any(|root| Path::new(root).join("events").exists()) {
        return;
    }
    let nothing: Option<&str> = None;
    let mounted = fs::create_dir_all(TRACEFS[0]).and_then(|()| {
        Ok(nix::mount::mount(Some("tracefs"), TRACEFS[0], Some("tracefs"), nix::mount::MsFlags::empty(), nothing)?)
    });
    if let Err(error) = mounted {
        tracing::warn!(%error, "cannot mount tracefs on {}: hooks on system calls will not hold", TRACEFS[0]);
    }
}
