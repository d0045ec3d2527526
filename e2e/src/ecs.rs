//! A strict checker for documents of the Elastic Common Schema 8.17: what Elasticsearch itself would let pass and a dashboard would
//! then not find. Unknown fields, wrong types, values and category/type pairs that the specification does not allow.

mod fields;

use std::net::IpAddr;

use serde_json::{Map, Value};

/// Our own fields live here; what they hold is ours to say.
const CUSTOM: &str = "bongsu";

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Keyword,
    Long,
    Float,
    Date,
    Ip,
    Flag,
    Object,
}

/// One field of the specification.
struct Field {
    name: &'static str,
    kind: Kind,
    /// The specification wants an array, also of one.
    array: bool,
}

/// Without these a document is no ECS document of an event.
const REQUIRED: &[&str] = &["@timestamp", "ecs.version", "event.kind", "event.category", "event.type", "event.id"];

/// Fields with a closed list of values.
#[rustfmt::skip]
const VALUES: &[(&str, &[&str])] = &[
    ("event.kind", &["alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"]),
    ("event.outcome", &["success", "failure", "unknown"]),
    ("network.direction", &["ingress", "egress", "inbound", "outbound", "internal", "external", "unknown"]),
];

/// Each category with the types that go with it.
#[rustfmt::skip]
const PAIRS: &[(&str, &[&str])] = &[
    ("api", &["access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start", "user"]),
    ("authentication", &["start", "end", "info"]),
    ("configuration", &["access", "change", "creation", "deletion", "info"]),
    ("database", &["access", "change", "info", "error"]),
    ("driver", &["change", "end", "info", "start"]),
    ("email", &["info"]),
    ("file", &["access", "change", "creation", "deletion", "info"]),
    ("host", &["access", "change", "end", "info", "start"]),
    ("iam", &["admin", "change", "creation", "deletion", "group", "info", "user"]),
    ("intrusion_detection", &["allowed", "denied", "info"]),
    ("library", &["start"]),
    ("malware", &["info"]),
    ("network", &["access", "allowed", "connection", "denied", "end", "info", "protocol", "start"]),
    ("package", &["access", "change", "deletion", "info", "installation", "start"]),
    ("process", &["access", "change", "end", "info", "start"]),
    ("registry", &["access", "change", "creation", "deletion"]),
    ("session", &["start", "end", "info"]),
    ("threat", &["indicator"]),
    ("vulnerability", &["info"]),
    ("web", &["access", "error", "info"]),
];

/// Everything that is wrong with the document, in sentences; empty when nothing is.
#[must_use]
pub fn check(document: &Value) -> Vec<String> {
    let Value::Object(document) = document else { return vec!["the document is not an object".to_owned()] };
    let mut leaves = Vec::new();
    let mut problems = Vec::new();
    flatten(document, "", &mut leaves, &mut problems);
    for required in REQUIRED {
        if !leaves.iter().any(|(name, _)| name == required) {
            problems.push(format!("{required} is missing"));
        }
    }
    for (name, value) in &leaves {
        check_field(name, value, &mut problems);
    }
    check_pairs(&leaves, &mut problems);
    problems
}

/// Nested objects and dotted names both become dotted names.
fn flatten<'a>(
    object: &'a Map<String, Value>,
    prefix: &str,
    leaves: &mut Vec<(String, &'a Value)>,
    problems: &mut Vec<String>,
) {
    for (name, value) in object {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if leaves.iter().any(|(known, _)| *known == name) {
            problems.push(format!("{name} comes twice"));
        }
        match value {
            Value::Object(inner) if !is_object(&name) => flatten(inner, &name, leaves, problems),
            _ => leaves.push((name, value)),
        }
    }
}

fn field(name: &str) -> Option<&'static Field> {
    fields::FIELDS.binary_search_by_key(&name, |field| field.name).ok().map(|index| &fields::FIELDS[index])
}

fn is_object(name: &str) -> bool {
    field(name).is_some_and(|field| field.kind == Kind::Object)
}

