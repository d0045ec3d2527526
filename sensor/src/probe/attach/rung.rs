//! The kinds of attach points, and how they are named.

use std::fmt;

use super::syscalls::has_call;

/// Where a hook may be attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rung {
    /// The entry of a kernel function, by BTF.
    FunctionEntry { program: &'static str, function: &'static str },
    /// The return of a kernel function, by BTF. The program finds the result behind so many arguments; a kernel whose function takes another
    /// number is not this rung's.
    FunctionExit { program: &'static str, function: &'static str, parameters: usize },
    /// A tracepoint with the kernel's own arguments.
    RawTracepoint { program: &'static str, name: &'static str },
    /// Packets of all sockets, at the root of the cgroup tree.
    Packets { outgoing: &'static str, incoming: &'static str },
    /// System calls as they return (or are entered): program and tracepoint of the category `syscalls`. Calls that an architecture lacks
    /// are passed over; one must be there.
    Syscalls(&'static [(&'static str, &'static str)]),
    /// Several that only together give an answer.
    Together(&'static [Self]),
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FunctionEntry { function, .. } => write!(f, "fentry:{function}"),
            Self::FunctionExit { function, .. } => write!(f, "fexit:{function}"),
            Self::RawTracepoint { name, .. } => write!(f, "raw_tracepoint:{name}"),
            Self::Packets { .. } => write!(f, "cgroup_skb:egress,ingress"),
            Self::Syscalls(calls) => {
                write!(f, "tracepoint:")?;
                calls.iter().enumerate().try_for_each(|(index, (_, call))| {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{call}")
                })
            }
            Self::Together(parts) => parts.iter().enumerate().try_for_each(|(index, part)| {
                let plus = if index == 0 { "" } else { "+" };
                write!(f, "{plus}{part}")
            }),
        }
    }
}

impl Rung {
    /// The programs that stand on it, each once.
    pub(super) fn programs(&self) -> Vec<&'static str> {
        match self {
            Self::FunctionEntry { program, .. }
            | Self::FunctionExit { program, .. }
            | Self::RawTracepoint { program, .. } => vec![program],
            Self::Packets { outgoing, incoming } => vec![outgoing, incoming],
            Self::Syscalls(calls) => {
                let mut programs: Vec<_> = calls.iter().map(|(program, _)| *program).collect();
                programs.sort_unstable();
                programs.dedup();
                programs
            }
            Self::Together(parts) => parts.iter().flat_map(Self::programs).collect(),
        }
    }

    /// What its programs are attached to.
    pub(super) fn points(&self) -> Vec<&'static str> {
        match self {
            Self::FunctionEntry { function, .. } | Self::FunctionExit { function, .. } => vec![function],
            Self::RawTracepoint { name, .. } => vec![name],
            Self::Packets { .. } => vec!["cgroup_skb_egress", "cgroup_skb_ingress"],
            Self::Syscalls(calls) => calls.iter().map(|(_, call)| *call).filter(|call| has_call(call)).collect(),
            Self::Together(parts) => parts.iter().flat_map(Self::points).collect(),
        }
    }
}
