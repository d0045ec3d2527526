//! The sequence engine against an oracle, and against the errors measured in other engines.

mod bounds;
mod oracle;
mod story;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bongsu_event::{
    Activity, Event, EventId, Log, LogMeaning, Login, Outcome, SensorId, Severity, StoredEvent, Timestamp,
    catalogue::FieldId,
};
use uuid::Uuid;

use super::{Limits, RuleIndex, Scope, SequenceRule, Sequences, Step};
use crate::Finding;

/// Rule numbers of the example.
const FAILED: RuleIndex = RuleIndex(0);
const SUCCESS: RuleIndex = RuleIndex(1);
const PRIVILEGE: RuleIndex = RuleIndex(2);

const MINUTE: i64 = 60_000;

fn sensor(number: u8) -> SensorId {
    SensorId(Uuid::from_u128(number.into()))
}

/// A login attempt of `user` on a host at a time in milliseconds. What it counts as is up to the test.
fn event(host: u8, seq: u64, time_ms: i64, user: &str) -> StoredEvent {
    let login = Login {
        outcome: Outcome::Failure,
        user: user.into(),
        source: Some([198, 51, 100, 7].into()),
        source_port: None,
        method: None,
    };
    let log = Log {
        path: "/var/log/auth.log".into(),
        program: None,
        message: "a line".into(),
        meaning: Some(LogMeaning::Login(login)),
    };
    StoredEvent {
        id: EventId { sensor: sensor(host), epoch: 1, seq },
        host: Arc::new(format!("host{host}").into()),
        event: Event { time: Timestamp(time_ms * 1_000_000), process: None, activity: Activity::Log(log) },
    }
}

fn step(rule: RuleIndex, count: u32, within: Option<Duration>, key: &[&str]) -> Step {
    Step {
        rules: vec![rule],
        label: ["failed_login", "login_success", "privilege_change"]
            .get(rule.0 as usize)
            .unwrap_or(&"other")
            .to_string(),
        count: NonZeroU32::new(count).unwrap(),
        within,
        key: key.iter().map(|name| FieldId::by_name(name).unwrap()).collect(),
    }
}

fn rule(scope: Scope, steps: Vec<Step>) -> SequenceRule {
    SequenceRule {
        id: "brute-force-then-root".into(),
        title: "Brute force, login, root".into(),
        severity: Severity::High,
        confidence: 90,
        techniques: vec!["T1110.001".into()],
        scope,
        steps,
    }
}

/// The sequence of the issue.
fn example(scope: Scope) -> SequenceRule {
    let minutes = |minutes| Some(Duration::from_mins(minutes));
    rule(
        scope,
        vec![
            step(FAILED, 5, minutes(10), &["user.name"]),
            step(SUCCESS, 1, minutes(5), &["user.name"]),
            step(PRIVILEGE, 1, minutes(30), &["user.name"]),
        ],
    )
}

fn engine(rule: SequenceRule) -> Sequences {
    Sequences::new(vec![rule], Limits::default()).unwrap()
}

/// The sequence numbers of each finding's events.
fn numbers(findings: &[Finding]) -> Vec<Vec<u64>> {
    findings.iter().map(|finding| finding.events.iter().map(|id| id.seq).collect()).collect()
}

/// A time in milliseconds, a user, and the rules that match.
type Fed<'a> = (i64, &'a str, &'a [RuleIndex]);

/// Feeds events in this order, numbered from 1, all on one host, and gives the findings' sequence numbers.
fn check(rule: SequenceRule, events: &[Fed]) -> Vec<Vec<u64>> {
    let mut engine = engine(rule);
    let mut out = Vec::new();
    for (seq, (time, user, matched)) in (1..).zip(events) {
        engine.observe(&event(1, seq, *time, user), matched, &mut out);
    }
    engine.flush(&mut out);
    numbers(&out)
}
