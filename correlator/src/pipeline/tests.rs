//! The shipped rules over a real database, killed at every point where a process can be killed: between two transactions.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bongsu_detection::{Detector, FindingId};
use bongsu_event::{
    Account, Activity, Credentials, Event, EventId, EvidenceId, Exec, Log, LogMeaning, Login, Outcome, Process,
    ProcessKey, SensorId, Severity, Timestamp,
};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::store::{IncidentFilter, NewBatch, NewEvent, append};

const EPOCH: u64 = 1_795_338_672;
const SENSOR: SensorId = SensorId(Uuid::from_u128(1));

struct Host {
    _dir: TempDir,
    store: Store,
    sensor: i64,
    begin: Timestamp,
    next: u64,
}

fn config() -> Config {
    Config { rules_dir: None, anomaly: anomaly::Settings::default() }
}

async fn pipeline(store: &Store) -> Pipeline {
    let rules = LoadedRules::load(None).unwrap();
    assert!(rules.errors.is_empty(), "{:?}", rules.errors);
    Pipeline::resume(store.clone(), rules, &config()).await.unwrap()
}

/// Rounds until there is nothing more to read.
async fn drain(pipeline: &mut Pipeline) {
    while pipeline.round().await.unwrap().0 {}
}

impl Host {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("bongsu.db")).await.unwrap();
        let now = clock::now();
        store.add_join_token(b"secret", now, now.saturating_add(Duration::from_secs(60))).await.unwrap();
        store.enrol(b"secret", SENSOR, b"key", b"web-1", now).await.unwrap();
        let sensor = store.sensor(SENSOR).await.unwrap().unwrap().no;
        Self { _dir: dir, store, sensor, begin: now.saturating_sub(Duration::from_secs(600)), next: 1 }
    }

    /// Stores an event that happened so many seconds after the beginning.
    async fn happens(&mut self, after: u64, process: Option<Process>, activity: Activity) {
        let time = self.begin.saturating_add(Duration::from_secs(after));
        self.store(vec![Event { time, process: process.map(Arc::new), activity }]).await;
    }

    /// Stores events as one batch.
    async fn store(&mut self, events: Vec<Event>) {
        let first_seq = self.next;
        let events: Vec<_> = (first_seq..)
            .zip(&events)
            .map(|(seq, event)| NewEvent {
                seq,
                time: event.time,
                action: bongsu_event::catalogue::Action::of(&event.activity).as_str(),
                process: event.process.as_ref().map(|process| process.key),
                body: bongsu_proto::convert::to_bytes(event).unwrap().into(),
            })
            .collect();
        self.next += events.len() as u64;
        let batch = NewBatch {
            sensor: self.sensor,
            epoch: EPOCH,
            first_seq,
            last_seq: self.next - 1,
            events,
            received_at: self.begin,
        };
        let mut write = self.store.write().await.unwrap();
        append(&mut write, &batch).await.unwrap();
        crate::store::commit(write).await.unwrap();
    }

    /// A program in a temporary directory is started again and again, ten times in a millisecond.
    async fn storm(&mut self, numbers: std::ops::Range<u32>) {
        let event = |number: u32| {
            let mut process = process("/tmp/.x/noop");
            process.key = ProcessKey { boot: 7, pid: 10_000 + number, start: 1_000 + u64::from(number / 100) };
            let time = self.begin.saturating_add(Duration::from_micros(100 * u64::from(number)));
            Event { time, process: Some(Arc::new(process)), activity: Activity::Exec(Exec::default()) }
        };
        let events = numbers.map(event).collect();
        self.store(events).await;
    }

    /// One step of the attack; tells whether there was one.
    async fn attack(&mut self, step: u64) -> bool {
        let login = |outcome| {
            let login = Login {
                outcome,
                user: "deploy".into(),
                source: Some("203.0.113.9".parse().unwrap()),
                source_port: None,
                method: Some("password".into()),
            };
            Activity::Log(Log {
                path: "/var/log/auth.log".into(),
                program: Some("sshd".into()),
                message: "a line".into(),
                meaning: Some(LogMeaning::Login(login)),
            })
        };
        let sudo = Activity::Log(Log {
            path: "/var/log/auth.log".into(),
            program: Some("sudo".into()),
            message: "a line".into(),
            meaning: Some(LogMeaning::Elevation {
                outcome: Outcome::Success,
                user: "deploy".into(),
                target: "root".into(),
                command: Some("/usr/bin/id".into()),
            }),
        });
        match step {
            0..6 => self.happens(step * 5, None, login(Outcome::Failure)).await,
            6 => self.happens(40, None, login(Outcome::Success)).await,
            7 => self.happens(60, None, sudo).await,
            8 => self.happens(70, Some(process("/tmp/.x/miner")), Activity::Exec(Exec::default())).await,
            // Later life on the host, by which earlier events are known to be complete.
            9 => self.happens(200, Some(process("/usr/bin/true")), Activity::Exec(Exec::default())).await,
            _ => return false,
        }
        true
    }

    /// Everything that was found: findings with their incidents.
    async fn story(&self) -> BTreeSet<(String, FindingId, String)> {
        let found = self.store.findings_since(Timestamp(0)).await.unwrap();
        found
            .into_iter()
            .map(|(finding, of)| {
                (finding.rule, finding.id, of.map_or("pending".to_owned(), |number| number.to_string()))
            })
            .collect()
    }
}

