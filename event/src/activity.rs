//! What was done: one variant for each family of events.

mod dns;
mod file;
mod log;
mod network;
mod privilege;
mod program;
mod suppressed;
mod tamper;

use bstr::BString;

pub use dns::{Dns, DnsAnswer};
pub use file::{FileActivity, FileOperation, Mount, MountOperation, Owner};
pub use log::{Authentication, Log, LogMeaning, Login, Outcome};
pub use network::{ConnectResult, NetworkActivity, NetworkOperation, TlsHello, Traffic, Transport};
pub use privilege::{Capabilities, NamespaceChange, NamespaceKinds, NamespaceWay};
pub use program::{Exec, ExecFailed, ImageTraits};
pub use suppressed::{Family, Suppressed};
pub use tamper::{IoUring, IoUringOperation, Tamper, TamperOperation, Target};

use crate::{Credentials, ProcessKey};

/// What happened. The acting process, where there is one, is [`crate::Event::process`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    /// The process made a child.
    Fork {
        /// The child's key.
        child: ProcessKey,
    },
    /// The process became another program; `Event::process` is what it became.
    Exec(Exec),
    /// The process tried to become another program and could not.
    ExecFailed(ExecFailed),
    /// The process ended.
    Exit {
        /// The code given to exit(2), 0 to 255.
        code: u8,
        /// The signal that ended it, 0 when none did.
        signal: u8,
    },
    /// The process gave itself another name (prctl PR_SET_NAME, /proc/self/comm); `Event::process` has the new one.
    SetName {
        /// The kernel's `comm` before.
        before: BString,
    },
    /// Something was done to a file.
    File(FileActivity),
    /// A file system was mounted or unmounted.
    Mount(Mount),
    /// Something was done to a socket.
    Network(NetworkActivity),
    /// A name was asked for.
    Dns(Dns),
    /// A TLS client said whom it wants to talk to.
    Tls(TlsHello),
    /// The process changed its own identity by the setuid family of system calls; `Event::process` shows it after the change.
    SetCredentials {
        /// The identity before.
        before: Credentials,
    },
    /// The process changed its own capabilities by capset(2).
    SetCapabilities {
        /// What it had.
        before: Capabilities,
        /// What it has now.
        after: Capabilities,
    },
    /// The process went into other namespaces.
    Namespace(NamespaceChange),
    /// The process did what programs rarely do and attackers often.
    Tamper(Tamper),
    /// The process had the kernel do something through an io_uring, past the system calls that sensors watch.
    IoUring(IoUring),
    /// PAM told a program whether somebody is who they say they are.
    Authentication(Authentication),
    /// A line was typed into an interactive shell.
    ShellLine {
        /// The line.
        line: BString,
    },
    /// A line was appended to a followed log.
    Log(Log),
    /// Events of the process were left out: it made too many.
    Suppressed(Suppressed),
}
