//! From the bytes of a ring to typed records: pure, and total over any bytes.
//!
//! This room owns the reading of `bongsu-sensor-abi`. It refuses to look anything up: what it returns says what the kernel said.
//! Bytes that are no record give a [`DecodeError`], which the reader counts; nothing here panics (tested with arbitrary bytes).

mod dns;
mod file;
pub(crate) mod hello;
mod login;
mod mount;
mod network;
mod path;
mod process;
mod tamper;
#[cfg(test)]
mod tests;
mod uring;

use bongsu_event::{
    Activity, Authentication, Capabilities, FileOperation, IoUring, Mount, MountOperation, NamespaceChange,
    NetworkActivity, NetworkOperation,
};
use bongsu_sensor_abi::{self as abi, Creds, Family, Header, Kind, Record, TaskRef, User};
use bstr::BString;

pub(crate) use file::{FileAction, FileIdentity};
use network::network;
pub(crate) use process::Program;
pub(crate) use tamper::TamperAction;

/// A record of the kernel's, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Nanoseconds since boot, suspend included.
    pub(crate) time_ns: u64,
    /// Who did it.
    pub(crate) task: TaskRef,
    /// Under which identities; [`User::UNKNOWN`] when the kernel does not say.
    pub(crate) user: User,
    /// What was done.
    pub(crate) action: Action,
}

/// What the kernel says was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Fork {
        child: TaskRef,
        parent: TaskRef,
    },
    Exec(Box<Program>),
    Exit {
        code: u8,
        signal: u8,
    },
    ExecFailed {
        path: BString,
        error: u16,
    },
    SetName {
        before: BString,
        after: BString,
    },
    SetCredentials {
        before: Creds,
        after: Creds,
    },
    SetCapabilities {
        before: Capabilities,
        after: Capabilities,
    },
    Namespace(NamespaceChange),
    Tamper(TamperAction),
    Authentication(Authentication),
    ShellLine {
        line: BString,
    },
    File(FileAction),
    IoUring(IoUring),
    Mount(Mount),
    Network(NetworkActivity),
    /// What a packet says, when it says something.
    Packet(Option<Box<Activity>>),
    /// The process has begun to use up more than its allowance of that family.
    Noisy(Family),
    /// Not of a record, but worked out from the programs' counts.
    Suppressed(LeftOut),
}

/// Records that were not made, between two times since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) family: Family,
    pub(crate) count: u64,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
}

/// Bytes that are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The kernel and the sensor disagree about the size of a head.
    #[error("record of {0} bytes is shorter than its head")]
    Short(usize),
    /// The kernel and the sensor disagree about the kinds.
    #[error("no record has kind {0}")]
    Kind(u32),
    /// A length in the head points behind the end.
    #[error("text of a record is shorter than its head says")]
    Text,
    /// The kernel and the sensor disagree about the operations of tampering.
    #[error("no tampering has number {0}")]
    Operation(u32),
    /// The kernel and the sensor disagree about what has a budget.
    #[error("no family of budgets has number {0}")]
    Budget(u32),
    /// Neither IPv4 nor IPv6.
    #[error("no address family has number {0}")]
    Family(u16),
}

/// Reads one record.
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let header: Header = head(bytes)?;
    let kind = Kind::from_number(header.kind).ok_or(DecodeError::Kind(header.kind))?;
    let action = match kind {
        Kind::Fork => {
            let fork: abi::Fork = head(bytes)?;
            Action::Fork { child: fork.child, parent: fork.parent }
        }
        Kind::Exec => Action::Exec(Box::new(process::exec(bytes)?)),
        Kind::Exit => process::exit(&head(bytes)?),
        Kind::ExecFailed => process::exec_failed(bytes)?,
        Kind::SetName => process::set_name(&head(bytes)?),
        Kind::SetCredentials => {
            let change: abi::SetCredentials = head(bytes)?;
            Action::SetCredentials { before: change.before, after: change.after }
        }
        Kind::SetCapabilities => tamper::capabilities(&head(bytes)?),
        Kind::Namespace => tamper::namespace(&head(bytes)?),
        Kind::Tamper => tamper::tamper(bytes)?,
        Kind::Create => Action::File(file::file(bytes, FileOperation::Create)?),
        Kind::Write => Action::File(file::file(bytes, FileOperation::Write)?),
        Kind::Read => Action::File(file::file(bytes, FileOperation::Read)?),
        Kind::Delete => Action::File(file::file(bytes, FileOperation::Delete)?),
        Kind::Rename => Action::File(file::file(bytes, FileOperation::Rename)?),
        Kind::Chmod => Action::File(file::file(bytes, FileOperation::Chmod)?),
        Kind::Link => Action::File(file::file(bytes, FileOperation::Link)?),
        Kind::Symlink => Action::File(file::file(bytes, FileOperation::Symlink)?),
        Kind::Chown => Action::File(file::chown(bytes)?),
        Kind::Truncate => Action::File(file::file(bytes, FileOperation::Truncate)?),
        Kind::SetAttribute => Action::File(file::file(bytes, FileOperation::SetAttribute)?),
        Kind::CloseWrite => Action::File(file::file(bytes, FileOperation::CloseWrite)?),
        Kind::Mount => Action::Mount(mount::mount(bytes, MountOperation::Mount)?),
        Kind::Unmount => Action::Mount(mount::mount(bytes, MountOperation::Unmount)?),
        Kind::Connect => Action::Network(network(&head(bytes)?, NetworkOperation::Connect)?),
        Kind::Accept => Action::Network(network(&head(bytes)?, NetworkOperation::Accept)?),
        Kind::Listen => Action::Network(network(&head(bytes)?, NetworkOperation::Listen)?),
        Kind::Bind => Action::Network(network(&head(bytes)?, NetworkOperation::Bind)?),
        Kind::Close => Action::Network(network(&head(bytes)?, NetworkOperation::Close)?),
        Kind::Send => Action::Network(network(&head(bytes)?, NetworkOperation::Send)?),
        Kind::Receive => Action::Network(network(&head(bytes)?, NetworkOperation::Receive)?),
        Kind::Dns => Action::Packet(network::dns(bytes)?.map(Box::new)),
        Kind::Suppressed => {
            let number = head::<abi::Noisy>(bytes)?.family;
            Action::Noisy(Family::from_number(number).ok_or(DecodeError::Budget(number))?)
        }
        Kind::Tls => Action::Packet(network::tls(bytes)?.map(Box::new)),
        Kind::IoUring => Action::IoUring(uring::ring(bytes)?),
        Kind::Authentication => login::authentication(&head(bytes)?),
        Kind::ShellLine => login::shell_line(bytes)?,
    };
    Ok(Decoded { time_ns: header.time_ns, task: header.task, user: header.user, action })
}

fn head<H: Record>(bytes: &[u8]) -> Result<H, DecodeError> {
    H::read(bytes).ok_or(DecodeError::Short(bytes.len()))
}
