//! Pages over incidents whose strings were chosen by an attacker.

use bongsu_api::{Incident, IncidentQuery, Page};
use serde_json::Value;

use super::*;

fn example() -> Incident {
    let mut incident: Incident = serde_json::from_str(include_str!("../../tests/incidents/brute-force.json")).unwrap();
    incident.advice = crate::advise::advice(&incident);
    incident
}

/// The incident with every string replaced, but for those that another string refers to.
fn with_every_string(hostile: &str) -> Incident {
    fn replace(value: &mut Value, hostile: &str) {
        match value {
            Value::String(text) => hostile.clone_into(text),
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, hostile)),
            Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, hostile)),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(example()).unwrap();
    replace(&mut value, hostile);
    serde_json::from_value(value).unwrap()
}

#[test]
fn no_string_becomes_markup() {
    for hostile in
        ["\"><script>alert(1)</script>", "\" onmouseover=\"alert(1)", "</style><img src=x>", "javascript:alert(1)"]
    {
        let hostile_incident = with_every_string(hostile);
        let list = Page { items: vec![hostile_incident.summary.clone()], next: Some(hostile.to_owned()) };
        let word = || Some(hostile.to_owned());
        let asked = IncidentQuery { status: word(), severity: word(), host: word(), after: word(), limit: None };
        for page in [
            incident::incident(&hostile_incident).into_string(),
            incidents::incidents(&list, &asked, 1).into_string(),
            door::confirm(hostile).into_string(),
            door::trouble(hostile, hostile).into_string(),
        ] {
            for markup in ["<script", "<img", "onmouseover=\"", "href=\"javascript", "</style>"] {
                assert!(!page.contains(markup), "{hostile:?} became {markup:?}");
            }
        }
    }
}

#[test]
fn the_story_comes_before_the_proof_and_every_citation_leads_to_a_row() {
    let page = incident::incident(&example()).into_string();
    let order: Vec<_> =
        ["id=\"story\"", "id=\"steps\"", "id=\"findings\"", "id=\"timeline\"", "id=\"processes\"", "id=\"evidence\""]
            .map(|mark| page.find(mark).expect(mark))
            .into();
    assert!(order.is_sorted(), "{order:?}");
    let targets: Vec<_> =
        page.match_indices("href=\"#").map(|(at, mark)| page[at + mark.len()..].split('"').next().unwrap()).collect();
    assert!(targets.len() > 20, "{targets:?}");
    for target in targets {
        assert!(page.contains(&format!("id=\"{target}\"")), "nothing is called {target}");
    }
}

#[test]
fn an_element_has_one_class_attribute() {
    let page = incident::incident(&example()).into_string();
    for tag in page.split('<').filter_map(|tag| tag.split('>').next()) {
        assert!(tag.matches(" class=").count() < 2, "a browser drops the second one: {tag}");
    }
}
