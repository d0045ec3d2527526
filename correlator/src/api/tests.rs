//! The API through real HTTP on loopback.

use bongsu_api::{Evidence, Incident, IncidentSummary, JoinToken, Page, Problem, Sensor, TimelineEntry, Verification};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{
    BASE, guarded_routes, open_routes,
    testing::{ADMIN_LINK, EVIDENCE, Site, TOKEN},
};

async fn problem(response: reqwest::Response) -> (StatusCode, String) {
    let status = response.status();
    (status, response.json::<Problem>().await.unwrap().error)
}

#[tokio::test]
async fn an_incident_comes_whole_and_with_the_hosts_strings_escaped() {
    let site = Site::start().await;
    let incident: Incident = site.get("/incidents/BGS-1").await.json().await.unwrap();
    assert_eq!(incident.summary.hosts, ["<b>web\\u{202e}-1\\x1b[31m"]);
    assert_eq!(incident.summary.title, "A shell under nginx on <b>web\\u{202e}-1\\x1b[31m");
    let told: Vec<_> = incident.timeline.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        told,
        [
            "backup<script> failed to log in from 203.0.113.7 by password",
            "nginx (pid 812) started /bin/sh -c id (pid 813)"
        ]
    );
    assert_eq!(
        incident.findings[0].event_ids,
        [&incident.timeline[0].event_id, &incident.timeline[1].event_id].map(Clone::clone)
    );
    assert_eq!(incident.process_tree[0].children[0].children[0].finding_ids, [incident.findings[0].id.clone()]);
    assert_eq!(
        incident.blind_spots,
        ["<b>web\\u{202e}-1\\x1b[31m: connect events are not seen at all: no hook could be attached (kernel too old)."]
    );
}

#[tokio::test]
async fn the_list_is_filtered_and_refuses_what_it_does_not_know() {
    let site = Site::start().await;
    let host = "host=%3Cb%3Eweb%E2%80%AE-1%1B%5B31m";
    for (query, count) in [
        ("", 1),
        ("?status=open&severity=high&limit=1", 1),
        ("?status=closed", 0),
        ("?severity=critical", 0),
        ("?after=BGS-1", 0),
        ("?after=BGS-2", 1),
        ("?host=web-1", 0),
        (&format!("?{host}"), 1),
    ] {
        let page: Page<IncidentSummary> = site.get(&format!("/incidents{query}")).await.json().await.unwrap();
        assert_eq!(page.items.len(), count, "{query}");
    }
    for (query, says) in [
        ("?status=lost", "neither open nor closed"),
        ("?severity=urgent", "unknown severity"),
        ("?limit=0", "limit 0"),
        ("?limit=201", "limit 201"),
        ("?limit=x", "limit"),
        ("?after=1", "BGS-1"),
        ("?sort=score", "sort"),
    ] {
        let (status, error) = problem(site.get(&format!("/incidents{query}")).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(error.contains(says), "{query}: {error}");
    }
}

#[tokio::test]
async fn events_are_found_by_host_action_time_and_text_latest_first() {
    let site = Site::start().await;
    let host = "host=%3Cb%3Eweb%E2%80%AE-1%1B%5B31m";
    let both = ["exec", "login-failure"].as_slice();
    for (query, found) in [
        ("", both),
        ("?limit=1", &both[..1]),
        ("?action=exec", &both[..1]),
        ("?action=accept", &[]),
        ("?contains=BACKUP", &both[1..]),
        ("?contains=%2Fbin%2Fsh", &both[..1]),
        ("?contains=nowhere", &[]),
        ("?since=2000-01-01T00:00:00Z", both),
        ("?until=2000-01-01T00:00:00Z", &[]),
        ("?host=web-1", &[]),
        (&format!("?{host}"), both),
    ] {
        let page: Page<TimelineEntry> = site.get(&format!("/events{query}")).await.json().await.unwrap();
        let actions: Vec<_> = page.items.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, found, "{query}");
    }
    let mut after = None;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let place = after.map(|place: String| format!("&after={place}")).unwrap_or_default();
        let page: Page<TimelineEntry> = site.get(&format!("/events?limit=1{place}")).await.json().await.unwrap();
        seen.extend(page.items.into_iter().map(|entry| entry.action));
        after = page.next;
    }
    assert_eq!(seen, both);
    let incident: Incident = site.get("/incidents/BGS-1").await.json().await.unwrap();
    let listed: Page<TimelineEntry> = site.get("/events?action=exec").await.json().await.unwrap();
    assert_eq!(listed.items, incident.timeline[1..], "the list and the incident tell the same");
    for (query, says) in [
        ("?action=excec", "no event is called \"excec\""),
        ("?since=yesterday", "since"),
        ("?limit=1001", "limit 1001"),
        ("?after=x", "no place"),
        ("?sort=time", "sort"),
    ] {
        let (status, error) = problem(site.get(&format!("/events{query}")).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(error.contains(says), "{query}: {error}");
    }
}

