//! Stories that are one incident, stories that are several, and every order of arrival.

mod demo;
mod order;
mod shipped;
mod told;
mod weights;

use std::net::IpAddr;

use bongsu_event::{EventId, EvidenceId, ProcessKey, SensorId, Severity, Timestamp};
use uuid::Uuid;

use super::{Grouper, IncidentKey, Limits, Placement};
use crate::{Detector, Entity, Finding, FindingId};

const HOST: SensorId = SensorId(Uuid::from_u128(1));

/// A process that started so many seconds after boot.
fn process(pid: u32, start_s: u64) -> ProcessKey {
    ProcessKey { boot: 1, pid, start: start_s * 100 }
}

fn acts(key: ProcessKey) -> Entity {
    Entity::Process(key)
}

fn above(key: ProcessKey) -> Entity {
    Entity::Ancestor(key)
}

fn user(name: &str) -> Entity {
    Entity::User(name.into())
}

fn address(text: &str) -> Entity {
    Entity::Address(text.parse::<IpAddr>().unwrap())
}

fn file(path: &str) -> Entity {
    Entity::File(path.into())
}

fn event(seq: u64) -> EventId {
    EventId { sensor: HOST, epoch: 1, seq }
}

/// A medium Sigma finding about one event, so many seconds after boot.
fn finding(rule: &str, seq: u64, at_s: i64, entities: &[Entity]) -> Finding {
    let time = Timestamp(at_s * 1_000_000_000);
    Finding {
        id: FindingId::new(rule, b"", &[event(seq)]),
        rule: rule.to_owned(),
        title: rule.to_owned(),
        detector: Detector::Sigma,
        severity: Severity::Medium,
        confidence: 80,
        techniques: Vec::new(),
        sensor: HOST,
        first: time,
        last: time,
        events: vec![event(seq)],
        entities: entities.iter().cloned().collect(),
        reasons: Vec::new(),
        wants_evidence: None,
    }
}

fn anomaly(seq: u64, from_s: i64, to_s: i64) -> Finding {
    let (first, last) = (Timestamp(from_s * 1_000_000_000), Timestamp(to_s * 1_000_000_000));
    Finding {
        detector: Detector::Anomaly,
        severity: Severity::Low,
        confidence: 99,
        first,
        last,
        ..finding("anomaly.host-rollup", seq, from_s, &[])
    }
}

fn grouper() -> Grouper {
    Grouper::new(Limits::default(), IncidentKey(1))
}

/// The findings of each incident after all are placed, and the pending ones, by what the placements said: as a store would keep them.
fn partition(grouper: &mut Grouper, findings: &[Finding]) -> (Vec<Vec<FindingId>>, Vec<FindingId>) {
    let mut incidents: std::collections::BTreeMap<IncidentKey, Vec<FindingId>> = std::collections::BTreeMap::new();
    for finding in findings {
        let Placement { incident, merged, joined, .. } = grouper.place(finding);
        let Some(incident) = incident else { continue };
        let moved: Vec<FindingId> = merged.iter().flat_map(|key| incidents.remove(key).unwrap()).collect();
        incidents.entry(incident).or_default().extend(moved.into_iter().chain(joined));
    }
    let mut groups: Vec<Vec<FindingId>> = incidents.into_values().collect();
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_unstable();
    let placed: Vec<FindingId> = groups.concat();
    let mut pending: Vec<FindingId> =
        findings.iter().map(|finding| finding.id).filter(|id| !placed.contains(id)).collect();
    pending.sort_unstable();
    (groups, pending)
}
