//! What the sensor gives up once its probes stand: nearly everything.
//!
//! Loading and attaching wants the rights over a whole kernel; reading rings, following logs and speaking to one correlator does not. The
//! sensor also parses what attackers write: names, packets, log lines. We assume that one day such bytes make it run code of their choosing.
//! That code finds a process that can read this host and tell its correlator, and that is all: it loads no program into the kernel, starts
//! none, writes nothing outside the state directory, listens nowhere, changes no user, mounts nothing, signals nobody.
//!
//! ```text
//! start the opener -> load and attach -> [keep] -> start the threads, which inherit what is left
//! ```
//! Capabilities, Landlock and a filter of system calls belong to threads, so this happens while there is only one. In this order: Landlock
//! opens a descriptor and the capabilities are set by calls that the filter then forbids. What a kernel lacks is said and done without; what
//! it has and refuses ends the sensor.

mod capabilities;
mod names;
mod paths;
mod system_calls;
#[cfg(test)]
pub(crate) mod tests;

use std::{fmt, path::PathBuf};

/// What will be done with the rights that are kept.
pub(crate) struct Needs {
    /// Where the sensor writes.
    pub(crate) state_dir: Option<PathBuf>,
    /// `host:port` of the correlator.
    pub(crate) addresses: Vec<String>,
    /// Ports of our own that the pulse connects to.
    pub(crate) ports: Vec<u16>,
    /// Calls that the pulse makes, with no argument but -1.
    pub(crate) failing_calls: Vec<libc::c_long>,
}

/// What was kept, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    capabilities: capabilities::Kept,
    calls: usize,
    landlock: paths::Kept,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capabilities {}; seccomp {} calls; landlock {}", self.capabilities, self.calls, self.landlock)
    }
}

/// A right that could not be given up. The sensor does not work with it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RightsError {
    /// The kernel said no.
    #[error("cannot {what}")]
    Capabilities {
        /// What was tried.
        what: &'static str,
        /// What it said.
        #[source]
        source: rustix::io::Errno,
    },
    /// The rules for files and ports.
    #[error("cannot confine the sensor to its state directory by Landlock")]
    Paths(#[from] paths::PathsError),
    /// The filter.
    #[error("cannot restrict system calls")]
    SystemCalls(#[from] system_calls::FilterError),
}

/// Gives up all but what is needed, for this thread and those that it starts. `reads_maps` tries whether the maps of the kernel programs can
/// still be read.
pub(crate) fn keep(needs: &Needs, reads_maps: impl Fn() -> bool) -> Result<Kept, RightsError> {
    names::load(&needs.addresses);
    let landlock = paths::confine(needs)?;
    let capabilities = capabilities::keep(capabilities::SENSOR, reads_maps)?;
    let calls = system_calls::restrict(system_calls::SENSOR.iter().chain(system_calls::OLD), &needs.failing_calls)?;
    Ok(Kept { capabilities, calls, landlock })
}

/// The same for the opener, which holds the rights over other processes that the sensor gives up, and does nothing but open. Landlock is not
/// for it: whoever is confined by it may not look at processes that are not.
pub(crate) fn keep_for_opener() -> Result<(), RightsError> {
    capabilities::keep(capabilities::OPENER, || true)?;
    system_calls::restrict(system_calls::OPENER.iter(), &[])?;
    Ok(())
}
