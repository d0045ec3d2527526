//! What was done: one variant for each family of events.

use std::net::{IpAddr, SocketAddr};

use bstr::BString;

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
    /// The process ended.
    Exit {
        /// The code given to exit(2), 0 to 255.
        code: u8,
        /// The signal that ended it, 0 when none did.
        signal: u8,
    },
    /// Something was done to a file.
    File(FileActivity),
    /// Something was done to a socket.
    Network(NetworkActivity),
    /// The process changed its own identity by the setuid family of system calls; `Event::process` shows it after the change.
    SetCredentials {
        /// The identity before.
        before: Credentials,
    },
    /// A line was appended to a followed log.
    Log(Log),
}

/// The start of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exec {
    /// What the process was before, when that is known.
    pub previous_executable: Option<BString>,
    /// The script, when the kernel ran an interpreter for it.
    pub script: Option<BString>,
    /// What is unusual about the image.
    pub image: ImageTraits,
    /// Inode number of the image.
    pub inode: u64,
}

/// What is unusual about a program's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImageTraits {
    /// It lives in memory only (memfd_create).
    pub memfd: bool,
    /// It has no name left in any directory.
    pub deleted: bool,
    /// It carries the set-uid or set-gid bit.
    pub setuid: bool,
}

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileOperation {
    /// Opened with the file made by that very call.
    Create,
    /// An existing file opened for writing.
    Write,
    /// A file on the policy's list of sensitive files opened for reading.
    Read,
    /// Removed from its directory.
    Delete,
    /// Given another name.
    Rename,
    /// Its mode bits changed.
    Chmod,
}

/// One operation on one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileActivity {
    /// What was done.
    pub operation: FileOperation,
    /// The file's absolute path after the operation.
    pub path: BString,
    /// The path before a rename.
    pub previous_path: Option<BString>,
    /// Permission bits after a chmod or create.
    pub mode: Option<u32>,
}

/// What was done to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetworkOperation {
    /// A connection was begun from here.
    Connect,
    /// A connection from elsewhere was accepted.
    Accept,
    /// The socket began to listen.
    Listen,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One operation on one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkActivity {
    /// What was done.
    pub operation: NetworkOperation,
    /// The protocol.
    pub transport: Transport,
    /// This host's end.
    pub local: SocketAddr,
    /// The other end; absent for a listening socket.
    pub remote: Option<SocketAddr>,
}

/// A line of a followed log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The file it was appended to.
    pub path: BString,
    /// The program that the line says wrote it (`sshd`, `sudo`). A claim, not a fact.
    pub program: Option<BString>,
    /// The line without its line end.
    pub message: BString,
    /// What the line says, where a parser knows its form.
    pub meaning: Option<LogMeaning>,
}

/// What a log line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogMeaning {
    /// Somebody tried to log in.
    Login(Login),
    /// Somebody ran a command as somebody else (sudo, su).
    Elevation {
        /// Whether it was allowed.
        outcome: Outcome,
        /// Who asked.
        user: BString,
        /// As whom.
        target: BString,
        /// What was to be run.
        command: Option<BString>,
    },
}

/// Whether something that was tried was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was.
    Success,
    /// It was not.
    Failure,
}

/// One attempt to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Whether it was let in.
    pub outcome: Outcome,
    /// The account that was tried, which may not exist.
    pub user: BString,
    /// Where it came from.
    pub source: Option<IpAddr>,
    /// The port it came from.
    pub source_port: Option<u16>,
    /// How: `password`, `publickey`, ...
    pub method: Option<BString>,
}
