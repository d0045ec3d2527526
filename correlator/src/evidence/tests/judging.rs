//! From evidence to findings in the store.

use tokio::sync::mpsc;

use super::*;
use crate::store::evidence::ScanOutcome;

const IMPLANT: &[u8] = b"\x7fELF BONGSU-DEMO-IMPLANT-v1 \0/dev/tcp/\0/etc/shadow\0";

async fn scanned_house() -> Option<House> {
    let scanner = real_scanner()?;
    Some(House::with(|config| Config { scanner, ..config }).await)
}

#[tokio::test]
async fn a_yara_finding_speaks_of_the_events_and_processes_of_the_one_that_asked() {
    let Some(mut house) = scanned_house().await else { return };
    let request = house.wish(1, 42).await;
    house.upload(1, request, IMPLANT).await;
    let (findings, mut found) = mpsc::channel(16);
    house.judge.round(&findings).await.unwrap();
    let finding = found.try_recv().unwrap();
    let asking = wishing(1, 42);
    let id = house.store.evidence_page(None, 1).await.unwrap()[0].id;
    assert_eq!((finding.rule.as_str(), finding.detector), ("yara:bongsu_demo_implant", Detector::Yara));
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(finding.techniques, ["T1059.004", "T1620"]);
    assert_eq!((&finding.events, finding.first, finding.sensor), (&asking.events, asking.first, asking.sensor));
    for entity in asking.entities.iter().chain(&[Entity::Evidence(id)]) {
        assert!(finding.entities.contains(entity), "{entity:?}");
    }
    assert!(finding.reasons.iter().any(|reason| reason.contains("$marker at offset 5")), "{:?}", finding.reasons);
    assert!(finding.wants_evidence.is_none(), "a verdict asks for nothing more");
    assert!(found.try_recv().is_err());

    let row = house.store.evidence(id).await.unwrap().unwrap();
    assert_eq!(
        (row.outcome, row.yara_rules.as_slice()),
        (ScanOutcome::Matched, &["bongsu_demo_implant".to_owned()][..])
    );
    let custody = house.store.custody(id).await.unwrap();
    assert_eq!(custody.last().unwrap().action, "scanned");
    assert!(custody.last().unwrap().detail.ends_with("bongsu_demo_implant"), "{custody:?}");

    // Judged only when the finding is in the store, and then never again.
    assert_eq!(house.store.unjudged_requests().await.unwrap().len(), 1);
    house.judge.round(&findings).await.unwrap();
    assert!(found.try_recv().is_err(), "handed over once");
    house.store_finding(&finding).await;
    house.judge.round(&findings).await.unwrap();
    assert!(house.store.unjudged_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_finding_lost_in_a_crash_is_made_again_under_the_same_id() {
    let Some(mut house) = scanned_house().await else { return };
    let request = house.wish(1, 42).await;
    house.upload(1, request, IMPLANT).await;
    let mut ids = Vec::new();
    for _life in 0..2 {
        house = house.restarted().await;
        let (findings, mut found) = mpsc::channel(16);
        house.judge.round(&findings).await.unwrap();
        ids.push(found.try_recv().unwrap().id);
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn no_match_is_said_as_such_and_asks_the_pipeline_for_nothing() {
    let Some(mut house) = scanned_house().await else { return };
    let request = house.wish(1, 42).await;
    house.upload(1, request, b"#!/bin/sh\necho hello\n").await;
    let (findings, mut found) = mpsc::channel(16);
    house.judge.round(&findings).await.unwrap();
    assert!(found.try_recv().is_err());
    assert_eq!(house.store.evidence_page(None, 1).await.unwrap()[0].outcome, ScanOutcome::NoMatch);
    assert!(house.store.unjudged_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn changed_bytes_are_never_scanned_and_never_called_anything_but_failed() {
    let mut house = House::new().await;
    let request = house.wish(1, 42).await;
    house.upload(1, request, IMPLANT).await;
    let id = house.store.evidence_page(None, 1).await.unwrap()[0].id.to_string();
    let path = house.dir.path().join("evidence").join(&id[..2]).join(&id[2..]);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"harmless").unwrap();
    let (findings, _found) = mpsc::channel(16);
    house.judge.round(&findings).await.unwrap();
    let row = &house.store.evidence_page(None, 1).await.unwrap()[0];
    assert_eq!(row.outcome, ScanOutcome::Failed);
    assert!(row.detail.as_ref().unwrap().contains("were changed"), "{row:?}");
}

#[tokio::test]
async fn without_a_scanner_evidence_stays_pending_and_says_why() {
    let mut house = House::new().await;
    let request = house.wish(1, 42).await;
    house.upload(1, request, IMPLANT).await;
    let (findings, _found) = mpsc::channel(16);
    house.judge.round(&findings).await.unwrap();
    let row = &house.store.evidence_page(None, 1).await.unwrap()[0];
    assert_eq!(row.outcome, ScanOutcome::Pending);
    assert!(row.detail.as_ref().unwrap().starts_with("cannot start the scanner /nonexistent/scanner: "), "{row:?}");
    assert_eq!(house.store.unjudged_requests().await.unwrap().len(), 1);
}
