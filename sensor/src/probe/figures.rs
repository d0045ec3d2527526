//! What the kernel programs cost, by the kernel's own statistics: how often each ran, and for how long.
//!
//! The kernel counts only while somebody holds [`Statistics`], because counting costs every program of the host two looks at the clock; it
//! stops when the last holder lets go, also by dying.

use std::{os::fd::OwnedFd, time::Duration};

use ahash::AHashSet;
use aya::{
    Ebpf,
    programs::{ProgramError, loaded_programs},
    sys::{Stats, SyscallError, enable_stats},
};

/// The kernel cuts the names of programs to so many bytes.
const NAME_MAX: usize = 15;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FiguresError {
    /// Needs CAP_SYS_ADMIN.
    #[error("the kernel does not let us turn its statistics on (CAP_SYS_ADMIN is needed)")]
    Refused(#[source] SyscallError),
    /// The list of loaded programs.
    #[error("cannot read what the kernel knows of the programs")]
    Unreadable(#[from] ProgramError),
}

/// While this lives the kernel counts.
#[derive(Debug)]
pub(crate) struct Statistics {
    _on: OwnedFd,
}

impl Statistics {
    /// Turns them on.
    pub(crate) fn on() -> Result<Self, FiguresError> {
        enable_stats(Stats::RunTime).map(|fd| Self { _on: fd }).map_err(FiguresError::Refused)
    }
}

/// What the kernel counted of one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Figure {
    /// Times it ran.
    pub(crate) runs: u64,
    /// All runs together.
    pub(crate) time: Duration,
}

impl Figure {
    /// Of one run; `None` when it did not run.
    #[must_use]
    pub(crate) fn ns_per_run(self) -> Option<u64> {
        let ns = u64::try_from(self.time.as_nanos()).unwrap_or(u64::MAX);
        ns.checked_div(self.runs)
    }
}

/// Knows which of the host's programs are ours.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Name in the object, and number in the kernel.
    programs: Vec<(String, u32)>,
}

impl Figures {
    /// Of the programs that are loaded.
    pub(super) fn of(ebpf: &Ebpf) -> Self {
        let loaded =
            |(name, program): (&str, &aya::programs::Program)| Some((name.to_owned(), program.info().ok()?.id()));
        Self { programs: ebpf.programs().filter_map(loaded).collect() }
    }

    /// The kernel's number of a program.
    #[cfg(test)]
    pub(super) fn number(&self, program: &str) -> Option<u32> {
        self.programs.iter().find(|(name, _)| name == program).map(|(_, number)| *number)
    }

    /// What was counted so far, by the program's name in the object.
    pub(crate) fn take(&self) -> Result<Vec<(&str, Figure)>, FiguresError> {
        let mut figures = Vec::new();
        for info in programs_there_are() {
            let info = info?;
            if let Some((name, _)) = self.programs.iter().find(|(_, id)| *id == info.id()) {
                figures.push((name.as_str(), Figure { runs: info.run_count(), time: info.run_time() }));
            }
        }
        Ok(figures)
    }

    /// Whether another copy of the sensor's programs is loaded beside these. Known by the names, so of another build as well: half of them,
    /// since some are names that others might give.
    pub(crate) fn another_copy(&self) -> Result<bool, FiguresError> {
        let mut names = AHashSet::new();
        for info in programs_there_are() {
            let info = info?;
            if !self.programs.iter().any(|(_, id)| *id == info.id()) {
                names.insert(info.name().to_vec());
            }
        }
        let cut = |name: &str| name.as_bytes()[..name.len().min(NAME_MAX)].to_vec();
        let same = self.programs.iter().filter(|(name, _)| names.contains(&cut(name))).count();
        Ok(same > 0 && same * 2 >= self.programs.len())
    }
}

/// All of the host. Those that are unloaded while we look are passed over.
fn programs_there_are() -> impl Iterator<Item = Result<aya::programs::ProgramInfo, ProgramError>> {
    let gone = |error: &ProgramError| match error {
        ProgramError::SyscallError(SyscallError { io_error, .. }) => io_error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    };
    loaded_programs().filter(move |info| !info.as_ref().is_err_and(gone))
}
