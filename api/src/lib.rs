//! The REST types, shared by the correlator and the CLI.
//!
//! All texts that came from a host are shown with bytes that are not UTF-8 or not printable escaped (`\xNN`), so that JSON can
//! carry them and a terminal is safe from them. Times are RFC 3339 in UTC. Every list is newest first unless it says otherwise.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The description of the API for machines: OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Whether the correlator is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`; anything else does not come with status 200.
    pub status: String,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// What the part holds.
    pub items: Vec<T>,
    /// What to give as `after` to get what follows; absent at the end of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which incidents a list shows; all that is absent lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentQuery {
    /// `open` or `closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// This severity and those above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Incidents that touch the host of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Incidents that follow this one in the list: [`Page::next`] of the part before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many at most: 1 to 200, 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which events a list shows; all that is absent lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Events of the host of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `exec`, `connect`, `login-failure`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// RFC 3339; events of this time and later ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// RFC 3339; events of this time and earlier ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Events with a field that has this in its value; upper and lower case are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Events that follow in the list: [`Page::next`] of the part before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many at most: 1 to 1,000, 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// An ATT&CK technique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Technique {
    /// `T1110.001`.
    pub id: String,
    /// `Password Guessing`; empty for one that this version does not know.
    pub name: String,
}

/// An incident as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentSummary {
    /// `BGS-1`, counted from 1 by this correlator.
    pub id: String,
    /// One line that says what happened where.
    pub title: String,
    /// `info low medium high critical`.
    pub severity: String,
    /// 0 to 100; [`Incident::score_parts`] says of what.
    pub score: u32,
    /// `open` or `closed`.
    pub status: String,
    /// The hosts it touches, by the names they claim.
    pub hosts: Vec<String>,
    /// Time of the first event.
    pub first_seen: String,
    /// Time of the last event.
    pub last_seen: String,
    /// How many findings belong to it, those that are only counted ([`Finding::repeats`]) among them.
    pub finding_count: u64,
    /// ATT&CK techniques, each once, in order of id.
    pub techniques: Vec<Technique>,
}

/// An incident whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: IncidentSummary,
    /// What the score is made of; the points add up to it before it is capped at 100.
    pub score_parts: Vec<ScorePart>,
    /// In order of time.
    pub findings: Vec<Finding>,
    /// The events of the findings, in order of time, each once.
    pub timeline: Vec<TimelineEntry>,
    /// The processes of the timeline under their ancestors; oldest first.
    pub process_tree: Vec<ProcessNode>,
    /// What it means and what to do.
    pub advice: Advice,
    /// Bytes taken from hosts for this incident.
    pub evidence: Vec<Evidence>,
    /// How unusual the hosts were in the time of the incident; absent while no baseline exists.
    pub anomaly: Option<Anomaly>,
    /// What we know we do not know about these hosts, in sentences; empty when every ledger balances and nothing was lost.
    pub blind_spots: Vec<String>,
}

/// One reason for an incident's score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScorePart {
    /// In words.
    pub reason: String,
    /// How much it adds.
    pub points: u32,
}

/// What one detector says about one or more events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// A hash of rule, group key and events; the same events give the same id.
    pub id: String,
    /// The rule's id; for the anomaly detector and YARA a name of theirs.
    pub rule_id: String,
    /// The rule's title.
    pub title: String,
    /// `sigma sequence anomaly yara integrity`.
    pub detector: String,
    /// `info low medium high critical`.
    pub severity: String,
    /// 0 to 100: how likely it is that the finding is right.
    pub confidence: u8,
    /// ATT&CK techniques.
    pub techniques: Vec<Technique>,
    /// The host, by the name it claims.
    pub host: String,
    /// The sensor's id.
    pub sensor_id: String,
    /// Time of the first event.
    pub first_seen: String,
    /// Time of the last event.
    pub last_seen: String,
    /// The events it speaks of, in order of time.
    pub event_ids: Vec<String>,
    /// Who and what is involved, by kind: `user`, `process`, `address`, `file`, `evidence`.
    pub entities: BTreeMap<String, Vec<String>>,
    /// Why, in words: for a rule the clauses that held, for an anomaly the features that moved it.
    pub reasons: Vec<String>,
    /// How many more findings of the rule belong to the incident that say nothing else, and are counted here instead of listed.
    #[serde(default)]
    pub repeats: u64,
    /// Time of the last event of those; absent while there are none.
    pub repeated_until: Option<String>,
}

/// One event of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// `SENSOR:EPOCH:SEQ`.
    pub event_id: String,
    /// When.
    pub time: String,
    /// The host, by the name it claims.
    pub host: String,
    /// `exec`, `connect`, `login-failure`, ...
    pub action: String,
    /// One line that says what happened, in words.
    pub text: String,
    /// The account, where one is known.
    pub user: Option<String>,
    /// The process key, where there is a process.
    pub process_key: Option<String>,
    /// The findings that speak of the event.
    pub finding_ids: Vec<String>,
    /// Every catalogue field the event has, under its ECS name.
    pub fields: BTreeMap<String, String>,
}

/// A process and what it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessNode {
    /// The process key.
    pub key: String,
    /// Its pid.
    pub pid: u32,
    /// The path of its image.
    pub executable: String,
    /// Its arguments joined by spaces; empty when only its name is known.
    pub command_line: String,
    /// Its real user.
    pub user: Option<String>,
    /// Ids of the timeline's events in which it acts.
    pub event_ids: Vec<String>,
    /// Ids of the findings that speak of those.
    pub finding_ids: Vec<String>,
    /// What it started, oldest first.
    pub children: Vec<ProcessNode>,
}

