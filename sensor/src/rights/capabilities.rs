//! The capabilities that are left.

use std::fmt;

use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities, set_no_new_privs,
    },
};

use super::RightsError;

/// Of the sensor:
/// - DAC_READ_SEARCH: logs and programs that only their owner may read, for tailing and as evidence.
///
/// BPF comes to it only where the kernel wants it for reading a map one holds a descriptor of: before 5.19, with
/// `kernel.unprivileged_bpf_disabled` set. Only the trial tells. The filter of system calls leaves reading and writing of maps either way.
pub(super) const SENSOR: CapabilitySet = CapabilitySet::DAC_READ_SEARCH;

/// Of the opener:
/// - SYS_PTRACE: /proc/PID/exe, cwd and namespaces of processes of other users;
/// - DAC_READ_SEARCH: images that only their owner may read.
pub(super) const OPENER: CapabilitySet = CapabilitySet::SYS_PTRACE.union(CapabilitySet::DAC_READ_SEARCH);

/// Kernels number them up to 63.
const NUMBERS: std::ops::Range<u32> = 0..64;

/// What is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    effective: CapabilitySet,
    /// Emptying it needs SETPCAP, which the unit does not give. Nothing can come of it: no program is started from here, and none could
    /// gain by it.
    bounding_left: bool,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.effective.is_empty() {
            true => write!(f, "none")?,
            false => bitflags_names(self.effective, f)?,
        }
        if self.bounding_left { write!(f, " (bounding set as the service manager left it)") } else { Ok(()) }
    }
}

fn bitflags_names(set: CapabilitySet, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, (name, _)) in set.iter_names().enumerate() {
        write!(f, "{}{name}", if index == 0 { "" } else { " " })?;
    }
    Ok(())
}

/// Keeps of `wanted` what there is.
pub(super) fn keep(wanted: CapabilitySet, reads_maps: impl Fn() -> bool) -> Result<Kept, RightsError> {
    tried("forbid new privileges", set_no_new_privs(true))?;
    tried("empty the ambient capabilities", clear_ambient_capability_set())?;
    let bounding_left = empty_bounding_set()?;
    let had = tried("read the capabilities", capabilities(None))?.permitted;
    let mut effective = had & wanted;
    // In two steps: what is not effective is as good as gone, but can be taken back when it turns out to be needed.
    let set = |effective, permitted| {
        let sets = CapabilitySets { effective, permitted, inheritable: CapabilitySet::empty() };
        tried("give capabilities up", set_capabilities(None, sets))
    };
    set(effective, had)?;
    if !reads_maps() {
        effective |= had & CapabilitySet::BPF;
    }
    set(effective, effective)?;
    Ok(Kept { effective, bounding_left })
}

/// Says whether something is left in it.
fn empty_bounding_set() -> Result<bool, RightsError> {
    for number in NUMBERS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The first one that the kernel does not know.
            Err(Errno::INVAL) => break,
            Err(Errno::PERM) => return Ok(true),
            Err(error) => tried("empty the bounding set of capabilities", Err(error))?,
        }
    }
    Ok(false)
}

fn tried<T>(what: &'static str, result: rustix::io::Result<T>) -> Result<T, RightsError> {
    result.map_err(|source| RightsError::Capabilities { what, source })
}
