//! What an anomalous window says.

use std::{collections::BTreeSet, time::Duration};

use bongsu_event::{SensorId, Severity, Timestamp};

use super::{
    RULE, Settings,
    baseline::Baseline,
    feature::NAMES,
    model::Measure,
    window::{Sample, Window},
};
use crate::{Detector, Entity, Finding, FindingId};

/// Events that a finding names at most.
pub const EVENTS_MAX: usize = 20;

/// Entities of each kind that a finding names at most.
const ENTITIES_MAX: usize = 8;

/// Features that a finding names at most, and the part of the distance each must have.
const REASONS_MAX: usize = 6;
const REASON_SHARE: f64 = 0.03;

/// From here on an anomaly is of medium severity.
const MEDIUM: f64 = 1e-4;

/// The finding; `None` when the window has no event, which only an empty window has not.
pub(super) fn of(
    sensor: SensorId,
    end: Timestamp,
    window: &Window,
    measure: &Measure,
    baseline: &Baseline,
    settings: &Settings,
) -> Option<Finding> {
    let samples = most_unusual(window, measure);
    let events: Vec<_> = samples.iter().map(|sample| sample.id).collect();
    let (first, last) = (samples.first()?.time, samples.last()?.time);
    let score = 100.0 * (1.0 - measure.probability);
    let group = [sensor.0.as_bytes().as_slice(), &end.0.to_be_bytes()].concat();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 100")]
    let confidence = score.round().clamp(0.0, 100.0) as u8;
    Some(Finding {
        id: FindingId::new(RULE, &group, &events),
        rule: RULE.to_owned(),
        title: "The host does not behave like itself".to_owned(),
        detector: Detector::Anomaly,
        severity: if measure.probability <= MEDIUM { Severity::Medium } else { Severity::Low },
        confidence,
        techniques: Vec::new(),
        sensor,
        first,
        last,
        events,
        entities: entities(&samples),
        reasons: reasons(window, measure, baseline, settings.window),
        wants_evidence: None,
    })
}

/// The events that raise what moved the score, in order of (time, id).
fn most_unusual<'a>(window: &'a Window, measure: &Measure) -> Vec<&'a Sample> {
    let weight = |sample: &Sample| {
        let raised = measure.parts.iter().enumerate().filter(|(feature, _)| sample.features >> feature & 1 == 1);
        let sum: f64 = raised.map(|(_, part)| part.max(0.0)).sum();
        if sample.new { 2.0 * sum } else { sum }
    };
    let mut samples: Vec<&Sample> = window.samples().collect();
    samples.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then((a.time, a.id).cmp(&(b.time, b.id))));
    samples.truncate(EVENTS_MAX);
    samples.sort_by_key(|sample| (sample.time, sample.id));
    samples
}

fn entities(samples: &[&Sample]) -> BTreeSet<Entity> {
    let all: BTreeSet<&Entity> = samples.iter().flat_map(|sample| &sample.entities).collect();
    // Entities sort by kind, so that each kind is one run.
    let all: Vec<&Entity> = all.into_iter().collect();
    let kinds = all.chunk_by(|a, b| std::mem::discriminant::<Entity>(a) == std::mem::discriminant::<Entity>(b));
    kinds.flat_map(|kind| kind.iter().take(ENTITIES_MAX)).map(|entity| (*entity).clone()).collect()
}

fn reasons(window: &Window, measure: &Measure, baseline: &Baseline, length: Duration) -> Vec<String> {
    let mut by_part: Vec<usize> = (0..NAMES.len()).collect();
    by_part.sort_by(|a, b| measure.parts[*b].total_cmp(&measure.parts[*a]));
    let moved = by_part.into_iter().filter(|feature| measure.parts[*feature] >= REASON_SHARE * measure.distance);
    let words = moved.take(REASONS_MAX).map(|feature| {
        let (low, high) = baseline.usual(feature);
        let usual = if low == high { low.to_string() } else { format!("{low} to {high}") };
        format!("{}: {}, usually {usual}", NAMES[feature], window.counts[feature])
    });
    let summary = format!(
        "more unusual than {} of this host's windows of {length:?}, by its last {}",
        share(measure.probability),
        baseline.len()
    );
    std::iter::once(summary).chain(words).collect()
}

/// `1 - probability` with as many digits as it takes to see the difference to all.
fn share(probability: f64) -> String {
    match probability {
        p if p < 1e-6 => "99.9999 %".to_owned(),
        p if p < 1e-4 => format!("{:.4} %", 100.0 * (1.0 - p)),
        p => format!("{:.2} %", 100.0 * (1.0 - p)),
    }
}
