//! What the kernel programs cost, by the kernel's own statistics: how often each ran, and for how long; and how often the kernel passed one
//! over, because it does not run a program inside itself.
//!
//! Read from the descriptors of the programs, which asks for no rights. What a program missed the kernel counts always; runs it
//! counts only while somebody holds [`Statistics`], because counting costs every program of the host two looks at the clock; it
//! stops when the last holder lets go, also by dying.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    time::Duration,
};

use ahash::AHashSet;
use aya::{
    Ebpf,
    programs::{ProgramError, ProgramFd, loaded_programs},
    sys::{Stats, SyscallError, enable_stats},
};

use super::fdinfo::number;

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
    /// What it says of one of ours.
    #[error("cannot read the kernel's figures of the program {program}")]
    Program {
        /// Its name.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
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
    /// Times it should have run and was passed over. Kernels tell this since 5.12.
    pub(crate) missed: u64,
}

impl Figure {
    /// From the lines that /proc has for the descriptor of a program. Those that a kernel does not write count as 0.
    fn read(fdinfo: &str) -> Self {
        let number = |key| number(fdinfo, key).unwrap_or(0);
        Self {
            runs: number("run_cnt"),
            time: Duration::from_nanos(number("run_time_ns")),
            missed: number("recursion_misses"),
        }
    }

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
    programs: Vec<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    /// In the object.
    name: String,
    /// The kernel's.
    number: u32,
    /// Keeps it loaded, not attached.
    fd: ProgramFd,
}

impl Figures {
    /// Of the programs that are loaded.
    pub(super) fn of(ebpf: &Ebpf) -> Self {
        let loaded = |(name, program): (&str, &aya::programs::Program)| {
            let fd = program.fd().ok()?.try_clone().ok()?;
            Some(Loaded { name: name.to_owned(), number: program.info().ok()?.id(), fd })
        };
        Self { programs: ebpf.programs().filter_map(loaded).collect() }
    }

    /// The kernel's number of a program.
    #[cfg(test)]
    pub(super) fn number(&self, program: &str) -> Option<u32> {
        self.programs.iter().find(|loaded| loaded.name == program).map(|loaded| loaded.number)
    }

    /// What was counted so far, by the program's name in the object.
    pub(crate) fn take(&self) -> Result<Vec<(&str, Figure)>, FiguresError> {
        let mut figures = Vec::new();
        for Loaded { name, fd, .. } in &self.programs {
            let fdinfo = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd()))
                .map_err(|source| FiguresError::Program { program: name.clone(), source })?;
            figures.push((name.as_str(), Figure::read(&fdinfo)));
        }
        Ok(figures)
    }

    /// Whether another copy of the sensor's programs is loaded beside these. Known by the names, so of another build as well: half of them,
    /// since some are names that others might give.
    pub(crate) fn another_copy(&self) -> Result<bool, FiguresError> {
        let mut names = AHashSet::new();
        for info in programs_there_are() {
            let info = info?;
            if !self.programs.iter().any(|loaded| loaded.number == info.id()) {
                names.insert(info.name().to_vec());
            }
        }
        let cut = |name: &str| name.as_bytes()[..name.len().min(NAME_MAX)].to_vec();
        let same = self.programs.iter().filter(|loaded| names.contains(&cut(&loaded.name))).count();
        Ok(same > 0 && same * 2 >= self.programs.len())
    }
}

/// All of the host. Those that are unloaded while we look are passed over.
fn programs_there_are() -> impl Iterator<Item = Result<aya::programs::ProgramInfo, ProgramError>> {
    let gone = |error: &ProgramError| match error {
        ProgramError::SyscallError(SyscallError { io_error, .. }) => io_error.kind() == io::ErrorKind::NotFound,
        _ => false,
    };
    loaded_programs().filter(move |info| !info.as_ref().is_err_and(gone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_the_kernel_says_of_a_descriptor() {
        let fdinfo = "pos:\t0\nprog_type:\t17\nrun_time_ns:\t9000\nrun_cnt:\t12\nrecursion_misses:\t3\n";
        let figure = Figure::read(fdinfo);
        assert_eq!(figure, Figure { runs: 12, time: Duration::from_micros(9), missed: 3 });
        assert_eq!(figure.ns_per_run(), Some(750));
        assert_eq!(Figure::read("pos:\t0\nprog_type:\t17\n"), Figure::default());
    }
}
