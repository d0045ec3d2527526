//! What a match says.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Seen, SequenceRule, group::Completion, key};
use crate::{Detector, Finding, FindingId};

/// The finding of a match that ends in `end`.
pub(super) fn of(rule: &SequenceRule, group: &[u8], end: &Completion) -> Finding {
    let mut steps: Vec<&Completion> = std::iter::successors(Some(end), |step| step.base.as_deref()).collect();
    steps.reverse();
    let mut seen: Vec<&Arc<Seen>> = steps.iter().flat_map(|step| &step.events).collect();
    seen.sort_unstable_by_key(|seen| (seen.time, seen.id));
    let events: Vec<_> = seen.iter().map(|seen| seen.id).collect();
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else {
        unreachable!("a rule has a step and a step has an event")
    };
    Finding {
        id: FindingId::new(&rule.id, group, &events),
        rule: rule.id.clone(),
        title: rule.title.clone(),
        detector: Detector::Sequence,
        severity: rule.severity,
        confidence: rule.confidence,
        techniques: rule.techniques.clone(),
        sensor: end.events.last().map_or(last.id.sensor, |seen| seen.id.sensor),
        first: first.time,
        last: last.time,
        entities: seen.iter().flat_map(|seen| seen.entities.iter().cloned()).collect::<BTreeSet<_>>(),
        reasons: reasons(rule, group, &steps),
        events,
        wants_evidence: None,
    }
}

fn reasons(rule: &SequenceRule, group: &[u8], steps: &[&Completion]) -> Vec<String> {
    let values = key::values(group);
    let names = rule.steps[0].key.iter().map(|field| field.field().ecs);
    let same: Vec<String> = names.zip(values).map(|(name, value)| format!("{name} {value}")).collect();
    let mut reasons: Vec<String> =
        (!same.is_empty()).then(|| format!("same {}", same.join(", "))).into_iter().collect();
    for (number, (step, asked)) in steps.iter().zip(&rule.steps).enumerate() {
        let count = match step.events.len() {
            1 => String::new(),
            many => format!("{many} times "),
        };
        let label = &asked.label;
        let time = match number.checked_sub(1) {
            Some(before) => format!(", {} later", words(step.at.since(steps[before].at))),
            None if step.events.len() == 1 => String::new(),
            None => format!(" within {}", words(step.at.since(step.events[0].at))),
        };
        reasons.push(format!("{count}{label}{time}"));
    }
    reasons
}

/// A length of time as a person says it, never shorter than it is.
fn words(time: Duration) -> String {
    match time.as_nanos().div_ceil(1_000_000_000) {
        0 => "no time".to_owned(),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}
