//! Files and ports, by Landlock: best effort, as kernels differ (5.13 has it, 6.7 knows ports, some do not turn it on).
//!
//! Reading is not confined, since telling what this host holds is what the sensor is for, and the images of containers lie in other mount
//! namespaces, which no rule of ours reaches. What it takes away, where the kernel can: writing, making, removing, running programs,
//! devices, listening on TCP, connecting by TCP to any but a few ports, abstract sockets of others, signals to others.

use std::{fmt, path::PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort, PathBeneath, PathFd,
    PathFdError, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

use super::Needs;

/// What we know how to use. Newer kernels do as this one.
const KNOWN: ABI = ABI::V6;
/// Answers that do not fit into a datagram.
const DNS: u16 = 53;

/// Why the rules are not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathsError {
    /// The directory cannot be opened.
    #[error("cannot open {path}")]
    StateDir {
        /// The state directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: PathFdError,
    },
    /// The kernel has Landlock and does not take the rules.
    #[error("the kernel does not take the rules")]
    Refused(#[from] RulesetError),
}

/// What is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The version of the kernel's interface that is used.
    Abi(i32),
    /// This kernel has no Landlock, or it is turned off.
    Missing(&'static str),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abi(version) => write!(f, "abi {version}"),
            Self::Missing(why) => write!(f, "{why}"),
        }
    }
}

/// Puts the rules in force for this thread.
pub(super) fn confine(needs: &Needs) -> Result<Kept, PathsError> {
    let everything_but_reading: BitFlags<AccessFs> =
        AccessFs::from_all(KNOWN) & !(AccessFs::ReadFile | AccessFs::ReadDir);
    // The spool's segments, and the identity: made, written, renamed, cut, removed. The pulse's folder: renamed to the name it has.
    let writing = AccessFs::WriteFile
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Truncate
        | AccessFs::Refer;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(everything_but_reading)?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?;
    if let Some(path) = &needs.state_dir {
        let directory = PathFd::new(path).map_err(|source| PathsError::StateDir { path: path.clone(), source })?;
        rules = rules.add_rule(PathBeneath::new(directory, writing))?;
    }
    for port in ports(needs) {
        rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    let status = rules.restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            Kept::Abi(kernel_abi.unwrap_or(effective_abi as i32))
        }
        LandlockStatus::NotEnabled => Kept::Missing("turned off on this host"),
        LandlockStatus::NotImplemented => Kept::Missing("unknown to this kernel, or kept from us"),
    })
}

/// Where TCP may go: to the correlator, to name servers, and to the pulse's own listener.
fn ports(needs: &Needs) -> Vec<u16> {
    let uplinks = needs.addresses.iter().filter_map(|address| address.rsplit_once(':')?.1.parse().ok());
    let mut ports: Vec<u16> = uplinks.chain(needs.ports.iter().copied()).chain([DNS]).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}
