//! Evidence as the API shows it.

use bongsu_api::{CustodyEntry, Evidence, Verdict};
use bongsu_event::Shown;

use super::finding::text;
use crate::store::{
    IncidentNumber,
    evidence::{CustodyRow, EvidenceRow},
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
