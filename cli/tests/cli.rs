//! The real binary against a correlator that need not tell the truth.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::IntoResponse,
};
use sha2::{Digest as _, Sha256};

const BYTES: &[u8] = b"\x7fELF and so on";

type Answers = Arc<HashMap<String, (StatusCode, Vec<u8>)>>;

async fn answer(State(answers): State<Answers>, headers: HeaderMap, uri: Uri) -> impl IntoResponse {
    let authorized = headers.get("authorization").is_some_and(|value| value == "Bearer right");
    match answers.get(uri.path()) {
        _ if !authorized => (StatusCode::UNAUTHORIZED, br#"{"error":"who are you\u001b[2J"}"#.to_vec()),
        Some(answer) => answer.clone(),
        None => (StatusCode::NOT_FOUND, br#"{"error":"there is no such thing"}"#.to_vec()),
    }
}

fn name(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A correlator that says of `BYTES` what a true one would, and gives `content` for them.
async fn correlator(content: &[u8]) -> SocketAddr {
    let sha256 = name(BYTES);
    let about = format!(
        r#"{{"sha256":"{sha256}","size":14,"host":"web-1","sensor_id":"s","path":"/tmp/\u001b[31mx","process_key":null,"incident_ids":[],
        "stored_at":"2026-11-22T09:00:00Z","verdict":{{"outcome":"pending","yara_rules":[],"detail":null}},"custody":[]}}"#
    );
    let verified = |bytes: &str, size: &str| {
        format!(r#"{{"sha256":"{sha256}","bytes":"{bytes}","size":{size},"custody":"whole","broken_at":null}}"#)
    };
    let verified = if content == BYTES { verified("as-taken", "14") } else { verified("altered", "null") };
    let event = br#"{"items":[{"event_id":"s:1:1","time":"2026-11-22T09:00:00.000000001Z","host":"web\u001b[2J","action":"exec",
        "text":"x","user":null,"process_key":null,"finding_ids":[],"fields":{}}]}"#;
    let answers = HashMap::from([
        (format!("/api/v1/evidence/{sha256}"), (StatusCode::OK, about.clone().into_bytes())),
        (format!("/api/v1/evidence/{sha256}/content"), (StatusCode::OK, content.to_vec())),
        (format!("/api/v1/evidence/{sha256}/verify"), (StatusCode::OK, verified.into_bytes())),
        ("/api/v1/evidence".to_owned(), (StatusCode::OK, format!(r#"{{"items":[{about}]}}"#).into_bytes())),
        ("/api/v1/events".to_owned(), (StatusCode::OK, event.to_vec())),
        ("/api/v1/sensors".to_owned(), (StatusCode::SERVICE_UNAVAILABLE, Vec::new())),
        ("/api/v1/incidents".to_owned(), (StatusCode::OK, b"not json".to_vec())),
    ]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(Arc::new(answers));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn bongsu(arguments: &[&str], url: &str, token: &str, dir: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bongsu"));
    command.args(arguments).current_dir(dir).stdin(Stdio::null()).env_clear();
    for (variable, value) in [("BONGSU_URL", url), ("BONGSU_TOKEN", token)] {
        if !value.is_empty() {
            command.env(variable, value);
        }
    }
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_fetched_verifies_until_a_byte_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://{}", correlator(BYTES).await);
    let run = async |arguments: &[&str]| bongsu(arguments, &url, "right", dir.path()).await;
    let sha256 = name(BYTES);
    let (code, out, error) = run(&["evidence", "fetch", &sha256, "-O", "f"]).await;
    assert_eq!(code, Some(0), "{out}{error}");
    assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), BYTES);
    let (code, out, _) = run(&["evidence", "verify", "f"]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("verified") && out.contains("f.custody.json"), "{out}");
    assert_eq!(run(&["evidence", "verify", &sha256]).await.0, Some(0));
    let (code, _, error) = run(&["evidence", "fetch", &sha256, "-O", "f"]).await;
    assert_eq!(code, Some(73), "{error}");

    let mut bytes = BYTES.to_vec();
    bytes[5] ^= 1;
    std::fs::write(dir.path().join("f"), bytes).unwrap();
    let (code, out, _) = run(&["evidence", "verify", "f"]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("NOT VERIFIED") && out.contains(&sha256), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_than_asked_for_never_become_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://{}", correlator(b"something else").await);
    let (code, _, error) = bongsu(&["evidence", "fetch", &name(BYTES), "-O", "f"], &url, "right", dir.path()).await;
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("nothing was kept"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "not even a draft is left");
    assert_eq!(bongsu(&["evidence", "verify", &name(BYTES)], &url, "right", dir.path()).await.0, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_failure_has_its_exit_code_and_no_escape_reaches_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://{}", correlator(BYTES).await);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases: &[(&[&str], &str, &str, i32)] = &[
        (&["evidence", "list"], &url, "right", 0),
        (&["evidence", "list", "-o", "json"], &url, "right", 0),
        (&["evidence", "list", "-o", "ndjson"], &url, "right", 0),
        (&["--help"], "", "", 0),
        (&["evidence", "list"], &url, "wrong", 77),
        (&["incident", "show", "BGS-9"], &url, "right", 66),
        (&["incident", "list"], &url, "right", 76),
        (&["event", "list", "--since", "10m"], &url, "right", 0),
        (&["event", "list", "-o", "ndjson"], &url, "right", 0),
        (&["event", "list", "--since", "once"], &url, "right", 64),
        (&["sensor", "list"], &url, "right", 69),
        (&["sensor", "list"], &format!("http://{nobody}"), "right", 69),
        (&["sensor", "list", "--state-dir", "nowhere"], "", "right", 78),
        (&["sensor", "list", "--state-dir", "nowhere"], &url, "", 78),
        (&["sensor", "list"], "http://192.0.2.1/", "right", 78),
        (&["sensor", "lost"], &url, "right", 64),
        (&["evidence", "fetch", "abc"], &url, "right", 64),
        (&["evidence", "verify", "nothing-to-compare-with"], &url, "right", 64),
        (&["evidence", "verify", "no-file", "--sha256", &name(BYTES)], &url, "right", 66),
    ];
    for (arguments, url, token, expected) in cases {
        let (code, out, error) = bongsu(arguments, url, token, dir.path()).await;
        assert_eq!(code, Some(*expected), "{arguments:?}: {out}{error}");
        assert!(!format!("{out}{error}").contains('\u{1b}'), "{arguments:?}");
    }
}
