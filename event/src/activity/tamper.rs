//! What programs rarely do and attackers often.

use std::net::SocketAddr;

use bstr::BString;

use crate::ProcessKey;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TamperOperation {
    /// Attached to another process by ptrace(2). `number` is the request.
    Ptrace,
    /// Wrote into another process's memory by process_vm_writev(2).
    WriteMemory,
    /// Opened a process's memory file (/proc/PID/mem) for writing; the process may be itself, whose code can be changed that way, too.
    OpenMemory,
    /// Loaded a kernel module. `name` is the module.
    LoadModule,
    /// Removed a kernel module. `name` is the module.
    UnloadModule,
    /// Loaded a BPF program. `name` is its name, `number` its type.
    LoadBpf,
    /// Loaded another kernel to jump into (kexec).
    LoadKernel,
    /// Made memory both writable and executable. `number` are the protection bits.
    WriteExecute,
    /// Made a file that lives in memory only (memfd_create). `name` is its name, `number` the flags.
    MakeMemfd,
    /// Opened a raw or packet socket. `name` says which, `number` is the protocol.
    RawSocket,
}

impl TamperOperation {
    /// Every operation.
    pub const ALL: [Self; 10] = [
        Self::Ptrace,
        Self::WriteMemory,
        Self::OpenMemory,
        Self::LoadModule,
        Self::UnloadModule,
        Self::LoadBpf,
        Self::LoadKernel,
        Self::WriteExecute,
        Self::MakeMemfd,
        Self::RawSocket,
    ];

    /// Its word, as `event.action` shows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ptrace => "ptrace",
            Self::WriteMemory => "memory-write",
            Self::OpenMemory => "memory-open",
            Self::LoadModule => "module-load",
            Self::UnloadModule => "module-unload",
            Self::LoadBpf => "bpf-load",
            Self::LoadKernel => "kexec-load",
            Self::WriteExecute => "memory-write-execute",
            Self::MakeMemfd => "memfd-create",
            Self::RawSocket => "raw-socket",
        }
    }
}

/// One such act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tamper {
    /// What was done.
    pub operation: TamperOperation,
    /// To which process, where it was done to one.
    pub target: Option<Target>,
    /// What it was called, where it has a name: see [`TamperOperation`].
    pub name: Option<BString>,
    /// A number whose meaning [`TamperOperation`] says; 0 for none.
    pub number: u32,
}

/// A process to which something was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its key.
    pub key: ProcessKey,
    /// The resolved path of its image; empty when it was not known.
    pub executable: BString,
    /// The kernel's `comm`.
    pub comm: BString,
}

/// What an io_uring was asked for, as linux/io_uring.h numbers the operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IoUringOperation(pub u8);

impl IoUringOperation {
    const NAMES: [(u8, &'static str); 14] = [
        (9, "sendmsg"),
        (13, "accept"),
        (16, "connect"),
        (18, "openat"),
        (26, "send"),
        (28, "openat2"),
        (35, "renameat"),
        (36, "unlinkat"),
        (37, "mkdirat"),
        (38, "symlinkat"),
        (39, "linkat"),
        (41, "fsetxattr"),
        (42, "setxattr"),
        (45, "socket"),
    ];

    /// Its name; absent for one that no event is made of.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.into_iter().find(|(number, _)| *number == self.0).map(|(_, name)| name)
    }

    /// Its name, or its number.
    #[must_use]
    pub fn word(self) -> String {
        self.name().map_or_else(|| self.0.to_string(), str::to_owned)
    }
}

/// One operation through an io_uring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoUring {
    /// What was asked for.
    pub operation: IoUringOperation,
    /// The path, where the kernel shows it.
    pub path: Option<BString>,
    /// The other end, where the kernel shows it.
    pub remote: Option<SocketAddr>,
}
