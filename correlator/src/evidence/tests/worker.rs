//! The worker from the correlator's side: the real one, and ones that misbehave as the real one hardly can.

use std::{fs::File, os::unix::fs::PermissionsExt, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::*;
use crate::{
    evidence::scanner::{self, Scanner, StartError},
    store::evidence::ScanOutcome,
};

fn scanner(program: PathBuf) -> Scanner {
    let config =
        scanner::Config { program, rules: Vec::new(), bytes_max: 1 << 20, deadline: Duration::from_millis(200) };
    Scanner::new(config)
}

fn file(dir: &TempDir, bytes: &[u8]) -> File {
    let path = dir.path().join("evidence");
    std::fs::write(&path, bytes).unwrap();
    File::open(path).unwrap()
}

const HELLO: &str = r#"{"protocol":1,"rules":1,"problems":[],"problems_dropped":0,"jail":[]}"#;

/// A worker that says hello and then does what the shell line says. `say TEXT` answers.
fn misbehaving(dir: &TempDir, hello: &str, then: &str) -> Scanner {
    let path = dir.path().join("worker");
    let say =
        r#"say() { printf "\\000\\000\\$(printf %03o $((${#1} / 256)))\\$(printf %03o $((${#1} % 256)))%s" "$1"; }"#;
    std::fs::write(&path, format!("#!/bin/bash\n{say}\nsay '{hello}'\n{then}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    scanner(path)
}

#[tokio::test]
async fn the_real_worker_is_used_again_and_replaced_when_it_was_killed() {
    let Some(program) = real_scanner() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut scanner = scanner(program);
    let implant = file(&dir, b"BONGSU-DEMO-IMPLANT-v1 /bin/sh");
    let report = scanner.scan(&implant).await.unwrap();
    assert_eq!((report.outcome, report.rules[0].name.as_str()), (ScanOutcome::Matched, "bongsu_demo_implant"));
    let first = scanner.pid().unwrap();
    assert_eq!(scanner.scan(&implant).await.unwrap().outcome, ScanOutcome::Matched);
    assert_eq!(scanner.pid(), Some(first));
    kill(Pid::from_raw(i32::try_from(first).unwrap()), Signal::SIGKILL).unwrap();
    assert_eq!(scanner.scan(&implant).await.unwrap().outcome, ScanOutcome::Matched);
    assert_ne!(scanner.pid(), Some(first));
    let large = file(&dir, &[0; (1 << 20) + 1]);
    assert_eq!(scanner.scan(&large).await.unwrap().outcome, ScanOutcome::TooLarge);
}

#[tokio::test]
async fn a_worker_that_is_late_is_killed_and_the_scan_timed_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut scanner = misbehaving(&dir, HELLO, "exec sleep 1000");
    let report = scanner.scan(&file(&dir, b"x")).await.unwrap();
    assert_eq!(report.outcome, ScanOutcome::TimedOut);
    assert_eq!(scanner.pid(), None);
}

#[tokio::test]
async fn a_worker_that_dies_or_talks_nonsense_is_a_failed_scan() {
    let cases = [
        ("exit 3", "exit status: 3"),
        ("kill -SYS $$", "it made a system call that its jail forbids"),
        ("say nonsense; exec sleep 1000", "no answer"),
        (
            r#"say '{"id":99,"outcome":"no-match","rules":[],"rules_dropped":0,"detail":null,"elapsed_ms":1}'; exec sleep 1000"#,
            "an answer to request 99",
        ),
        (
            r#"say '{"id":1,"outcome":"clean","rules":[],"rules_dropped":0,"detail":null,"elapsed_ms":1}'; exec sleep 1000"#,
            "no answer",
        ),
        (r#"printf '\377\377\377\377'; exec sleep 1000"#, "an answer of 4294967295 bytes"),
    ];
    for (then, why) in cases {
        let dir = tempfile::tempdir().unwrap();
        let report = misbehaving(&dir, HELLO, then).scan(&file(&dir, b"x")).await.unwrap();
        assert_eq!(report.outcome, ScanOutcome::Failed, "{then}");
        assert!(report.detail.as_ref().unwrap().contains(why), "{then}: {report:?}");
    }
}

#[tokio::test]
async fn a_worker_that_cannot_start_is_no_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = file(&dir, b"x");
    let absent = scanner("/nonexistent/scanner".into()).scan(&evidence).await;
    assert!(matches!(absent, Err(StartError::Spawn { .. })), "{absent:?}");
    let other = misbehaving(&dir, &HELLO.replace(r#""protocol":1"#, r#""protocol":2"#), "exec sleep 1000");
    let other = { other }.scan(&evidence).await;
    assert!(matches!(other, Err(StartError::Version { found: 2, .. })), "{other:?}");
    let silent = scanner("/bin/false".into()).scan(&evidence).await;
    assert!(matches!(silent, Err(StartError::Ended { .. })), "{silent:?}");
}
