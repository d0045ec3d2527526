//! An incident as documents of the Elastic Common Schema 8.17: one for each event of its timeline and one for each finding.
//!
//! Pure. Names and types come from the catalogue, ids are keywords as ECS wants them, and what ECS has no field for lies under
//! `bongsu.`. A document's id is that of the event or finding, so that sending it again adds nothing.

use bongsu_api::{Finding, Incident, TimelineEntry};
use bongsu_event::{
    Severity,
    catalogue::{FieldId, Kind},
};
use serde_json::{Map, Value, json};

/// The version of ECS that the documents follow.
const ECS_VERSION: &str = "8.17.0";

/// A document and its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// The same for the same event or finding, for ever.
    pub(crate) id: String,
    pub(crate) body: Value,
}

/// Everything the incident holds, events first.
pub(crate) fn documents(incident: &Incident) -> Vec<Document> {
    let events = incident.timeline.iter().map(|entry| event(incident, entry));
    let findings = incident.findings.iter().map(|it| finding(incident, it));
    events.chain(findings).collect()
}

/// A document under construction.
#[derive(Default)]
struct Draft(Map<String, Value>);

impl Draft {
    fn new(incident: &Incident, time: &str, kind: &str, id: &str, dataset: &str) -> Self {
        let mut draft = Self::default();
        draft.set("@timestamp", time);
        draft.set("ecs.version", ECS_VERSION);
        draft.set("event.kind", kind);
        draft.set("event.id", id);
        draft.set("event.module", "bongsu");
        draft.set("event.dataset", dataset);
        draft.set("bongsu.incident.id", incident.summary.id.as_str());
        draft
    }

    /// Sets the field of that dotted name as nested objects. A name that runs through another field's value is left out; no two
    /// names of the catalogue do.
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        let mut object = &mut self.0;
        let mut parts = name.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                object.insert(part.to_owned(), value.into());
                return;
            }
            let next = object.entry(part).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = next else { return };
            object = inner;
        }
    }

    fn set_list(&mut self, name: &str, mut values: Vec<String>) {
        values.retain(|value| !value.is_empty());
        values.sort_unstable();
        values.dedup();
        if !values.is_empty() {
            self.set(name, values);
        }
    }

    fn finish(self, id: &str) -> Document {
        Document { id: id.to_owned(), body: Value::Object(self.0) }
    }
}

fn event(incident: &Incident, entry: &TimelineEntry) -> Document {
    let mut draft = Draft::new(incident, &entry.time, "event", &entry.event_id, "bongsu.event");
    for (name, text) in &entry.fields {
        if let Some(value) = typed(name, text) {
            draft.set(name, value);
        }
    }
    if !entry.fields.contains_key("message") {
        draft.set("message", entry.text.as_str());
    }
    let related = |names: &[&str]| names.iter().filter_map(|name| entry.fields.get(*name).cloned()).collect();
    draft.set_list("related.ip", addresses(related(&["source.ip", "destination.ip"])));
    draft.set_list("related.user", related(&["user.name", "user.effective.name"]));
    draft.set_list("related.hosts", related(&["host.name"]));
    draft.finish(&entry.event_id)
}

/// The value in the type that ECS has for the field; `None` when the text does not read as one.
fn typed(name: &str, text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    // Both are arrays in ECS, because a document may have several.
    if matches!(name, "event.category" | "event.type") {
        return Some(json!([text]));
    }
    // ECS types every id as a keyword, numbers included.
    if name.ends_with(".id") {
        return Some(text.into());
    }
    match FieldId::by_name(name).map(|field| field.field().kind)? {
        Kind::Text => Some(text.into()),
        Kind::Number => text.parse::<i64>().ok().map(Value::from),
        Kind::Flag => text.parse::<bool>().ok().map(Value::from),
        Kind::Address => text.parse::<std::net::IpAddr>().ok().map(|address| address.to_string().into()),
    }
}

fn addresses(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().filter(|text| text.parse::<std::net::IpAddr>().is_ok()).collect()
}

