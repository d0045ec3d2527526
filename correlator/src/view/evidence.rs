//! Evidence as the API shows it.

use bongsu_api::{CustodyEntry, Evidence, Verdict};
use bongsu_event::Shown;

use super::{finding::text, sentence::Brief};
use crate::store::{
    IncidentNumber,
    evidence::{CustodyRow, EvidenceRow, RequestRow, RequestState},
};

/// Evidence with the incidents it was taken for and its custody log, oldest entry first.
pub(super) fn shown(row: &EvidenceRow, incidents: &[IncidentNumber], custody: &[CustodyRow]) -> Evidence {
    let entry = |row: &CustodyRow| CustodyEntry {
        time: row.time.to_string(),
        actor: text(&row.actor),
        action: text(&row.action),
        detail: text(&row.detail),
    };
    Evidence {
        sha256: row.id.to_string(),
        size: row.size,
        host: Shown(&row.host).to_string(),
        sensor_id: row.sensor.to_string(),
        path: Shown(&row.path).to_string(),
        process_key: row.process.map(|key| key.to_string()),
        incident_ids: incidents.iter().map(ToString::to_string).collect(),
        stored_at: row.stored_at.to_string(),
        verdict: Verdict {
            outcome: row.outcome.as_str().to_owned(),
            yara_rules: row.yara_rules.iter().map(|rule| text(rule)).collect(),
            detail: row.detail.as_deref().map(text),
        },
        custody: custody.iter().map(entry).collect(),
    }
}

/// Why bytes that a finding asked for are not there, in a sentence.
pub(super) fn unmet(row: &RequestRow) -> String {
    let what = format!("The program {} (process {})", Brief(&row.path), row.process);
    let why = row.detail.as_deref().map(|detail| format!(" ({})", text(detail))).unwrap_or_default();
    match row.state {
        RequestState::Waiting => format!("{what} was not fetched yet: its sensor is away or busy."),
        RequestState::Asked => format!("{what} is being fetched."),
        RequestState::Stored => format!("{what} was fetched."),
        RequestState::Gone => format!("{what} could not be fetched: it was gone when the sensor looked{why}."),
        RequestState::TooLarge => format!("{what} could not be fetched: it is larger than allowed{why}."),
        RequestState::Failed => format!("{what} could not be fetched{why}."),
    }
}

/// Why bytes that findings asked for were never asked for, in a sentence.
pub(super) fn refused(path: &[u8], why: &str, findings: u64) -> String {
    let times = if findings == 1 { String::new() } else { format!(" ({findings} processes)") };
    format!("The program {}{times} was not fetched: {}.", Brief(path), text(why))
}
