//! Findings as the API shows them.

use std::collections::BTreeMap;

use bongsu_detection::{Entity, Finding};
use bongsu_event::Shown;

use super::{sentence::Brief, technique::named};
use crate::store::finding::KeptFinding;

/// The finding, about the host of that name.
pub(crate) fn shown(kept: &KeptFinding, host: &[u8]) -> bongsu_api::Finding {
    let finding = &kept.finding;
    bongsu_api::Finding {
        id: finding.id.to_string(),
        rule_id: finding.rule.clone(),
        title: text(&finding.title),
        detector: finding.detector.as_str().to_owned(),
        severity: finding.severity.to_string(),
        confidence: finding.confidence,
        techniques: finding.techniques.iter().map(|id| named(id)).collect(),
        host: Shown(host).to_string(),
        sensor_id: finding.sensor.to_string(),
        first_seen: finding.first.to_string(),
        last_seen: finding.last.to_string(),
        event_ids: finding.events.iter().map(ToString::to_string).collect(),
        entities: entities(finding),
        reasons: finding.reasons.iter().map(|reason| text(reason)).collect(),
        repeats: kept.repeats,
        repeated_until: kept.repeated_until.map(|until| until.to_string()),
    }
}

/// Text of ours in which a rule or an engine may have put bytes of a host.
pub(super) fn text(text: &str) -> String {
    Shown(text.as_bytes()).to_string()
}

/// By kind. Ancestors are left out: they say where to look for what belongs together, not who is involved.
fn entities(finding: &Finding) -> BTreeMap<String, Vec<String>> {
    let mut by_kind: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entity in &finding.entities {
        let (kind, name) = match entity {
            Entity::Process(key) => ("process", key.to_string()),
            Entity::Ancestor(_) => continue,
            Entity::User(name) => ("user", Brief(name).to_string()),
            Entity::Address(address) => ("address", address.to_string()),
            Entity::File(path) => ("file", Brief(path).to_string()),
            Entity::Evidence(id) => ("evidence", id.to_string()),
        };
        by_kind.entry(kind.to_owned()).or_default().push(name);
    }
    by_kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{exec, finding, kept, key, stored};

    #[test]
    fn entities_stand_by_kind_and_escaped() {
        let mut about = finding("shell", &[stored(1, 1, exec("/bin/sh"))]);
        about.entities = [
            Entity::Process(key(813)),
            Entity::Ancestor(key(812)),
            Entity::User("www-data".into()),
            Entity::Address([203, 0, 113, 7].into()),
            Entity::File("/tmp/\u{202e}x".into()),
        ]
        .into();
        about.reasons = vec!["CommandLine contains \u{1b}[0m".to_owned()];
        let shown = shown(&kept(about), b"web\x07");
        assert_eq!(shown.host, "web\\x07");
        assert_eq!(shown.reasons, ["CommandLine contains \\x1b[0m"]);
        insta::assert_snapshot!(format!("{:?}", shown.entities), @r#"{"address": ["203.0.113.7"], "file": ["/tmp/\\u{202e}x"], "process": ["000000000000b007-813-81300"], "user": ["www-data"]}"#);
    }
}