/// The summary and next steps of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// `template` or `model`.
    pub source: String,
    /// The model's name, when one wrote it.
    pub model: Option<String>,
    /// What happened, sentence by sentence, in order.
    pub story: Vec<Claim>,
    /// What to do now.
    pub next_steps: Vec<NextStep>,
    /// Why a configured model was not used, or what of its answer was dropped; empty when there is nothing to say.
    pub notes: Vec<String>,
}

/// A sentence and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The sentence.
    pub text: String,
    /// Ids of events in the store; never empty.
    pub event_ids: Vec<String>,
}

/// Something a person should do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextStep {
    /// In words.
    pub text: String,
    /// A command to copy, where one helps.
    pub command: Option<String>,
}

/// How unusual a host was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// 0 to 100: the share of the host's own baseline that was less unusual.
    pub score: f64,
    /// The features that moved it most, in words with their values, most first.
    pub reasons: Vec<String>,
}

/// Bytes taken from a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// SHA-256 of the bytes, and their name.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    /// The host, by the name it claims.
    pub host: String,
    /// The sensor's id.
    pub sensor_id: String,
    /// The path the bytes were found under.
    pub path: String,
    /// The process whose image they are.
    pub process_key: Option<String>,
    /// The incidents they were taken for.
    pub incident_ids: Vec<String>,
    /// When they were stored.
    pub stored_at: String,
    /// What the YARA scan came to.
    pub verdict: Verdict,
    /// Who did what with them, oldest first.
    pub custody: Vec<CustodyEntry>,
}

/// What a YARA scan came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `matched`, `no-match`, `pending`, `timed-out`, `too-large`, `failed`. Nothing is ever called clean.
    pub outcome: String,
    /// The yara rules that matched.
    pub yara_rules: Vec<String>,
    /// What went wrong, where something did.
    pub detail: Option<String>,
}

/// Whether stored evidence is still what was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// SHA-256 of the bytes that were taken.
    pub sha256: String,
    /// `as-taken`, `altered`, `missing` or `unreadable`.
    pub bytes: String,
    /// How many bytes there are; absent when they are not as taken.
    pub size: Option<u64>,
    /// `whole`, or `broken` where an entry was changed, added or removed behind our back.
    pub custody: String,
    /// The first entry of a broken custody log that does not follow from the one before, counted from 1.
    pub broken_at: Option<u64>,
}

/// One line of a custody log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustodyEntry {
    /// When.
    pub time: String,
    /// `correlator`, a sensor's id, or the name of an API token.
    pub actor: String,
    /// `requested`, `received`, `scanned`, `fetched`, `verified`, ...
    pub action: String,
    /// More, in words.
    pub detail: String,
}

/// A sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sensor {
    /// Its id, by the certificate.
    pub id: String,
    /// The host name it claims.
    pub host: String,
    /// `online`, `offline` or `never-seen`.
    pub status: String,
    /// When it last spoke.
    pub last_seen: Option<String>,
    /// The kernel's release.
    pub kernel: String,
    /// The sensor's version.
    pub version: String,
    /// Which rung each hook stands on.
    pub hooks: Vec<Hook>,
    /// Where every event went, newest epoch first.
    pub ledgers: Vec<Ledger>,
}

/// One hook of a sensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// `exec`, `connect`, ...
    pub name: String,
    /// What it is attached to; `none` when no rung held.
    pub rung: String,
    /// Why better rungs were not taken.
    pub detail: String,
    /// The kernel programs it consists of; none when no rung held.
    pub programs: Vec<HookProgram>,
}

/// What a kernel program costs, by the kernel's own statistics, which count only while the kernel is told to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookProgram {
    /// Its name.
    pub name: String,
    /// Times it ran while the kernel counted.
    pub runs: u64,
    /// Of one run, on average; absent when none was counted.
    pub ns_per_run: Option<u64>,
    /// Times the kernel passed it over, because it does not run a program inside itself; counted always.
    pub missed: u64,
}

/// Where every event of one sensor in one epoch went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The epoch.
    pub epoch: u64,
    /// Events the kernel programs made.
    pub kernel_emitted: u64,
    /// Of those, events the sensor read from the rings.
    pub read: u64,
    /// Of those, events lost because a ring was full.
    pub ring_lost: u64,
    /// Beside these, events that were never made because their process had used up its budget; `suppressed` events tell of which.
    pub suppressed: u64,
    /// The last sequence number given out.
    pub last_seq: u64,
    /// Events in the store, of those that the sensor knew to be stored when it took its figures: later ones are in none of them yet.
    pub stored: u64,
    /// Events still in the sensor's spool.
    pub spooled: u64,
    /// Events given up, by class and reason.
    pub shed: Vec<Shed>,
    /// Whether `kernel_emitted = read + ring_lost` and `last_seq = stored + spooled + shed`.
    pub balanced: bool,
    /// When the sensor took these figures.
    pub as_of: Option<String>,
}

/// Events given up for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shed {
    /// The class of events: `process`, `file`, `network`, `log`.
    pub class: String,
    /// Why: `spool-full`, ...
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// A new join token for one sensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// The token, shown once.
    pub token: String,
    /// When it stops working.
    pub expires_at: String,
    /// The command to run on the new host.
    pub command: String,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// One sentence: what was asked, and why it cannot be.
    pub error: String,
}

#[cfg(test)]
mod tests;
