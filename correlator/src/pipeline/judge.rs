//! From findings to incidents, inside the pipeline's transaction.

use std::collections::{BTreeMap, BTreeSet};

use bongsu_detection::{
    Detector, Finding, FindingId,
    incident::{self as grouping, Grouper, IncidentKey, Limits, Placement},
};
use bongsu_event::Timestamp;

use crate::{
    clock,
    store::{
        AnomalyRow, IncidentNumber, NewIncident, Store, Write, WriteError,
        finding::{self, KeptFinding, Repeats},
        incident, put_anomaly,
    },
};

/// Says where findings belong, and stores what comes of it.
pub(super) struct Judge {
    grouper: Grouper,
    /// Stored findings that belonged to no incident at the last end.
    pending: Vec<Finding>,
}

fn number(key: IncidentKey) -> IncidentNumber {
    IncidentNumber(i64::try_from(key.0).unwrap_or(i64::MAX))
}

fn key(number: IncidentNumber) -> IncidentKey {
    IncidentKey(u64::try_from(number.0).unwrap_or_default())
}

impl Judge {
    /// Knows again what others may join: the findings of the last day, with their incidents.
    pub(super) async fn resume(store: &Store) -> Result<Self, WriteError> {
        let limits = Limits::default();
        let mut grouper = Grouper::new(limits, key(incident::next_number(&mut store.write().await?).await?));
        let (mut pending, mut recent) = (Vec::new(), BTreeSet::new());
        for (finding, of) in store.findings_since(clock::now().saturating_sub(limits.kept_for)).await? {
            match of {
                Some(number) => drop(recent.insert(number)),
                None => pending.push(finding),
            }
        }
        for number in recent {
            let findings = store.findings_of(number).await?.into_iter().map(|kept| kept.finding);
            grouper.restore(key(number), &findings.collect::<Vec<_>>());
        }
        Ok(Self { grouper, pending })
    }

    /// Stores the findings that are new, and what they do to incidents. Tells whether an incident changed.
    pub(super) async fn take(
        &mut self,
        write: &mut Write,
        findings: Vec<Finding>,
        now: Timestamp,
    ) -> Result<bool, WriteError> {
        self.grouper.advance(now);
        let mut changed = BTreeMap::new();
        for finding in std::mem::take(&mut self.pending) {
            settle(write, self.grouper.place_kept(&finding), now, &mut changed).await?;
        }
        let mut repeats = Repeats::default();
        let mut counted = BTreeSet::new();
        for finding in findings {
            // Known from before a restart, or handed in twice.
            if counted.contains(&finding.id) || finding::is_stored(write, finding.id).await? {
                continue;
            }
            let placement = self.grouper.place(&finding);
            if let Some(of) = placement.repeats {
                tracing::debug!(rule = finding.rule, finding = %finding.id, sensor = %finding.sensor, "found once more");
                repeats.count(&finding, of)?;
                counted.insert(finding.id);
            } else {
                tracing::info!(rule = finding.rule, finding = %finding.id, sensor = %finding.sensor, severity = %finding.severity, "found");
                finding::insert(write, &finding, now).await?;
            }
            if finding.detector == Detector::Anomaly {
                put_anomaly(write, &anomaly(&finding)).await?;
            }
            settle(write, placement, now, &mut changed).await?;
        }
        repeats.insert(write).await?;
        for (number, joined) in &changed {
            let mut findings = finding::of_incident(write, *number).await?;
            findings.extend(finding::by_ids(write, joined).await?);
            let count = findings.len();
            let new = summary(*number, joined.clone(), findings);
            tracing::info!(incident = %number, score = new.score, severity = %new.severity, findings = count, title = new.title, "incident");
            incident::put(write, &new, now).await?;
        }
        Ok(!changed.is_empty())
    }
}

/// Takes note of where a finding went.
async fn settle(
    write: &mut Write,
    placement: Placement,
    now: Timestamp,
    changed: &mut BTreeMap<IncidentNumber, Vec<FindingId>>,
) -> Result<(), WriteError> {
    let Some(home) = placement.incident.map(number) else { return Ok(()) };
    let changes_nothing = placement.merged.is_empty() && placement.joined.is_empty() && placement.repeats.is_none();
    if !placement.opened && changes_nothing {
        return Ok(());
    }
    let mut joined = changed.remove(&home).unwrap_or_default();
    joined.extend(placement.joined);
    for gone in placement.merged.into_iter().map(number) {
        tracing::info!(incident = %gone, into = %home, "two incidents are one");
        joined.extend(changed.remove(&gone).unwrap_or_default());
        incident::merge(write, gone, home, now).await?;
    }
    changed.insert(home, joined);
    Ok(())
}

fn summary(number: IncidentNumber, joined: Vec<FindingId>, kept: Vec<KeptFinding>) -> NewIncident {
    let last = kept.iter().map(KeptFinding::last).max().unwrap_or_default();
    let findings: Vec<Finding> = kept.into_iter().map(|kept| kept.finding).collect();
    let findings = findings.as_slice();
    let score = grouping::score(findings);
    let parts = score.parts.into_iter();
    NewIncident {
        number,
        title: grouping::title(findings),
        severity: grouping::severity(findings),
        score: score.value,
        score_parts: parts.map(|part| bongsu_api::ScorePart { reason: part.reason, points: part.points }).collect(),
        first: findings.iter().map(|finding| finding.first).min().unwrap_or_default(),
        last,
        joined,
    }
}

/// The detector's score is its confidence: the share of usual windows that are less unusual.
fn anomaly(finding: &Finding) -> AnomalyRow {
    AnomalyRow {
        sensor: finding.sensor,
        window_start: finding.first,
        window_end: finding.last,
        score: f64::from(finding.confidence),
        reasons: finding.reasons.clone(),
    }
}
