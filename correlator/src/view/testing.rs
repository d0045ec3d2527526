//! Events and findings for the tests of this room and of those that show what it makes.

use std::{collections::BTreeSet, sync::Arc};

use bongsu_detection::{Detector, Finding, FindingId};
use bongsu_event::{
    Account, Activity, Ancestor, Credentials, Event, EventId, Exec, Log, LogMeaning, Login, Outcome, Process,
    ProcessKey, SensorId, Severity, StoredEvent, Timestamp,
};
use bstr::BString;
use uuid::Uuid;

use crate::store::finding::KeptFinding;

/// 2026-11-22T09:00:00Z.
const MORNING: i64 = 1_795_338_000_000_000_000;

pub(crate) fn key(pid: u32) -> ProcessKey {
    ProcessKey { boot: 0xb007, pid, start: u64::from(pid) * 100 }
}

pub(crate) fn account(id: u32, name: &str) -> Account {
    Account { id, name: Some(name.into()) }
}

pub(crate) fn process(pid: u32, executable: &str, args: &[&str]) -> Process {
    let user = account(33, "www-data");
    Process {
        key: key(pid),
        pid,
        start: Timestamp(MORNING),
        comm: executable.rsplit('/').next().unwrap_or_default().into(),
        executable: executable.into(),
        args: args.iter().map(|arg| BString::from(*arg)).collect(),
        args_cut: false,
        cwd: "/".into(),
        credentials: Credentials { real: user.clone(), effective: user, gid: 33, egid: 33, login: None },
        container: None,
        context: bongsu_event::Context::default(),
        ancestors: [].into(),
    }
}

pub(crate) fn ancestor(pid: u32, executable: &str) -> Ancestor {
    Ancestor {
        key: key(pid),
        pid,
        comm: "comm".into(),
        executable: executable.into(),
        args: Vec::new(),
        user: account(0, "root"),
    }
}

pub(crate) fn acts(process: Process, activity: Activity) -> Event {
    Event { time: Timestamp(0), process: Some(Arc::new(process)), activity }
}

/// A shell under nginx.
pub(crate) fn exec(executable: &str) -> Event {
    let mut shell = process(813, executable, &["sh", "-c", "id"]);
    shell.ancestors = [ancestor(812, "/usr/sbin/nginx"), ancestor(1, "/usr/lib/systemd/systemd")].into();
    acts(shell, Activity::Exec(Exec::default()))
}

/// A failed login from 203.0.113.7.
pub(crate) fn login(user: &str) -> Event {
    let login = Login {
        outcome: Outcome::Failure,
        user: user.into(),
        source: Some([203, 0, 113, 7].into()),
        source_port: Some(50_022),
        method: Some("password".into()),
    };
    let message = format!("Failed password for {user} from 203.0.113.7 port 50022 ssh2");
    let meaning = Some(LogMeaning::Login(login));
    let log = Log { path: "/var/log/auth.log".into(), program: Some("sshd".into()), message: message.into(), meaning };
    Event { time: Timestamp(0), process: None, activity: Activity::Log(log) }
}

pub(crate) const SENSOR: SensorId = SensorId(Uuid::from_u128(0x5e45_0000_0000_4000_8000_0000_0000_0001));

/// The event as number `seq` of one sensor, so many seconds after nine in the morning.
pub(crate) fn stored(seq: u64, seconds: i64, mut event: Event) -> StoredEvent {
    event.time = Timestamp(MORNING + seconds * 1_000_000_000);
    StoredEvent { id: EventId { sensor: SENSOR, epoch: 1_795_330_000, seq }, host: Arc::new("web-1".into()), event }
}

pub(crate) fn finding(rule: &str, events: &[StoredEvent]) -> Finding {
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    Finding {
        id: FindingId::new(rule, b"", &ids),
        rule: rule.to_owned(),
        title: format!("The {rule} rule"),
        detector: Detector::Sigma,
        severity: Severity::High,
        confidence: 80,
        techniques: vec!["T1059.004".to_owned()],
        sensor: SENSOR,
        first: events.iter().map(|event| event.event.time).min().unwrap_or_default(),
        last: events.iter().map(|event| event.event.time).max().unwrap_or_default(),
        events: ids,
        entities: BTreeSet::new(),
        reasons: vec!["Image ends with /sh".to_owned()],
        wants_evidence: None,
    }
}

pub(crate) fn kept(finding: Finding) -> KeptFinding {
    KeptFinding { finding, repeats: 0, repeated_until: None }
}
