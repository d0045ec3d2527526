//! What programs rarely do and attackers often.

use std::fmt::{self, Write as _};

use bongsu_event::{
    Activity, IoUring, MountOperation, NamespaceWay, Process, Suppressed, Tamper, TamperOperation, Target,
};

use super::{Actor, Brief, named};

pub(super) fn privilege(line: &mut String, process: Option<&Process>, activity: &Activity) -> fmt::Result {
    let actor = Actor(process);
    match activity {
        Activity::Mount(mount) if mount.operation == MountOperation::Unmount => {
            write!(line, "{actor} unmounted {}", Brief(&mount.target))
        }
        Activity::Mount(mount) => {
            write!(line, "{actor} mounted {} on {}", Brief(&mount.source), Brief(&mount.target))?;
            if mount.kind.is_empty() { Ok(()) } else { write!(line, " as {}", Brief(&mount.kind)) }
        }
        Activity::SetCapabilities { before, after } => {
            let (gained, lost) = (after.effective & !before.effective, before.effective & !after.effective);
            write!(line, "{actor} changed its capabilities: {} more, {} fewer", gained.count_ones(), lost.count_ones())
        }
        Activity::Namespace(change) => {
            let kinds = change.kinds.names().collect::<Vec<_>>().join(", ");
            match change.way {
                NamespaceWay::Unshare => write!(line, "{actor} went into new namespaces ({kinds})"),
                NamespaceWay::Join => write!(line, "{actor} went into the namespaces of others ({kinds})"),
            }
        }
        _ => write!(line, "{actor} did something"),
    }
}

struct Whom<'a>(Option<&'a Target>);

impl fmt::Display for Whom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(target) => named(f, &target.executable, &target.comm, target.key.pid),
            None => f.write_str("another process"),
        }
    }
}

pub(super) fn tamper(line: &mut String, process: Option<&Process>, tamper: &Tamper) -> fmt::Result {
    let (actor, whom) = (Actor(process), Whom(tamper.target.as_ref()));
    let name = Brief(tamper.name.as_ref().map_or(&b"without a name"[..], |name| name));
    match tamper.operation {
        TamperOperation::Ptrace => write!(line, "{actor} took control of {whom} (ptrace)"),
        TamperOperation::WriteMemory => write!(line, "{actor} wrote into the memory of {whom}"),
        // As open(2) numbers it: for reading only.
        TamperOperation::OpenMemory if tamper.number == 0 => {
            write!(line, "{actor} opened the memory of {whom} to read it")
        }
        TamperOperation::OpenMemory => write!(line, "{actor} opened the memory of {whom} for writing"),
        TamperOperation::LoadModule => write!(line, "{actor} loaded the kernel module {name}"),
        TamperOperation::UnloadModule => write!(line, "{actor} removed the kernel module {name}"),
        TamperOperation::LoadBpf => write!(line, "{actor} loaded the BPF program {name} of type {}", tamper.number),
        TamperOperation::LoadKernel => write!(line, "{actor} loaded another kernel to start"),
        TamperOperation::WriteExecute => write!(line, "{actor} made memory writable and executable at once"),
        TamperOperation::MakeMemfd => write!(line, "{actor} made a file in memory, {name}"),
        TamperOperation::RawSocket => write!(line, "{actor} opened a raw socket ({name})"),
    }
}

pub(super) fn ring(line: &mut String, process: Option<&Process>, ring: &IoUring) -> fmt::Result {
    write!(line, "{} asked an io_uring for {}", Actor(process), ring.operation.word())?;
    if let Some(path) = &ring.path {
        write!(line, " of {}", Brief(path))?;
    }
    match ring.remote {
        Some(remote) => write!(line, " to {remote}"),
        None => Ok(()),
    }
}

pub(super) fn suppressed(line: &mut String, process: Option<&Process>, left: Suppressed) -> fmt::Result {
    write!(
        line,
        "{} made more {} events than its budget allows: {} were left out between {} and {}",
        Actor(process),
        left.family.as_str(),
        left.count,
        left.first,
        left.last
    )
}
