//! Against a real store and real files; with the real scanner where it is built.

mod judging;
mod lying;
mod room;
mod worker;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bongsu_detection::{Detector, Entity, EvidenceWish, Finding, FindingId};
use bongsu_event::{Activity, Event, EventId, ProcessKey, SensorId, Severity, Timestamp};
use bongsu_proto::v1;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    Config, Evidence, Judge, Room,
    room::{Ask, NotAsked},
};
use crate::intake::EvidencePart;
use crate::store::{
    IncidentNumber, NewBatch, NewEvent, NewIncident, Store, append, commit,
    evidence::{RequestRow, RequestState},
    finding, incident,
};

const AT: Timestamp = Timestamp(1_000);

/// A correlator's evidence room in a directory of its own.
struct House {
    dir: TempDir,
    store: Store,
    evidence: Evidence,
    room: Room,
    judge: Judge,
    asker: Asker,
}

/// Stands for the sessions: who is online, and what was asked.
#[derive(Clone, Default)]
struct Asker {
    online: Arc<Mutex<BTreeSet<SensorId>>>,
    asked: Arc<Mutex<Vec<(SensorId, v1::EvidenceRequest)>>>,
    someone_asked: Arc<Notify>,
}

impl Ask for Asker {
    fn ask(&self, sensor: SensorId, request: v1::EvidenceRequest) -> Result<(), NotAsked> {
        if !self.online.lock().unwrap().contains(&sensor) {
            return Err(NotAsked);
        }
        self.asked.lock().unwrap().push((sensor, request));
        self.someone_asked.notify_one();
        Ok(())
    }
}

impl Asker {
    /// What was asked since the last call.
    fn taken(&self) -> Vec<(SensorId, v1::EvidenceRequest)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn set_online(&self, sensor: SensorId) {
        self.online.lock().unwrap().insert(sensor);
    }
}

impl House {
    async fn new() -> Self {
        Self::with(|config| config).await
    }

    async fn with(change: impl FnOnce(Config) -> Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("bongsu.db")).await.unwrap();
        for number in [1, 2] {
            let secret = [number; 32];
            store.add_join_token(&secret, AT, Timestamp(i64::MAX)).await.unwrap();
            store.enrol(&secret, sensor(number), &[number], b"web-1", AT).await.unwrap();
            let no = store.sensor(sensor(number)).await.unwrap().unwrap().no;
            let mut write = store.write().await.unwrap();
            append(&mut write, &batch(no)).await.unwrap();
            commit(write).await.unwrap();
        }
        let config = change(Config { scanner: "/nonexistent/scanner".into(), ..config(&dir) });
        let (evidence, room, judge) = config.build(store.clone()).unwrap();
        let asker = Asker::default();
        asker.set_online(sensor(1));
        asker.set_online(sensor(2));
        Self { dir, store, evidence, room, judge, asker }
    }

    /// The same after the process ended and started again.
    async fn restarted(self) -> Self {
        let Self { dir, store, evidence, room, judge, asker } = self;
        let program = judge.scanner.program();
        drop((evidence, room, judge));
        store.close().await;
        let store = Store::open(&dir.path().join("bongsu.db")).await.unwrap();
        let (evidence, mut room, judge) = Config { scanner: program, ..config(&dir) }.build(store.clone()).unwrap();
        room.take_up().await;
        Self { dir, store, evidence, room, judge, asker }
    }

    /// Stores a finding as the pipeline does, with an incident of its own.
    async fn store_finding(&self, finding: &Finding) -> IncidentNumber {
        let mut write = self.store.write().await.unwrap();
        let number = incident::next_number(&mut write).await.unwrap();
        finding::insert(&mut write, finding, AT).await.unwrap();
        let new = NewIncident {
            number,
            title: "Something".to_owned(),
            severity: finding.severity,
            score: 50,
            score_parts: Vec::new(),
            first: finding.first,
            last: finding.last,
            joined: vec![finding.id],
        };
        incident::put(&mut write, &new, AT).await.unwrap();
        commit(write).await.unwrap();
        number
    }

    /// A finding of the sensor wishes for the image of a process; the request that went out.
    async fn wish(&mut self, number: u8, pid: u32) -> u64 {
        self.store_finding(&wishing(number, pid)).await;
        self.room.round(&self.asker).await;
        let asked = self.asker.taken();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(asked[0].0, sensor(number));
        asked[0].1.request
    }

    async fn say(&mut self, number: u8, part: EvidencePart) {
        self.room.receive(&self.asker, sensor(number), part).await;
    }

    /// An honest sensor's whole answer.
    async fn upload(&mut self, number: u8, request: u64, bytes: &[u8]) {
        for part in honest(request, bytes) {
            self.say(number, part).await;
        }
    }

    async fn in_state(&self, state: RequestState) -> Vec<RequestRow> {
        self.store.requests_in(state).await.unwrap()
    }

    fn files_in_the_making(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("evidence/.incoming")).unwrap().count()
    }
}

