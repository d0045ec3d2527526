//! An incident whole: what the store holds of it, put together.

use bongsu_api::{Advice, Anomaly, Evidence, Incident, IncidentSummary, Sensor};
use bongsu_detection::Finding;
use bongsu_event::{EventId, Shown, StoredEvent};

use super::{
    blind_spots, finding,
    process_tree::grow,
    technique::named,
    timeline::{Speakers, entries},
};
use crate::store::IncidentRow;

/// How many events a timeline shows. An incident of more is told by its findings; the rest is in the store.
pub(super) const TIMELINE_MAX: usize = 2_000;

/// All that an incident is made of.
pub(super) struct Parts {
    pub(super) row: IncidentRow,
    /// In order of time.
    pub(super) findings: Vec<Finding>,
    /// The events of the findings, as many as a timeline shows.
    pub(super) events: Vec<StoredEvent>,
    /// How many events the findings speak of.
    pub(super) event_count: usize,
    /// The sensors it touches.
    pub(super) sensors: Vec<Sensor>,
    pub(super) advice: Option<Advice>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) anomaly: Option<Anomaly>,
}

/// The incident as a list shows it.
pub(crate) fn summary(row: &IncidentRow) -> IncidentSummary {
    IncidentSummary {
        id: row.number.to_string(),
        title: finding::text(&row.title),
        severity: row.severity.to_string(),
        score: row.score,
        status: row.status.as_str().to_owned(),
        hosts: row.hosts.iter().map(|(_, host)| Shown(host).to_string()).collect(),
        first_seen: row.first.to_string(),
        last_seen: row.last.to_string(),
        finding_count: row.finding_count,
        techniques: row.techniques.iter().map(|id| named(id)).collect(),
    }
}

/// The events to show: of each finding its first and last, then as many more as there is room for, earliest finding first.
pub(super) fn chosen_events(findings: &[Finding]) -> (Vec<EventId>, usize) {
    let ends = findings.iter().flat_map(|finding| finding.events.first().into_iter().chain(finding.events.last()));
    let all = ends.chain(findings.iter().flat_map(|finding| &finding.events));
    let mut seen = std::collections::HashSet::new();
    let distinct: Vec<_> = all.filter(|id| seen.insert(**id)).copied().collect();
    let count = distinct.len();
    (distinct.into_iter().take(TIMELINE_MAX).collect(), count)
}

/// Puts the parts together.
pub(super) fn compose(parts: Parts) -> Incident {
    let Parts { row, findings, events, event_count, sensors, advice, evidence, anomaly } = parts;
    let speakers = Speakers::of(&findings);
    let host = |finding: &Finding| {
        row.hosts.iter().find(|(sensor, _)| *sensor == finding.sensor).map_or(&b""[..], |(_, host)| host.as_slice())
    };
    let mut spots: Vec<_> = sensors.iter().flat_map(blind_spots).collect();
    if events.len() < event_count {
        spots.push(format!(
            "The timeline shows {} of the {event_count} events that the findings speak of.",
            events.len()
        ));
    }
    Incident {
        summary: summary(&row),
        score_parts: row.score_parts.clone(),
        timeline: entries(&events, &speakers),
        process_tree: grow(&events, &speakers),
        findings: findings.iter().map(|finding| finding::shown(finding, host(finding))).collect(),
        advice: advice.unwrap_or_else(unwritten),
        evidence,
        anomaly,
        blind_spots: spots,
    }
}

/// What stands in for advice in the moment before it is written.
fn unwritten() -> Advice {
    Advice { source: "template".to_owned(), model: None, story: Vec::new(), next_steps: Vec::new(), notes: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{exec, finding, stored};

    #[test]
    fn a_large_incident_shows_the_ends_of_every_finding() {
        let many: Vec<_> = (1..=3_000).map(|seq| stored(seq, 0, exec("/bin/sh"))).collect();
        let late: Vec<_> = (4_001..=4_010).map(|seq| stored(seq, 9, exec("/bin/sh"))).collect();
        let (chosen, count) = chosen_events(&[finding("storm", &many), finding("late", &late)]);
        assert_eq!((chosen.len(), count), (TIMELINE_MAX, 3_010));
        for event in [&many[0], &many[2_999], &late[0], &late[9]] {
            assert!(chosen.contains(&event.id), "{}", event.id);
        }
    }
}
