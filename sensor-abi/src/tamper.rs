//! Tamper records.

use crate::{Family, Header, Record, TaskRef};

/// What was done, as [`Tamper::operation`] numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum TamperOperation {
    /// ptrace(2) on another task. `number` is the request.
    Ptrace = 1,
    /// process_vm_writev(2).
    WriteMemory = 2,
    /// /proc/PID/mem opened for writing.
    OpenMemory = 3,
    /// A module came. The name is the module's, or the path of its file.
    LoadModule = 4,
    /// A module went. The name is the module's.
    UnloadModule = 5,
    /// A BPF program was loaded. `number` is its type.
    LoadBpf = 6,
    /// kexec_load(2) or kexec_file_load(2). The name is the path of the new kernel's file.
    LoadKernel = 7,
    /// Memory that is writable and executable. `number` are the protection bits.
    WriteExecute = 8,
    /// memfd_create(2). The name is as the kernel shows it, `memfd:` included; `number` are the flags.
    MakeMemfd = 9,
    /// A raw or packet socket. `detail` is the address family, `number` the protocol.
    RawSocket = 10,
}

impl TamperOperation {
    const ALL: [Self; 10] = [
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

    /// The operation with that number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| *operation as u32 == number)
    }
}

/// What programs rarely do and attackers often. Text: the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Tamper {
    /// Head; flags are of [`Tamper`].
    pub header: Header,
    /// The process it was done to; all 0 where there is none or it was gone.
    pub target: TaskRef,
    /// A [`TamperOperation`].
    pub operation: u32,
    /// What the operation says.
    pub number: u32,
    /// What the operation says.
    pub detail: u32,
    /// Bytes of the name; 0 for none.
    pub name_len: u16,
    /// Always 0.
    pub reserved: u16,
}

impl Tamper {
    /// The name is a walk (see [`crate::PathText`]) and not a string.
    pub const NAME_IS_WALK: u32 = 1;
    /// That walk had more steps than [`crate::STEPS_MAX`]; its root end is missing.
    pub const PATH_CUT: u32 = 2;
}

// SAFETY: repr(C), only integers, the size below shows that there is no padding.
unsafe impl Record for Tamper {
    const FAMILY: Option<Family> = Some(Family::Tamper);
}

const _: () = assert!(size_of::<Tamper>() == 72);
