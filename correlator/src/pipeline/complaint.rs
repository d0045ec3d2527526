//! From a complaint of intake to a finding.

use std::collections::BTreeSet;

use bongsu_detection::{Detector, Finding, FindingId};
use bongsu_event::Severity;

use crate::store::{Complaint, ComplaintKind, ReadError, Store};

/// The finding, unless the event that the complaint is about is gone.
pub(super) async fn finding(store: &Store, complaint: &Complaint) -> Result<Option<Finding>, ReadError> {
    let Some(event) = store.events(&[complaint.event]).await?.into_iter().next() else { return Ok(None) };
    let rule = format!("integrity.{}", complaint.kind.as_str());
    let (title, severity) = match complaint.kind {
        ComplaintKind::LedgerImbalance => {
            ("The sensor's ledger does not balance: events are missing", Severity::Medium)
        }
        ComplaintKind::NumberReused => ("The sensor sent two different events under one number", Severity::High),
    };
    Ok(Some(Finding {
        id: FindingId::new(&rule, b"", &[complaint.event]),
        rule,
        title: title.to_owned(),
        detector: Detector::Integrity,
        severity,
        confidence: 90,
        techniques: Vec::new(),
        sensor: complaint.event.sensor,
        first: event.event.time,
        last: event.event.time,
        events: vec![complaint.event],
        entities: BTreeSet::new(),
        reasons: vec![complaint.detail.clone()],
        wants_evidence: None,
    }))
}
