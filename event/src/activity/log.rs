//! What logs and login programs say.

use std::net::IpAddr;

use bstr::BString;

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

/// What PAM told a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// Whether it was the right password, key or token.
    pub outcome: Outcome,
    /// PAM's name for the program: `sshd`, `sudo`, `login`.
    pub service: BString,
    /// The account, which may not exist.
    pub user: BString,
    /// Where the request came from, as the program told PAM: an address or a name; absent for local ones.
    pub remote_host: Option<BString>,
    /// The terminal, as the program told PAM.
    pub terminal: Option<BString>,
}
