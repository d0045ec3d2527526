//! A kernel locked down for confidentiality lets no program read its memory, and every probe does.
//!
//! Each hook would be refused with a verifier's log of its own that says nothing of the cause: so this is found out before, and said once.

use std::fs;

use aya::{
    Ebpf,
    programs::{Program, ProgramError},
};

/// Where the kernel says how far it is locked down, as in `none integrity [confidentiality]`.
const STATE: &str = "/sys/kernel/security/lockdown";

/// The program that is tried: a small one that reads the kernel's memory, as all do.
const TRIAL: &str = "fork";

/// Whether the kernel hides its memory. That it is locked down is not enough to know: distributions differ in what that forbids.
pub(super) fn hides_memory(ebpf: &mut Ebpf) -> bool {
    if !fs::read_to_string(STATE).is_ok_and(|state| is_confidential(&state)) {
        return false;
    }
    let Some(Program::RawTracePoint(program)) = ebpf.program_mut(TRIAL) else { return false };
    match program.load() {
        Ok(()) => {
            // Whoever attaches it loads it again.
            if let Err(error) = program.unload() {
                tracing::debug!(%error, "cannot unload the program that was tried");
            }
            false
        }
        Err(error) => names_the_helper(&error),
    }
}

fn is_confidential(state: &str) -> bool {
    state.contains("[confidentiality]")
}

/// Whether it is the reading that the verifier refuses.
fn names_the_helper(error: &ProgramError) -> bool {
    matches!(error, ProgramError::LoadError { verifier_log, .. } if refuses_to_read(&verifier_log.to_string()))
}

/// The verifier's words, of 6.1 and of 6.12. The function is called by its older name there: aya has tried the newer one and found it missing.
fn refuses_to_read(log: &str) -> bool {
    ["unknown func bpf_probe_read", "cannot use helper bpf_probe_read"].iter().any(|words| log.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_in_brackets_is_the_one_that_holds() {
        assert!(is_confidential("none integrity [confidentiality]\n"));
        assert!(!is_confidential("none [integrity] confidentiality\n"));
        assert!(!is_confidential("[none] integrity confidentiality\n"));
    }

    #[test]
    fn another_reason_to_refuse_a_program_is_not_taken_for_the_lockdown() {
        assert!(refuses_to_read("33: (85) call bpf_probe_read#4\nunknown func bpf_probe_read#4\nprocessed 31 insns"));
        assert!(refuses_to_read("program of this type cannot use helper bpf_probe_read_kernel#113"));
        assert!(!refuses_to_read("33: (85) call bpf_probe_read_kernel#113\ninvalid mem access 'scalar'"));
    }
}
