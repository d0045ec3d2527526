//! The description for machines says what the types are.

use serde_json::{Value, json};

use super::*;

fn schemas() -> Value {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    document["components"]["schemas"].clone()
}

/// Whether `value` is what `schema` says, at `place`. Only the keywords that the document uses.
fn check(schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return check(&schemas()[name], value, &format!("{place}:{name}"));
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let other = any.iter().find(|schema| schema["type"] != "null").unwrap();
        if !value.is_null() {
            check(other, value, place);
        }
        return;
    }
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kind = &schema["type"];
    assert!(
        kind == is || kind.as_array().is_some_and(|kinds| kinds.contains(&json!(is))),
        "{place} is {is}, not {kind}"
    );
    match value {
        Value::Array(items) => items.iter().for_each(|item| check(&schema["items"], item, place)),
        Value::Object(fields) => match schema["properties"].as_object() {
            Some(properties) => {
                for (name, field) in fields {
                    let property = properties.get(name).unwrap_or_else(|| panic!("{place} has no {name}"));
                    check(property, field, &format!("{place}.{name}"));
                }
                for name in properties.keys() {
                    assert!(fields.contains_key(name), "{place}: {name} is described and does not exist");
                }
            }
            None => fields.values().for_each(|field| check(&schema["additionalProperties"], field, place)),
        },
        _ => {}
    }
}

fn word() -> String {
    "word".to_owned()
}

fn techniques() -> Vec<Technique> {
    vec![Technique { id: word(), name: word() }]
}

fn evidence() -> Evidence {
    Evidence {
        sha256: word(),
        size: 1,
        host: word(),
        sensor_id: word(),
        path: word(),
        process_key: Some(word()),
        incident_ids: vec![word()],
        stored_at: word(),
        verdict: Verdict { outcome: word(), yara_rules: vec![word()], detail: None },
        custody: vec![CustodyEntry { time: word(), actor: word(), action: word(), detail: word() }],
    }
}

fn finding() -> Finding {
    Finding {
        id: word(),
        rule_id: word(),
        title: word(),
        detector: word(),
        severity: word(),
        confidence: 1,
        techniques: techniques(),
        host: word(),
        sensor_id: word(),
        first_seen: word(),
        last_seen: word(),
        event_ids: vec![word()],
        entities: [(word(), vec![word()])].into(),
        reasons: vec![word()],
        repeats: 1,
        repeated_until: Some(word()),
    }
}

fn process(children: Vec<ProcessNode>) -> ProcessNode {
    ProcessNode {
        key: word(),
        pid: 1,
        executable: word(),
        command_line: word(),
        user: Some(word()),
        event_ids: vec![word()],
        finding_ids: vec![word()],
        children,
    }
}

fn incident() -> Incident {
    Incident {
        summary: IncidentSummary {
            id: word(),
            title: word(),
            severity: word(),
            score: 1,
            status: word(),
            hosts: vec![word()],
            first_seen: word(),
            last_seen: word(),
            finding_count: 1,
            techniques: techniques(),
        },
        score_parts: vec![ScorePart { reason: word(), points: 1 }],
        findings: vec![finding()],
        timeline: vec![entry()],
        process_tree: vec![process(vec![process(Vec::new())])],
        advice: Advice {
            source: word(),
            model: None,
            story: vec![Claim { text: word(), event_ids: vec![word()] }],
            next_steps: vec![NextStep { text: word(), command: Some(word()) }],
            notes: vec![word()],
        },
        evidence: vec![evidence()],
        anomaly: Some(Anomaly { score: 0.5, reasons: vec![word()] }),
        blind_spots: vec![word()],
    }
}

fn entry() -> TimelineEntry {
    TimelineEntry {
        event_id: word(),
        time: word(),
        host: word(),
        action: word(),
        text: word(),
        user: None,
        process_key: Some(word()),
        finding_ids: vec![word()],
        fields: [(word(), word())].into(),
    }
}

fn sensor() -> Sensor {
    Sensor {
        id: word(),
        host: word(),
        status: word(),
        last_seen: None,
        kernel: word(),
        version: word(),
        hooks: vec![Hook {
            name: word(),
            rung: word(),
            detail: word(),
            programs: vec![HookProgram { name: word(), runs: 12, ns_per_run: Some(7), missed: 0 }],
        }],
        ledgers: vec![Ledger {
            epoch: 1,
            kernel_emitted: 1,
            read: 1,
            ring_lost: 1,
            suppressed: 0,
            last_seq: 1,
            stored: 1,
            spooled: 1,
            shed: vec![Shed { class: word(), reason: word(), count: 1 }],
            balanced: true,
            as_of: Some(word()),
        }],
    }
}

#[test]
fn the_description_has_exactly_the_fields_of_the_types() {
    let schemas = schemas();
    let one = |name: &str, value: Value| check(&schemas[name], &value, name);
    one("Incident", json!(incident()));
    one("IncidentSummaryPage", json!(Page { items: vec![incident().summary], next: Some(word()) }));
    one("EventPage", json!(Page { items: vec![entry()], next: Some(word()) }));
    one("EvidencePage", json!(Page { items: vec![evidence()], next: Some(word()) }));
    one("SensorPage", json!(Page { items: vec![sensor()], next: Some(word()) }));
    one("JoinToken", json!(JoinToken { token: word(), expires_at: word(), command: word() }));
    let (bytes, custody) = (word(), word());
    one("Verification", json!(Verification { sha256: word(), bytes, size: Some(1), custody, broken_at: None }));
    one("Problem", json!(Problem { error: word() }));
    one("Health", json!(Health { status: word() }));
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let references: std::collections::BTreeSet<_> =
        OPENAPI.split("\"#/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for reference in &references {
        assert!(document.pointer(&format!("/{reference}")).is_some(), "{reference} leads nowhere");
    }
    for name in schemas().as_object().unwrap().keys() {
        assert!(references.contains(format!("components/schemas/{name}").as_str()), "{name} is not used");
    }
}

/// Whether the parameters of the list under `path` are the fields of `whole`, a query in which none is absent.
fn check_query(path: &str, whole: &Value) {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let described = document["paths"][path]["get"]["parameters"].as_array().unwrap();
    let mut described: Vec<_> = described.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    let mut fields: Vec<_> = whole.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    described.sort_unstable();
    assert_eq!(fields, described);
}

#[test]
fn every_field_of_a_query_is_described() {
    let (status, severity, host, after, limit) = (Some(word()), Some(word()), Some(word()), Some(word()), Some(1));
    check_query("/incidents", &json!(IncidentQuery { status, severity, host, after, limit }));
    let whole = EventQuery {
        host: Some(word()),
        action: Some(word()),
        since: Some(word()),
        until: Some(word()),
        contains: Some(word()),
        after: Some(word()),
        limit: Some(1),
    };
    check_query("/events", &json!(whole));
}