fn config(dir: &TempDir) -> Config {
    Config { scan_deadline: Duration::from_secs(10), ..Config::new(dir.path().join("evidence")) }
}

fn sensor(number: u8) -> SensorId {
    SensorId(Uuid::from_u128(u128::from(number)))
}

fn process(pid: u32) -> ProcessKey {
    ProcessKey { boot: 1, pid, start: 5 }
}

fn batch(sensor: i64) -> NewBatch {
    let event = Event { time: AT, process: None, activity: Activity::Exit { code: 0, signal: 0 } };
    let body = bongsu_proto::convert::to_bytes(&event).unwrap().into();
    let event = NewEvent { seq: 1, time: AT, action: "exit", process: None, body };
    NewBatch { sensor, epoch: 7, first_seq: 1, last_seq: 1, events: vec![event], received_at: AT }
}

fn wishing(number: u8, pid: u32) -> Finding {
    let events = vec![EventId { sensor: sensor(number), epoch: 7, seq: 1 }];
    Finding {
        id: FindingId::new("asks", &pid.to_be_bytes(), &events),
        rule: "asks".to_owned(),
        title: "A program run from memory".to_owned(),
        detector: Detector::Sigma,
        severity: Severity::High,
        confidence: 80,
        techniques: vec!["T1620".to_owned()],
        sensor: sensor(number),
        first: AT,
        last: AT,
        events,
        entities: BTreeSet::from([
            Entity::Process(process(pid)),
            Entity::Ancestor(process(1)),
            Entity::User("www-data".into()),
        ]),
        reasons: vec!["because".to_owned()],
        wants_evidence: Some(EvidenceWish { process: process(pid), path: "/memfd:x".into() }),
    }
}

fn chunk(request: u64, offset: usize, data: &[u8]) -> v1::EvidenceChunk {
    let offset = u64::try_from(offset).unwrap();
    v1::EvidenceChunk { request, offset, data: data.to_vec(), sha256: Sha256::digest(data).to_vec() }
}

fn end(request: u64, bytes: &[u8]) -> v1::EvidenceEnd {
    v1::EvidenceEnd {
        request,
        outcome: v1::evidence_end::Outcome::Complete.into(),
        size: u64::try_from(bytes.len()).unwrap(),
        sha256: Sha256::digest(bytes).to_vec(),
        path: b"/memfd:x (deleted)".to_vec(),
        detail: String::new(),
    }
}

fn honest(request: u64, bytes: &[u8]) -> Vec<EvidencePart> {
    let size = 100_000;
    let mut parts: Vec<EvidencePart> = bytes
        .chunks(size)
        .enumerate()
        .map(|(place, data)| EvidencePart::Chunk(chunk(request, place * size, data)))
        .collect();
    parts.push(EvidencePart::End(end(request, bytes)));
    parts
}

/// The real worker, where it is built: beside these tests, or where `BONGSU_SCANNER` says.
fn real_scanner() -> Option<PathBuf> {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent()?.parent()?;
    let beside = [profile.join("bongsu-scanner"), profile.with_file_name("release").join("bongsu-scanner")];
    let found =
        std::env::var_os("BONGSU_SCANNER").map(PathBuf::from).into_iter().chain(beside).find(|path| path.exists());
    if found.is_none() {
        println!("skipped: bongsu-scanner is not built");
    }
    found
}