fn process(executable: &str) -> Process {
    let account = Account { id: 1000, name: Some("deploy".into()) };
    Process {
        key: ProcessKey { boot: 7, pid: 4242, start: 100 },
        pid: 4242,
        start: Timestamp(1),
        comm: "x".into(),
        executable: executable.into(),
        args: vec![executable.into()],
        args_cut: false,
        cwd: "/".into(),
        credentials: Credentials { real: account.clone(), effective: account, ..Credentials::default() },
        container: None,
        context: bongsu_event::Context::default(),
        ancestors: [].into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_event_it_finds_the_same_once() {
    let mut whole = Host::new().await;
    let begin = whole.begin;
    let mut running = pipeline(&whole.store).await;
    let mut steps = 0;
    while whole.attack(steps).await {
        drain(&mut running).await;
        steps += 1;
    }
    let expected = whole.story().await;
    let rules: Vec<_> = expected.iter().map(|(rule, ..)| rule.as_str()).collect();
    let detectors: BTreeSet<_> =
        whole.store.findings_since(Timestamp(0)).await.unwrap().iter().map(|(finding, _)| finding.detector).collect();
    assert!(detectors.is_superset(&[Detector::Sigma, Detector::Sequence].into()), "{rules:?}");
    let incidents = whole.store.incidents(&IncidentFilter::default()).await.unwrap();
    assert_eq!(incidents.len(), 1, "{expected:?}");
    assert!(incidents[0].severity >= Severity::High && !incidents[0].title.is_empty(), "{incidents:?}");

    for killed_after in 0..steps {
        let mut host = Host { begin, ..Host::new().await };
        let mut running = pipeline(&host.store).await;
        for step in 0..steps {
            host.attack(step).await;
            if step == killed_after {
                // Events are stored, nothing of them is read yet; what the engines knew is lost.
                running = pipeline(&host.store).await;
            }
            drain(&mut running).await;
            if step == killed_after {
                running = pipeline(&host.store).await;
            }
        }
        drop(running);
        // After the end as well: a start with nothing new finds nothing new.
        drain(&mut pipeline(&host.store).await).await;
        assert_eq!(host.story().await, expected, "killed after step {killed_after}");
        let row = &host.store.incidents(&IncidentFilter::default()).await.unwrap()[0];
        assert_eq!(
            (row.score, &row.title, row.finding_count),
            (incidents[0].score, &incidents[0].title, incidents[0].finding_count)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_findings_is_a_short_incident_that_counts_each_once() {
    const STORM: u32 = 5_000;
    let mut host = Host::new().await;
    let mut running = pipeline(&host.store).await;
    host.storm(0..STORM / 2).await;
    drain(&mut running).await;
    // Killed: what the engines knew is lost, and found again from the stored events.
    let mut running = pipeline(&host.store).await;
    host.storm(STORM / 2..STORM).await;
    drain(&mut running).await;
    drain(&mut pipeline(&host.store).await).await;

    let incidents = host.store.incidents(&IncidentFilter::default()).await.unwrap();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let kept = host.store.findings_of(incidents[0].number).await.unwrap();
    let of_rule = || kept.iter().filter(|kept| kept.finding.title.contains("directory for temporary files"));
    let counted: u64 = of_rule().map(|kept| 1 + kept.repeats).sum();
    assert_eq!(counted, u64::from(STORM));
    assert_eq!(of_rule().count(), 16, "the rest says nothing new");
    assert!(incidents[0].finding_count >= u64::from(STORM));
    let last = host.begin.saturating_add(Duration::from_micros(100 * u64::from(STORM - 1)));
    assert_eq!(incidents[0].last, last, "it lasts as long as its repetitions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_handed_in_joins_the_incident_of_its_host_once() {
    let mut host = Host::new().await;
    let mut running = pipeline(&host.store).await;
    for step in 0..10 {
        host.attack(step).await;
    }
    drain(&mut running).await;
    let before = host.store.incidents(&IncidentFilter::default()).await.unwrap().remove(0);
    let event = EventId { sensor: SENSOR, epoch: EPOCH, seq: 9 };
    let yara = Finding {
        id: FindingId::new("yara.rule", b"", &[event]),
        rule: "yara.rule".to_owned(),
        title: "A miner".to_owned(),
        detector: Detector::Yara,
        severity: Severity::High,
        confidence: 90,
        techniques: Vec::new(),
        sensor: SENSOR,
        first: host.begin.saturating_add(Duration::from_secs(70)),
        last: host.begin.saturating_add(Duration::from_secs(70)),
        events: vec![event],
        entities: BTreeSet::from([
            bongsu_detection::Entity::Evidence(EvidenceId([1; 32])),
            bongsu_detection::Entity::Process(process("").key),
        ]),
        reasons: Vec::new(),
        wants_evidence: None,
    };
    let (submit, submitted) = mpsc::channel(1);
    let (_commits, committed) = watch::channel(0);
    let (changed, mut changes) = watch::channel(0);
    let stop = CancellationToken::new();
    let task = tokio::spawn(running.run(Deps { committed, submitted, changed }, stop.clone()));
    submit.send(yara.clone()).await.unwrap();
    submit.send(yara.clone()).await.unwrap();
    changes.changed().await.unwrap();
    // Taken from the queue only after the first one was dealt with.
    submit.send(yara.clone()).await.unwrap();
    stop.cancel();
    task.await.unwrap().unwrap();
    assert_eq!(*changes.borrow(), 1, "the second time changes nothing");
    let after = host.store.incidents(&IncidentFilter::default()).await.unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].finding_count, after[0].revision), (before.finding_count + 1, before.revision + 1));
    assert!(after[0].score > before.score);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_becomes_one_finding_and_is_settled() {
    let mut host = Host::new().await;
    host.attack(8).await;
    host.store.complain_of_reuse(host.sensor, EPOCH, 1, clock::now(), "number 1 came twice").await.unwrap();
    drain(&mut pipeline(&host.store).await).await;
    assert!(host.store.complaints(10).await.unwrap().is_empty());
    host.store.complain_of_reuse(host.sensor, EPOCH, 1, clock::now(), "number 1 came twice").await.unwrap();
    drain(&mut pipeline(&host.store).await).await;
    assert!(host.store.complaints(10).await.unwrap().is_empty());
    let found = host.store.findings_since(Timestamp(0)).await.unwrap();
    let integrity: Vec<_> = found.iter().filter(|(finding, _)| finding.detector == Detector::Integrity).collect();
    assert_eq!(integrity.len(), 1);
    assert_eq!(integrity[0].0.reasons, ["number 1 came twice"]);
    assert!(integrity[0].1.is_some(), "it is grave enough for an incident");
}
