//! A correlator's API and pages on a loopback port, over a real store with an incident in it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bongsu_api::ScorePart;
use bongsu_event::{EvidenceId, Severity, StoredEvent, Timestamp};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Desk, Joining};
use crate::{
    clock, evidence,
    store::{
        ApiTokenKind, HookRow, IncidentNumber, NewBatch, NewEvent, NewIncident, SensorSelf, Store, append, commit,
        evidence::{self as stored_evidence, NewEvidence},
        finding as stored_finding, incident as stored_incident,
    },
    view::{
        Presence,
        testing::{SENSOR, exec, finding, key, login, stored},
    },
    web,
};

pub(crate) const TOKEN: &str = "test-token";
pub(crate) const ADMIN_LINK: &str = "test-admin-link";
/// What the sensor calls its host. Not a nice name.
pub(crate) const HOST: &str = "<b>web\u{202e}-1\u{1b}[31m";

/// The bytes of the one piece of evidence.
pub(crate) const EVIDENCE: &[u8] = b"\x7fELF and so on";

/// The running server. Dropped, it stops.
pub(crate) struct Site {
    pub(crate) desk: Desk,
    pub(crate) evidence: EvidenceId,
    url: String,
    client: Client,
    dir: TempDir,
    _stop: DropGuard,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("bongsu.db")).await.unwrap();
        let now = clock::now();
        store.add_api_token(TOKEN.as_bytes(), ApiTokenKind::Api, "tester", now, None).await.unwrap();
        store.add_api_token(ADMIN_LINK.as_bytes(), ApiTokenKind::AdminLink, "admin", now, None).await.unwrap();
        fill(&store).await;
        let id = EvidenceId(Sha256::digest(EVIDENCE).into());
        let folder = dir.path().join("evidence");
        let (evidence, _room, _judge) = evidence::Config::new(folder).build(store.clone()).unwrap();
        keep_evidence(&store, dir.path(), id).await;
        let joining = Joining { addresses: vec!["192.0.2.1:8702".into()], authority_sha256: [7; 32] };
        let presence = Arc::new(|_| Presence::Online);
        let desk = Desk { store, presence, joining: Arc::new(joining), evidence, https: false };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(web::serve(listener, desk.clone(), stop.clone()));
        // The provider may be there already, from another test of this process.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { desk, evidence: id, url, client, dir, _stop: stop.drop_guard() }
    }

    /// As a failing disk, or a person who should not, would.
    pub(crate) fn change_a_byte_of_the_evidence(&self) {
        let path = evidence_path(self.dir.path(), self.evidence);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    /// A request without any token.
    pub(crate) fn bare(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A GET of the API with the token.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.bare(reqwest::Method::GET, &format!("/api/v1{path}")).bearer_auth(TOKEN).send().await.unwrap()
    }
}

fn evidence_path(dir: &Path, id: EvidenceId) -> PathBuf {
    let name = id.to_string();
    dir.join("evidence").join(&name[..2]).join(&name[2..])
}

async fn keep_evidence(store: &Store, dir: &Path, id: EvidenceId) {
    let path = evidence_path(dir, id);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, EVIDENCE).unwrap();
    let at = Timestamp(5);
    let size = EVIDENCE.len() as u64;
    let new = NewEvidence { id, size, sensor: SENSOR, path: "/tmp/\u{1b}[2Jx".into(), process: key(813) };
    let mut write = store.write().await.unwrap();
    stored_evidence::put(&mut write, &new, at).await.unwrap();
    commit(write).await.unwrap();
}

/// One sensor, a failed login and a shell under nginx, a finding about the shell, an incident.
async fn fill(store: &Store) {
    let at = Timestamp(1);
    store.add_join_token(b"secret", at, Timestamp(2)).await.unwrap();
    store.enrol(b"secret", SENSOR, b"key", HOST.as_bytes(), at).await.unwrap();
    let row = store.sensor(SENSOR).await.unwrap().unwrap();
    let hook =
        HookRow { name: "connect".into(), rung: "none".into(), detail: "kernel too old".into(), programs: Vec::new() };
    let says = SensorSelf { host: HOST.into(), version: "0.1.0".into(), kernel: "6.1".into(), hooks: vec![hook] };
    store.describe_sensor(row.no, &says, at).await.unwrap();
    let events = [stored(1, 1, login("backup<script>")), stored(2, 2, exec("/bin/sh"))];
    let mut write = store.write().await.unwrap();
    let batch = NewBatch {
        sensor: row.no,
        epoch: events[0].id.epoch,
        first_seq: 1,
        last_seq: 2,
        events: events.iter().map(new_event).collect(),
        received_at: at,
    };
    append(&mut write, &batch).await.unwrap();
    let finding = finding("shell_under_web_server", &events);
    stored_finding::insert(&mut write, &finding, at).await.unwrap();
    let incident = NewIncident {
        number: IncidentNumber(1),
        title: format!("A shell under nginx on {HOST}"),
        severity: Severity::High,
        score: 61,
        score_parts: vec![ScorePart { reason: "the worst finding is high".into(), points: 61 }],
        first: finding.first,
        last: finding.last,
        joined: vec![finding.id],
    };
    stored_incident::put(&mut write, &incident, at).await.unwrap();
    commit(write).await.unwrap();
}

fn new_event(event: &StoredEvent) -> NewEvent {
    NewEvent {
        seq: event.id.seq,
        time: event.event.time,
        action: bongsu_event::catalogue::Action::of(&event.event.activity).as_str(),
        process: event.event.process.as_ref().map(|process| process.key),
        body: bongsu_proto::convert::to_bytes(&event.event).unwrap().into(),
    }
}
