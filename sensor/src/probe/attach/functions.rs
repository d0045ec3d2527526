//! Functions of the kernel, as they are entered and as they return.

use aya::{
    Btf, Ebpf,
    programs::{Program, ProgramError},
};

use super::{Kernel, RungError};

pub(super) fn attach_entry(
    ebpf: &mut Ebpf,
    kernel: Kernel<'_>,
    program: &'static str,
    function: &str,
) -> Result<(), RungError> {
    let btf = types(kernel)?;
    let Some(Program::FEntry(entry)) = ebpf.program_mut(program) else { return Err(RungError::NoProgram(program)) };
    entry.load(function, btf)?;
    entry.attach()?;
    Ok(())
}

/// The program finds the result behind so many arguments.
pub(super) fn attach_exit(
    ebpf: &mut Ebpf,
    kernel: Kernel<'_>,
    program: &'static str,
    function: &str,
    parameters: usize,
) -> Result<(), RungError> {
    let btf = types(kernel)?;
    let found = kernel.parameters.of(function);
    if found != Some(parameters) {
        return Err(RungError::Parameters { expected: parameters, found });
    }
    let Some(Program::FExit(exit)) = ebpf.program_mut(program) else { return Err(RungError::NoProgram(program)) };
    exit.load(function, btf)?;
    exit.attach()?;
    Ok(())
}

fn types(kernel: Kernel<'_>) -> Result<&Btf, RungError> {
    kernel.btf.ok_or(RungError::NoBtf)
}

/// Takes back what one part of a rung has attached when another part does not hold.
pub(super) fn detach(ebpf: &mut Ebpf, program: &'static str) {
    let detached = match ebpf.program_mut(program) {
        Some(Program::FEntry(entry)) => entry.unload(),
        Some(Program::FExit(exit)) => exit.unload(),
        _ => return,
    };
    match detached {
        Ok(()) | Err(ProgramError::NotLoaded) => {}
        Err(error) => tracing::debug!(program, %error, "cannot detach what the failed rung had attached"),
    }
}
