//! What a detector says about one or more events.

use std::{collections::BTreeSet, fmt, net::IpAddr, str::FromStr};

use bongsu_event::{EventId, EvidenceId, ProcessKey, SensorId, Severity, Timestamp};
use bstr::BString;
use sha2::{Digest, Sha256};

/// The name of a finding: the same rule, group key and events give the same id, on any machine, in any order of arrival, however
/// often (promise 4). Text form: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId(pub [u8; 16]);

impl FindingId {
    /// The first 128 bits of SHA-256 over the rule's id, the group key and the event ids in ascending order, each with its length
    /// before it, so that no two different inputs run together.
    #[must_use]
    pub fn new(rule: &str, group: &[u8], events: &[EventId]) -> Self {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(rule.as_bytes());
        part(group);
        for event in events.iter().collect::<BTreeSet<_>>() {
            part(event.to_string().as_bytes());
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(id)
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Who found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detector {
    /// A Sigma rule on a single event.
    Sigma,
    /// A sequence over several events.
    Sequence,
    /// The anomaly detector.
    Anomaly,
    /// A yara rule on evidence.
    Yara,
    /// The correlator's own checks: a ledger that does not balance, a sequence number used twice.
    Integrity,
}

impl Detector {
    const ALL: [Self; 5] = [Self::Sigma, Self::Sequence, Self::Anomaly, Self::Yara, Self::Integrity];

    /// Its word in the API and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sigma => "sigma",
            Self::Sequence => "sequence",
            Self::Anomaly => "anomaly",
            Self::Yara => "yara",
            Self::Integrity => "integrity",
        }
    }
}

/// A word that names no detector.
#[derive(Debug, thiserror::Error)]
#[error("unknown detector {0:?}")]
pub struct ParseDetectorError(pub String);

impl FromStr for Detector {
    type Err = ParseDetectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|detector| detector.as_str() == text)
            .ok_or_else(|| ParseDetectorError(text.to_owned()))
    }
}

/// Somebody or something that a finding involves. Incidents are grouped by these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// A process that acted.
    Process(ProcessKey),
    /// A process above one that acted. Nearer than the ones shared by everything on the host.
    Ancestor(ProcessKey),
    /// An account on the host.
    User(BString),
    /// The far end of a connection or login.
    Address(IpAddr),
    /// A file.
    File(BString),
    /// Bytes taken from the host.
    Evidence(EvidenceId),
}

/// One detector's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub id: FindingId,
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub title: String,
    /// Who says so.
    pub detector: Detector,
    /// How bad it is if true.
    pub severity: Severity,
    /// 0 to 100: how likely it is to be true.
    pub confidence: u8,
    /// ATT&CK technique ids, upper case (`T1110.001`), sorted, each once.
    pub techniques: Vec<String>,
    /// The host it is about.
    pub sensor: SensorId,
    /// Time of the first event.
    pub first: Timestamp,
    /// Time of the last event.
    pub last: Timestamp,
    /// The events, in order of (time, id); never empty.
    pub events: Vec<EventId>,
    /// Who and what is involved.
    pub entities: BTreeSet<Entity>,
    /// Why, in words: the clauses that held, the features that moved it.
    pub reasons: Vec<String>,
    /// The rule asks for the image of this process as evidence.
    pub wants_evidence: Option<EvidenceWish>,
}

/// Bytes that a rule wants to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceWish {
    /// The process whose image is wanted.
    pub process: ProcessKey,
    /// The path it was run from.
    pub path: BString,
}
