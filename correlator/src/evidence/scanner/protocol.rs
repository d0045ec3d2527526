//! The worker's protocol, seen from here. `scanner/src/protocol.rs` is the other side and says how it works; the crates may not depend
//! on each other, so a test of this room talks to the real worker.

use serde::{Deserialize, Serialize};

use crate::store::evidence::ScanOutcome;

/// The version spoken here.
pub(super) const VERSION: u32 = 1;
/// The longest answer.
pub(super) const ANSWER_BYTES_MAX: u32 = 1 << 20;

#[derive(Debug, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    pub(super) rules: usize,
    pub(super) problems: Vec<Problem>,
    pub(super) problems_dropped: usize,
    pub(super) jail: Vec<String>,
}

/// A yara rule or file that is not in force.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Problem {
    pub(crate) file: String,
    pub(crate) line: Option<usize>,
    pub(crate) message: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) deadline_ms: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Response {
    pub(super) id: u64,
    pub(super) outcome: Outcome,
    pub(super) rules: Vec<Rule>,
    pub(super) rules_dropped: usize,
    pub(super) detail: Option<String>,
    pub(super) elapsed_ms: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    Matched,
    NoMatch,
    TimedOut,
    TooLarge,
    Failed,
}

impl From<Outcome> for ScanOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Matched => Self::Matched,
            Outcome::NoMatch => Self::NoMatch,
            Outcome::TimedOut => Self::TimedOut,
            Outcome::TooLarge => Self::TooLarge,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// A yara rule that matched.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) severity: Option<String>,
    pub(crate) techniques: Vec<String>,
    pub(crate) places: Vec<Place>,
}

/// Where a pattern was found.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Place {
    pub(crate) pattern: String,
    pub(crate) offset: u64,
}
