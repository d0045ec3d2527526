//! What the correlator and this worker say to each other.
//!
//! ```text
//!   correlator                                  worker
//!     |  starts it, stdin = SOCK_SEQPACKET         |  compiles the yara rules, enters the jail
//!     |  <-------------------------------- Hello   |
//!     |  Request + the evidence, opened  ------->  |  one at a time
//!     |  <----------------------------- Response   |
//!     |  closes stdin ------------------------->   |  ends
//! ```
//!
//! A request is one packet of JSON that carries an open, read-only file descriptor (`SCM_RIGHTS`). The worker is never told a path
//! and can open nothing, so no name can lead it astray, and the evidence stays readable to the correlator alone. Answers go to
//! stdout, each as a big-endian 32-bit length and that many bytes of JSON.
//!
//! The correlator may not depend on this crate: `correlator/src/evidence/scanner/protocol.rs` mirrors these types, and a test there
//! talks to the real worker.

use serde::{Deserialize, Serialize};

/// Raised whenever these types change their meaning.
pub(crate) const VERSION: u32 = 1;
/// The longest request.
pub(crate) const REQUEST_BYTES_MAX: usize = 4096;
/// The longest answer. Every list and text below has a bound of its own that keeps answers far under this.
pub(crate) const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The longest text of a rule or file that is passed on, in characters; the rest is cut.
pub(crate) const TEXT_CHARS_MAX: usize = 300;
/// At most so many compile problems are named; the others are counted.
pub(crate) const PROBLEMS_MAX: usize = 100;
/// At most so many matching rules are named; the others are counted.
pub(crate) const RULES_MAX: usize = 64;
/// At most so many tags, techniques or places are named for each rule.
pub(crate) const PARTS_MAX: usize = 16;

/// The first thing the worker says, once the jail is shut behind it.
#[derive(Debug, Serialize)]
pub(crate) struct Hello {
    /// [`VERSION`].
    pub(crate) protocol: u32,
    /// How many yara rules are in force.
    pub(crate) rules: usize,
    /// What did not compile.
    pub(crate) problems: Vec<Problem>,
    /// How many more problems there were.
    pub(crate) problems_dropped: usize,
    /// The restrictions in force, in words.
    pub(crate) jail: Vec<String>,
}

/// A yara rule or file that is not in force.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    /// The file.
    pub(crate) file: String,
    /// The line, counted from 1; absent when the whole file is meant.
    pub(crate) line: Option<usize>,
    /// What is wrong.
    pub(crate) message: String,
}

/// Scan the file that comes with this.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// Chosen by the correlator; comes back in the answer.
    pub(crate) id: u64,
    /// How long it may take. The engine counts in whole seconds and rounds up, so the correlator keeps its own clock as well and
    /// kills a worker that is late.
    pub(crate) deadline_ms: u32,
}

/// What became of one request.
#[derive(Debug, Serialize)]
pub(crate) struct Response {
    /// The request's id; 0 when the request could not be read.
    pub(crate) id: u64,
    /// What the scan came to.
    pub(crate) outcome: Outcome,
    /// The yara rules that matched, in the order of their names.
    pub(crate) rules: Vec<Rule>,
    /// How many more matched.
    pub(crate) rules_dropped: usize,
    /// What went wrong, when something did.
    pub(crate) detail: Option<String>,
    /// How long it took.
    pub(crate) elapsed_ms: u64,
}

/// What a scan came to. There is no word for "clean": a file in which nothing was found is not a harmless file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// At least one rule matched.
    Matched,
    /// The whole file was scanned, and no rule matched.
    NoMatch,
    /// The deadline passed first.
    TimedOut,
    /// The file is larger than the worker accepts; nothing was scanned.
    TooLarge,
    /// It could not be scanned.
    Failed,
}

/// A yara rule that matched.
#[derive(Debug, Serialize)]
pub(crate) struct Rule {
    /// Its identifier.
    pub(crate) name: String,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// `meta: title`.
    pub(crate) title: Option<String>,
    /// `meta: description`.
    pub(crate) description: Option<String>,
    /// `meta: severity`, unchecked.
    pub(crate) severity: Option<String>,
    /// Every `meta: attack`, unchecked.
    pub(crate) techniques: Vec<String>,
    /// Which of its patterns were found, and where first.
    pub(crate) places: Vec<Place>,
}

/// Where a pattern was found.
#[derive(Debug, Serialize)]
pub(crate) struct Place {
    /// The pattern's identifier.
    pub(crate) pattern: String,
    /// The offset of its first occurrence.
    pub(crate) offset: usize,
}

/// `text` cut to [`TEXT_CHARS_MAX`].
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