#[tokio::test]
async fn without_a_token_that_holds_only_the_open_routes_answer() {
    let site = Site::start().await;
    for (path, _) in guarded_routes() {
        let path = format!("{BASE}{path}").replace("{id}", "BGS-1").replace("{sha256}", &"0".repeat(64));
        let method = if path.ends_with("/tokens") || path.ends_with("/verify") { Method::POST } else { Method::GET };
        for authorization in
            [None, Some("Bearer wrong".to_owned()), Some(format!("Bearer {ADMIN_LINK}")), Some("Basic x".into())]
        {
            let mut request = site.bare(method.clone(), &path);
            if let Some(authorization) = &authorization {
                request = request.header("authorization", authorization);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {authorization:?}");
            assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        }
    }
    for (path, _) in open_routes() {
        let response = site.bare(Method::GET, &format!("{BASE}{path}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_and_not_a_page() {
    let site = Site::start().await;
    for path in ["/incidents/BGS-2", "/incidents/BGS-99999999999999999999", "/incidents/x%1b%5b2J", "/no/such", "/"] {
        let (status, error) = problem(site.get(path).await).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(!error.contains('\u{1b}'), "{error}");
    }
    let (status, _) = problem(site.bare(Method::DELETE, "/api/v1/incidents").send().await.unwrap()).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_join_token_is_made_and_holds() {
    let site = Site::start().await;
    let response = site.bare(Method::POST, "/api/v1/tokens").bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let made: JoinToken = response.json().await.unwrap();
    assert!(made.command.contains(&made.token), "{}", made.command);
    let token: bongsu_proto::join_token::JoinToken = made.token.parse().unwrap();
    assert_eq!((token.addresses, token.authority_sha256), (vec!["192.0.2.1:8702".to_owned()], [7; 32]));
    let other = bongsu_event::SensorId(uuid::Uuid::from_u128(9));
    site.desk.store.enrol(&token.secret, other, b"other key", b"web-2", crate::clock::now()).await.unwrap();
    let sensors: Page<Sensor> = site.get("/sensors").await.json().await.unwrap();
    assert_eq!(
        sensors.items.iter().map(|sensor| sensor.host.as_str()).collect::<Vec<_>>(),
        ["web-2", "<b>web\\u{202e}-1\\x1b[31m"]
    );
}

#[tokio::test]
async fn evidence_comes_as_taken_or_not_at_all_and_the_log_tells_who_asked() {
    let site = Site::start().await;
    let name = site.evidence.to_string();
    let list: Page<Evidence> = site.get("/evidence").await.json().await.unwrap();
    assert_eq!(list.items.iter().map(|item| item.sha256.as_str()).collect::<Vec<_>>(), [name.as_str()]);
    let response = site.get(&format!("/evidence/{name}/content")).await;
    for (header, value) in [
        ("content-type", "application/octet-stream"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(response.headers()[header], value);
    }
    assert!(response.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert_eq!(response.bytes().await.unwrap(), EVIDENCE);
    let verify = || site.bare(Method::POST, &format!("/api/v1/evidence/{name}/verify")).bearer_auth(TOKEN).send();
    let verified: Verification = verify().await.unwrap().json().await.unwrap();
    assert_eq!((verified.bytes.as_str(), verified.custody.as_str()), ("as-taken", "whole"));
    let one: Evidence = site.get(&format!("/evidence/{name}")).await.json().await.unwrap();
    let log: Vec<_> = one.custody.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str())).collect();
    assert!(log.ends_with(&[("fetched", "tester"), ("verified", "tester")]), "{log:?}");
    assert_eq!((one.path.as_str(), one.verdict.outcome.as_str()), ("/tmp/\\x1b[2Jx", "pending"));

    site.change_a_byte_of_the_evidence();
    let (status, error) = problem(site.get(&format!("/evidence/{name}/content")).await).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(error.contains(&name), "{error}");
    let verified: Verification = verify().await.unwrap().json().await.unwrap();
    assert_eq!((verified.bytes.as_str(), verified.size), ("altered", None));
    let (status, _) = problem(site.get(&format!("/evidence/{}/content", "0".repeat(64))).await).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_went_wrong_inside_stays_inside() {
    let site = Site::start().await;
    site.desk.store.close().await;
    for path in ["/incidents", "/incidents/BGS-1", "/healthz"] {
        let (status, error) = problem(site.get(path).await).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!(error, "something went wrong here; the correlator's log says what");
    }
}

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let document: Value = serde_json::from_str(bongsu_api::OPENAPI).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let routes: Vec<_> = guarded_routes().into_iter().chain(open_routes()).map(|(path, _)| path).collect();
    for path in &routes {
        assert!(paths.contains_key(*path), "{path} is not described");
    }
    assert_eq!(paths.len(), routes.len(), "something is described that is not there: {:?}", paths.keys());
    assert_eq!(document["servers"][0]["url"], BASE);
    for (path, _) in open_routes() {
        assert_eq!(paths[path]["get"]["security"], serde_json::json!([]), "{path}");
    }
}
