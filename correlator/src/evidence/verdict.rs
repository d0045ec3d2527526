//! From what a scan came to, to findings. Pure.

use std::collections::BTreeSet;

use bongsu_detection::{Detector, Entity, Finding, FindingId};
use bongsu_event::{Severity, Shown};

use super::scanner::{Report, Rule};
use crate::store::evidence::{EvidenceRow, NewVerdict, RequestRow};

/// A yara rule says how bad it is, seldom how sure; ours are written to be sure.
const CONFIDENCE: u8 = 90;

/// The report as the store keeps it.
pub(super) fn verdict(report: &Report) -> NewVerdict {
    let dropped = (report.rules_dropped > 0).then(|| format!("{} more yara rules matched", report.rules_dropped));
    NewVerdict {
        outcome: report.outcome,
        yara_rules: report.rules.iter().map(|rule| rule.name.clone()).collect(),
        detail: report.detail.clone().or(dropped),
    }
}

/// One finding for each yara rule that matched. It speaks of the events of the finding that asked, and involves the same processes
/// and users, so that it joins the same incident.
pub(super) fn findings(
    report: &Report,
    request: &RequestRow,
    evidence: &EvidenceRow,
    asking: &Finding,
) -> Vec<Finding> {
    report.rules.iter().map(|rule| finding(rule, request, evidence, asking)).collect()
}

fn finding(rule: &Rule, request: &RequestRow, evidence: &EvidenceRow, asking: &Finding) -> Finding {
    let id = format!("yara:{}", rule.name);
    let mut entities: BTreeSet<Entity> = asking
        .entities
        .iter()
        .filter(|entity| matches!(entity, Entity::Process(_) | Entity::Ancestor(_) | Entity::User(_)))
        .cloned()
        .collect();
    entities.extend([
        Entity::Process(request.process),
        Entity::File(evidence.path.clone()),
        Entity::Evidence(evidence.id),
    ]);
    Finding {
        id: FindingId::new(&id, &evidence.id.0, &asking.events),
        rule: id,
        title: rule.title.clone().unwrap_or_else(|| rule.name.clone()),
        detector: Detector::Yara,
        severity: rule.severity.as_deref().and_then(|word| word.parse().ok()).unwrap_or(Severity::Medium),
        confidence: CONFIDENCE,
        techniques: techniques(rule),
        sensor: asking.sensor,
        first: asking.first,
        last: asking.last,
        events: asking.events.clone(),
        entities,
        reasons: reasons(rule, evidence),
        wants_evidence: None,
    }
}

fn techniques(rule: &Rule) -> Vec<String> {
    let known: BTreeSet<String> =
        rule.techniques.iter().map(|id| id.to_ascii_uppercase()).filter(|id| is_technique(id)).collect();
    known.into_iter().collect()
}

/// `T1234` or `T1234.001`.
fn is_technique(id: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    id.strip_prefix('T').is_some_and(|rest| match rest.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(rest, 4),
    })
}

fn reasons(rule: &Rule, evidence: &EvidenceRow) -> Vec<String> {
    let mut reasons = vec![format!(
        "yara rule {} matched {} ({} bytes, SHA-256 {})",
        rule.name,
        Shown(&evidence.path),
        evidence.size,
        evidence.id
    )];
    reasons.extend(rule.description.clone());
    if !rule.places.is_empty() {
        let places: Vec<String> =
            rule.places.iter().map(|place| format!("{} at offset {}", place.pattern, place.offset)).collect();
        reasons.push(format!("found {}", places.join(", ")));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::is_technique;

    #[test]
    fn techniques_look_like_techniques() {
        for id in ["T1059", "T1059.004"] {
            assert!(is_technique(id), "{id}");
        }
        for id in ["", "T", "1059", "T10590", "T1059.4", "T1059.", "T1059.0040", "TA0001", "T105x"] {
            assert!(!is_technique(id), "{id}");
        }
    }
}
