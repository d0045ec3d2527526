//! Pages over incidents whose strings were chosen by an attacker.

use bongsu_api::{Incident, IncidentQuery, Page};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{door, incident, incidents, login_path};
use crate::api::testing::{ADMIN_LINK, Site};

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

#[tokio::test]
async fn the_door_opens_once_for_each_link_and_closes_on_leaving() {
    let site = Site::start().await;
    let link = login_path(ADMIN_LINK);
    let look = |path: &str| site.bare(Method::GET, path).send();
    let shut = look("/").await.unwrap();
    assert_eq!(shut.status(), StatusCode::UNAUTHORIZED);
    assert!(shut.text().await.unwrap().contains("bongsu-correlator link"), "the door says where a link is to be had");
    // Looking at the link, as a chat's preview does, does not use it up.
    for _ in 0..2 {
        assert!(look(&link).await.unwrap().text().await.unwrap().contains("<form"));
    }
    let entered = site.bare(Method::POST, &link).send().await.unwrap();
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert_eq!(site.bare(Method::POST, &link).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let cookie = cookie.split(';').next().unwrap();
    let inside = |method, path: &str| site.bare(method, path).header("cookie", cookie).send();
    for path in ["/", "/incidents/BGS-1", "/sensors"] {
        assert_eq!(inside(Method::GET, path).await.unwrap().status(), StatusCode::OK, "{path}");
    }
    assert_eq!(inside(Method::GET, "/api/v1/incidents").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(inside(Method::POST, "/logout").await.unwrap().status(), StatusCode::OK);
    assert_eq!(inside(Method::GET, "/").await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_browser_that_another_site_sent_comes_back_with_its_cookie() {
    let site = Site::start().await;
    let request = site.bare(Method::GET, "/incidents/BGS-1?a=\"x").header("sec-fetch-site", "cross-site");
    let page = request.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("content=\"0; url=/incidents/BGS-1?a=%22x\""), "{page}");
}

#[tokio::test]
async fn pages_over_a_hostile_host_are_text_and_carry_the_policy() {
    let site = Site::start().await;
    let entered = site.bare(Method::POST, &login_path(ADMIN_LINK)).send().await.unwrap();
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    for (path, status) in [
        ("/", StatusCode::OK),
        ("/?status=all&host=%22%3E%3Cscript%3E", StatusCode::OK),
        ("/incidents/BGS-1", StatusCode::OK),
        ("/sensors", StatusCode::OK),
        ("/incidents/BGS-7%3Cscript%3E", StatusCode::NOT_FOUND),
        ("/?status=%3Cscript%3E", StatusCode::BAD_REQUEST),
        ("/nowhere", StatusCode::NOT_FOUND),
    ] {
        let response = site.bare(Method::GET, path).header("cookie", &cookie).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let page = response.text().await.unwrap();
        for hostile in ["<script", "<b>web", "\u{202e}", "\u{1b}"] {
            assert!(!page.contains(hostile), "{path} has {hostile:?}");
        }
    }
}
