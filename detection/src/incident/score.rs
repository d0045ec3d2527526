//! How much an incident weighs, how bad it is, and what it is called.
//!
//! The score is a sum of parts, each with its reason, capped at 100:
//!
//! | part | points |
//! |---|---|
//! | the gravest finding | 5, 20, 35, 50 or 65 by severity, times its confidence from half at 0 to whole at 100 |
//! | other rules | 3 for each of medium severity or more, 1 for each lower one, at most 12 |
//! | stages of an attack (ATT&CK tactics) beyond the first | 3 each, at most 12 |
//! | techniques beyond the first | 1 each, at most 6 |
//! | kinds of detectors beyond the first | 4 each, at most 12 |
//! | a sequence was completed | 5 |
//! | a yara rule of medium severity or more matched | 8 |
//! | an anomaly | its score / 20 |
//! | hosts beyond the first | 5 each, at most 10 |
//!
//! The order and number of findings of the same rule change nothing: an incident does not grow graver by being noisy.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use bongsu_event::{SensorId, Severity};

use super::{link::Reach, stage};
use crate::{Detector, Entity, Finding, entity::shown};

/// One reason for a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScorePart {
    /// In words.
    pub reason: String,
    /// How much it adds.
    pub points: u32,
}

/// A score and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// 0 to 100.
    pub value: u32,
    /// Their points add up to the score before it is capped.
    pub parts: Vec<ScorePart>,
}

/// The score of an incident of these findings.
#[must_use]
pub fn score(findings: &[Finding]) -> Score {
    let mut parts = Vec::new();
    let mut add = |points: u32, reason: String| {
        if points > 0 {
            parts.push(ScorePart { reason, points });
        }
    };
    let Some(gravest) = findings.iter().max_by_key(|finding| (base(finding), Reverse(finding.id))) else {
        return Score { value: 0, parts };
    };
    let (title, confidence) = (&gravest.title, gravest.confidence.min(100));
    add(base(gravest), format!("{} finding, {confidence} % certain: {title}", gravest.severity));

    let others = other_rules(findings, gravest);
    let weights: u32 = others.values().map(|severity| if *severity >= Severity::Medium { 3 } else { 1 }).sum();
    add(weights.min(12), format!("{} in the same incident", counted(others.len(), "more rule", "more rules")));

    let techniques: BTreeSet<&str> =
        findings.iter().flat_map(|finding| finding.techniques.iter().map(String::as_str)).collect();
    let stages: BTreeSet<_> = techniques.iter().filter_map(|technique| stage::of(technique)).collect();
    add((3 * beyond_first(stages.len())).min(12), format!("{} of an attack", counted(stages.len(), "stage", "stages")));
    add(beyond_first(techniques.len()).min(6), counted(techniques.len(), "ATT&CK technique", "ATT&CK techniques"));

    let detectors: BTreeSet<Detector> = findings.iter().map(|finding| finding.detector).collect();
    let kinds: Vec<&str> = detectors.iter().map(|detector| detector.as_str()).collect();
    add((4 * beyond_first(detectors.len())).min(12), format!("{} agree", kinds.join(", ")));
    if detectors.contains(&Detector::Sequence) {
        add(5, "the steps came in the order of an attack".to_owned());
    }
    if findings.iter().any(|finding| finding.detector == Detector::Yara && finding.severity >= Severity::Medium) {
        add(8, "a yara rule matched bytes taken from the host".to_owned());
    }
    let anomaly =
        findings.iter().filter(|finding| finding.detector == Detector::Anomaly).map(|finding| finding.confidence).max();
    if let Some(anomaly) = anomaly {
        add(u32::from(anomaly.min(100)) / 20, format!("the host behaved unlike itself (anomaly score {anomaly})"));
    }
    let hosts: BTreeSet<SensorId> = findings.iter().map(|finding| finding.sensor).collect();
    add((5 * beyond_first(hosts.len())).min(10), counted(hosts.len(), "host", "hosts"));
    let value = parts.iter().map(|part| part.points).sum::<u32>().min(100);
    Score { value, parts }
}

/// The severity of an incident: that of its gravest finding, at least high from 70 points and critical from 90. Anomalies raise it only
/// by their points.
#[must_use]
pub fn severity(findings: &[Finding]) -> Severity {
    let said = |finding: &&Finding| finding.detector != Detector::Anomaly;
    let gravest = findings.iter().filter(said).map(|finding| finding.severity).max().unwrap_or(Severity::Info);
    let by_score = match score(findings).value {
        90.. => Severity::Critical,
        70..90 => Severity::High,
        _ => Severity::Info,
    };
    gravest.max(by_score)
}

/// One line that says what happened to whom, from where.
#[must_use]
pub fn title(findings: &[Finding]) -> String {
    // A sequence tells more than its steps, and bytes more than behaviour.
    let tells = |detector: Detector| match detector {
        Detector::Sequence => 4,
        Detector::Yara => 3,
        Detector::Sigma => 2,
        Detector::Integrity => 1,
        Detector::Anomaly => 0,
    };
    let rank = |finding: &&Finding| {
        (
            tells(finding.detector) > 0,
            finding.severity,
            tells(finding.detector),
            finding.confidence,
            Reverse((finding.first, finding.id)),
        )
    };
    let Some(lead) = findings.iter().max_by_key(rank) else { return "Nothing".to_owned() };
    let mut title = shown(lead.title.as_bytes());
    let mut users = lead.entities.iter().filter_map(|entity| match entity {
        Entity::User(user) if user != "root" => Some(user),
        _ => None,
    });
    if let (Some(user), None) = (users.next(), users.next()) {
        title += &format!(", user {}", shown(user));
    }
    let mut addresses = lead.entities.iter().filter_map(|entity| match entity {
        Entity::Address(address) if super::link::reach(address) != Reach::Host => Some(address),
        _ => None,
    });
    if let (Some(address), None) = (addresses.next(), addresses.next()) {
        title += &format!(", address {address}");
    }
    match other_rules(findings, lead).len() {
        0 => title,
        others => title + &format!(" and {}", counted(others, "more finding", "more findings")),
    }
}

fn base(finding: &Finding) -> u32 {
    let severity = [5, 20, 35, 50, 65][usize::from(finding.severity.fires() - 1)];
    severity * (100 + u32::from(finding.confidence.min(100))) / 200
}

/// The rules other than that of `first`, each with its highest severity. Anomalies count by a part of their own.
fn other_rules<'a>(findings: &'a [Finding], first: &Finding) -> BTreeMap<&'a str, Severity> {
    let mut rules: BTreeMap<&str, Severity> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.detector != Detector::Anomaly && finding.rule != first.rule)
    {
        let severity = rules.entry(&finding.rule).or_insert(finding.severity);
        *severity = finding.severity.max(*severity);
    }
    rules
}

fn beyond_first(count: usize) -> u32 {
    u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX).min(100)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