fn finding(incident: &Incident, finding: &Finding) -> Document {
    let mut draft = Draft::new(incident, &finding.last_seen, "alert", &finding.id, "bongsu.finding");
    // ECS allows `info` for both, and for neither a type that says more.
    let category = if finding.detector == "yara" { "malware" } else { "intrusion_detection" };
    draft.set("event.category", json!([category]));
    draft.set("event.type", json!(["info"]));
    draft.set("event.start", finding.first_seen.as_str());
    draft.set("event.end", finding.last_seen.as_str());
    let severity = finding.severity.parse().unwrap_or(Severity::Info);
    draft.set("event.severity", severity.fires());
    if !finding.reasons.is_empty() {
        draft.set("event.reason", finding.reasons.join("; "));
    }
    draft.set("message", finding.title.as_str());
    draft.set("host.id", finding.sensor_id.as_str());
    draft.set("host.name", finding.host.as_str());
    draft.set("rule.id", finding.rule_id.as_str());
    draft.set("rule.name", finding.title.as_str());
    draft.set("rule.category", finding.detector.as_str());
    techniques(&mut draft, finding);
    entities(&mut draft, finding);
    draft.set("bongsu.finding.detector", finding.detector.as_str());
    draft.set("bongsu.finding.severity", severity.as_str());
    draft.set("bongsu.finding.confidence", finding.confidence);
    draft.set("bongsu.finding.event_ids", finding.event_ids.clone());
    draft.finish(&finding.id)
}

/// ECS keeps a technique and its sub-techniques in fields of their own.
fn techniques(draft: &mut Draft, finding: &Finding) {
    if finding.techniques.is_empty() {
        return;
    }
    let (subs, whole): (Vec<_>, Vec<_>) = finding.techniques.iter().partition(|technique| technique.id.contains('.'));
    let parent = |id: &str| id.split('.').next().unwrap_or(id).to_owned();
    draft.set("threat.framework", "MITRE ATT&CK");
    draft.set_list("threat.technique.id", finding.techniques.iter().map(|technique| parent(&technique.id)).collect());
    draft.set_list("threat.technique.name", whole.iter().map(|technique| technique.name.clone()).collect());
    draft.set_list("threat.technique.subtechnique.id", subs.iter().map(|technique| technique.id.clone()).collect());
    draft.set_list("threat.technique.subtechnique.name", subs.iter().map(|technique| technique.name.clone()).collect());
}

/// Whom a finding involves: under `related`, and in the field of its own where there is only one.
fn entities(draft: &mut Draft, finding: &Finding) {
    let of = |kind: &str| finding.entities.get(kind).cloned().unwrap_or_default();
    let mut one = |name: &str, values: &[String]| {
        if let [value] = values {
            draft.set(name, value.as_str());
        }
    };
    let (users, hashes) = (of("user"), of("evidence"));
    one("user.name", &users);
    one("process.entity_id", &of("process"));
    one("file.path", &of("file"));
    one("file.hash.sha256", &hashes);
    draft.set_list("related.user", users);
    draft.set_list("related.ip", addresses(of("address")));
    draft.set_list("related.hash", hashes);
    draft.set_list("related.hosts", vec![finding.host.clone()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::example;

    #[test]
    fn an_event_and_a_finding_read_like_this() {
        let documents = documents(&example::brute_force());
        let bodies: Vec<_> = [&documents[9], documents.last().unwrap()].map(|it| &it.body).into();
        insta::assert_snapshot!(serde_json::to_string_pretty(&bodies).unwrap());
    }

    #[test]
    fn documents_have_names_of_their_own_that_stay() {
        let incident = example::brute_force();
        let first = documents(&incident);
        assert_eq!(first.len(), incident.timeline.len() + incident.findings.len());
        let ids: std::collections::BTreeSet<_> = first.iter().map(|document| &document.id).collect();
        assert_eq!(ids.len(), first.len());
        assert_eq!(first, documents(&incident));
    }

    #[test]
    fn values_that_are_not_of_their_type_are_left_out() {
        assert_eq!(typed("process.pid", "12"), Some(json!(12)));
        assert_eq!(typed("process.pid", "12; drop"), None);
        assert_eq!(typed("process.user.id", "0"), Some(json!("0")));
        assert_eq!(typed("source.ip", "::1"), Some(json!("::1")));
        assert_eq!(typed("source.ip", "localhost"), None);
        assert_eq!(typed("bongsu.elevated", "true"), Some(json!(true)));
        assert_eq!(typed("no.such.field", "x"), None);
    }

    #[test]
    fn no_field_of_the_catalogue_hides_another() {
        let mut draft = Draft::default();
        for field in bongsu_event::catalogue::FIELDS {
            draft.set(field.ecs, "x");
        }
        let document = Value::Object(draft.0);
        for field in bongsu_event::catalogue::FIELDS {
            let pointer = format!("/{}", field.ecs.replace('.', "/"));
            assert_eq!(document.pointer(&pointer), Some(&json!("x")), "{}", field.ecs);
        }
    }
}