fn check_field(name: &str, value: &Value, problems: &mut Vec<String>) {
    if name.split('.').next() == Some(CUSTOM) && name.len() > CUSTOM.len() {
        return;
    }
    let Some(field) = field(name) else {
        problems.push(format!("{name} is not a field of ECS"));
        return;
    };
    let values = match value {
        Value::Array(values) if values.is_empty() => {
            problems.push(format!("{name} is an empty list"));
            return;
        }
        Value::Array(values) => values.as_slice(),
        _ if field.array => {
            problems.push(format!("{name} must be a list"));
            return;
        }
        one => std::slice::from_ref(one),
    };
    if !field.array && value.is_array() {
        problems.push(format!("{name} must not be a list"));
    }
    for value in values {
        if !is_of(field.kind, value) {
            problems.push(format!("{name} holds {value}, which is no {:?}", field.kind));
        }
        let allowed = VALUES.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed);
        if allowed.is_some_and(|allowed| !value.as_str().is_some_and(|value| allowed.contains(&value))) {
            problems.push(format!("{name} holds {value}, which is not one of its values"));
        }
    }
}

fn is_of(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Keyword => value.as_str().is_some_and(|text| !text.is_empty()),
        Kind::Long => value.is_i64() || value.is_u64(),
        Kind::Float => value.is_number(),
        Kind::Date => value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        Kind::Ip => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        Kind::Flag => value.is_boolean(),
        Kind::Object => value.is_object(),
    }
}

fn check_pairs(leaves: &[(String, &Value)], problems: &mut Vec<String>) {
    let list = |name: &str| -> Vec<&str> {
        let value = leaves.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let types = list("event.type");
    for category in list("event.category") {
        let Some((_, allowed)) = PAIRS.iter().find(|(known, _)| *known == category) else {
            problems.push(format!("event.category holds {category:?}, which is not one of its values"));
            continue;
        };
        for event_type in types.iter().filter(|event_type| !allowed.contains(event_type)) {
            problems.push(format!("event.type {event_type:?} does not go with event.category {category:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "@timestamp": "2026-11-22T09:11:12.000000005Z",
            "ecs": {"version": "8.17.0"},
            "event": {"kind": "event", "category": ["process"], "type": ["start"], "id": "x"},
            "process": {"pid": 1, "user": {"id": "0"}, "parent.pid": 2},
            "source.ip": "::1",
            "bongsu": {"anything": [1, {"a": null}]},
        })
    }

    #[test]
    fn the_table_is_in_order_and_names_each_field_once() {
        assert!(fields::FIELDS.is_sorted_by(|left, right| left.name < right.name));
    }

    #[test]
    fn a_good_document_passes() {
        assert_eq!(check(&good()), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_mistake_is_found() {
        let cases = [
            ("/event/kind", json!("finding"), "event.kind holds \"finding\", which is not one of its values"),
            ("/event/category", json!("process"), "event.category must be a list"),
            ("/event/category", json!(["prozess"]), "event.category holds \"prozess\", which is not one of its values"),
            ("/event/type", json!(["creation"]), "event.type \"creation\" does not go with event.category \"process\""),
            ("/event/type", json!([]), "event.type is an empty list"),
            ("/event/id", json!(["a"]), "event.id must not be a list"),
            ("/event/id", json!(7), "event.id holds 7, which is no Keyword"),
            ("/process/pid", json!("1"), "process.pid holds \"1\", which is no Long"),
            ("/process/user", json!({"uid": "0"}), "process.user.uid is not a field of ECS"),
            ("/source.ip", json!("localhost"), "source.ip holds \"localhost\", which is no Ip"),
            ("/@timestamp", json!("yesterday"), "@timestamp holds \"yesterday\", which is no Date"),
            ("/bongsu", json!(1), "bongsu is not a field of ECS"),
            ("/ecs", json!({"version": ""}), "ecs.version holds \"\", which is no Keyword"),
        ];
        for (pointer, value, problem) in cases {
            let mut document = good();
            *document.pointer_mut(pointer).unwrap() = value;
            let problems = check(&document);
            assert!(problems.iter().any(|it| it == problem), "{pointer}: {problems:?}");
        }
        let mut document = good();
        document["process.pid"] = json!(3);
        assert_eq!(check(&document), ["process.pid comes twice"]);
        document = good();
        document["findings"] = json!("x");
        assert_eq!(check(&document), ["findings is not a field of ECS"]);
        document = good();
        document.as_object_mut().unwrap().remove("@timestamp");
        assert_eq!(check(&document), ["@timestamp is missing"]);
        assert_eq!(check(&json!([])), ["the document is not an object"]);
    }
}
