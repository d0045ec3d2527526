//! An incident whole: what the store holds of it, put together.

use std::collections::HashSet;

use bongsu_api::{Advice, Anomaly, Evidence, Incident, IncidentSummary, Sensor};
use bongsu_detection::Finding;
use bongsu_event::{EventId, Shown, StoredEvent};

use super::{
    blind_spots, finding,
    process_tree::grow,
    technique::named,
    timeline::{Speakers, entries},
};
use crate::store::{IncidentRow, finding::KeptFinding};

/// How many events a timeline shows. An incident of more is told by its findings; the rest is in the store.
pub(super) const TIMELINE_MAX: usize = 2_000;

/// All that an incident is made of.
pub(super) struct Parts {
    pub(super) row: IncidentRow,
    /// In order of time.
    pub(super) findings: Vec<KeptFinding>,
    /// The events of the findings, as many as a timeline shows.
    pub(super) events: Vec<StoredEvent>,
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
pub(super) fn chosen_events(findings: &[KeptFinding]) -> Vec<EventId> {
    let findings = || findings.iter().map(|kept| &kept.finding);
    let ends = findings().flat_map(|finding| finding.events.first().into_iter().chain(finding.events.last()));
    let all = ends.chain(findings().flat_map(|finding| &finding.events));
    let mut seen = HashSet::new();
    all.filter(|id| seen.insert(**id)).take(TIMELINE_MAX).copied().collect()
}

/// What the timeline leaves out, in a sentence each.
fn left_out(findings: &[KeptFinding], shown: usize) -> Vec<String> {
    let mut spots = Vec::new();
    let count = findings.iter().flat_map(|kept| &kept.finding.events).collect::<HashSet<_>>().len();
    if shown < count {
        spots.push(format!("The timeline shows {shown} of the {count} events that the findings speak of."));
    }
    let repeats = findings.iter().map(|kept| kept.repeats).fold(0, u64::saturating_add);
    if repeats > 0 {
        let events = if repeats == 1 { "event" } else { "events" };
        spots.push(format!(
            "The timeline leaves out the {events} of {repeats} more findings that say the same as those shown."
        ));
    }
    spots
}

/// Puts the parts together.
pub(super) fn compose(parts: Parts) -> Incident {
    let Parts { row, findings, events, sensors, advice, evidence, anomaly } = parts;
    let speakers = Speakers::of(findings.iter().map(|kept| &kept.finding));
    let host = |finding: &Finding| {
        row.hosts.iter().find(|(sensor, _)| *sensor == finding.sensor).map_or(&b""[..], |(_, host)| host.as_slice())
    };
    let mut spots: Vec<_> = sensors.iter().flat_map(blind_spots).collect();
    spots.extend(left_out(&findings, events.len()));
    Incident {
        summary: summary(&row),
        score_parts: row.score_parts.clone(),
        timeline: entries(&events, &speakers),
        process_tree: grow(&events, &speakers),
        findings: findings.iter().map(|kept| finding::shown(kept, host(&kept.finding))).collect(),
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
    use crate::view::testing::{exec, finding, kept, stored};

    #[test]
    fn a_large_incident_shows_the_ends_of_every_finding() {
        let many: Vec<_> = (1..=3_000).map(|seq| stored(seq, 0, exec("/bin/sh"))).collect();
        let late: Vec<_> = (4_001..=4_010).map(|seq| stored(seq, 9, exec("/bin/sh"))).collect();
        let findings = [kept(finding("storm", &many)), kept(finding("late", &late))];
        let chosen = chosen_events(&findings);
        assert_eq!(chosen.len(), TIMELINE_MAX);
        assert_eq!(
            left_out(&findings, chosen.len()),
            ["The timeline shows 2000 of the 3010 events that the findings speak of."]
        );
        for event in [&many[0], &many[2_999], &late[0], &late[9]] {
            assert!(chosen.contains(&event.id), "{}", event.id);
        }
    }
}
