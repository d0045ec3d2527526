//! What is counted of a host's events, and under which words.

use bongsu_event::{
    Activity, FileOperation, LogMeaning, NetworkOperation, Outcome, StoredEvent,
    catalogue::{FieldId, Value},
};

/// How many features a window has.
pub(super) const FEATURES: usize = 19;

/// The features in order, each in the words of a reason: `programs started: 12, usually 0 to 1`.
pub(super) const NAMES: [&str; FEATURES] = [
    "programs started",
    "different programs started",
    "processes forked",
    "processes that ended with an error",
    "programs started by others than root",
    "programs started from temporary directories or memory",
    "connections begun",
    "different destinations",
    "sockets opened for listening",
    "connections accepted",
    "files created",
    "files written",
    "files deleted",
    "files renamed",
    "sensitive files read",
    "failed logins",
    "logins",
    "privilege changes",
    "log lines",
];

pub(super) const PROGRAMS: usize = 1;
pub(super) const DESTINATIONS: usize = 7;

/// A count for each feature.
pub(super) type Counts = [u32; FEATURES];

/// Where programs are not installed.
const TEMPORARY: [&[u8]; 4] = [b"/tmp/", b"/var/tmp/", b"/dev/shm/", b"/memfd:"];

/// What one event adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Adds {
    /// A bit for each feature that it raises by one.
    pub(super) features: u32,
    /// For [`PROGRAMS`] or [`DESTINATIONS`]: which one it is, so that each counts once.
    pub(super) one_of: Option<(usize, u32)>,
}

impl Adds {
    pub(super) fn of(event: &StoredEvent, elevated: FieldId) -> Self {
        let mut adds = Self::default();
        match &event.event.activity {
            Activity::Fork { .. } => adds.raise(2),
            Activity::Exec(_) => adds.exec(event),
            Activity::Exit { code, signal } if *code != 0 || *signal != 0 => adds.raise(3),
            Activity::File(file) => match file.operation {
                FileOperation::Create => adds.raise(10),
                FileOperation::Write => adds.raise(11),
                FileOperation::Delete => adds.raise(12),
                FileOperation::Rename => adds.raise(13),
                FileOperation::Read => adds.raise(14),
                // What a window counts is part of stored baselines: a new kind of event needs a new layout.
                FileOperation::Chmod
                | FileOperation::Chown
                | FileOperation::CloseWrite
                | FileOperation::Link
                | FileOperation::Symlink
                | FileOperation::Truncate
                | FileOperation::SetAttribute => {}
            },
            Activity::Network(network) => match network.operation {
                NetworkOperation::Connect => {
                    adds.raise(6);
                    let port = network.remote.map(|remote| remote.port().to_be_bytes()).unwrap_or_default();
                    let address = network.remote.map(|remote| remote.ip().to_string()).unwrap_or_default();
                    adds.one_of = Some((DESTINATIONS, mark(&[address.as_bytes(), &port])));
                }
                NetworkOperation::Listen => adds.raise(8),
                NetworkOperation::Accept => adds.raise(9),
                NetworkOperation::Bind
                | NetworkOperation::Close
                | NetworkOperation::Send
                | NetworkOperation::Receive => {}
            },
            Activity::Log(log) => {
                adds.raise(18);
                if let Some(LogMeaning::Login(login)) = &log.meaning {
                    adds.raise(if login.outcome == Outcome::Failure { 15 } else { 16 });
                }
            }
            _ => {}
        }
        if elevated.read(event) == Value::Flag(true) {
            adds.raise(17);
        }
        adds
    }

    fn exec(&mut self, event: &StoredEvent) {
        self.raise(0);
        let Some(process) = event.event.process.as_deref() else { return };
        if process.credentials.real.id != 0 {
            self.raise(4);
        }
        if TEMPORARY.iter().any(|place| process.executable.starts_with(place)) {
            self.raise(5);
        }
        let parent = process.parent().map(|parent| parent.executable.as_slice()).unwrap_or_default();
        self.one_of = Some((PROGRAMS, mark(&[&process.executable, parent])));
    }

    fn raise(&mut self, feature: usize) {
        self.features |= 1 << feature;
    }
}

/// 32 bits of FNV-1a: the same on every machine and in every version, because baselines are stored with it. A host that makes
/// collisions on purpose only makes itself look less varied.
fn mark(parts: &[&[u8]]) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.iter().flat_map(|part| part.iter().chain(&[0])) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are folded into one")]
    let folded = (hash ^ (hash >> 32)) as u32;
    folded
}
