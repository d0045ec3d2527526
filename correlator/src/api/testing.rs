//! A correlator's API and pages on a loopback port, over a real store with an incident in it.

use std::sync::Arc;

use bongsu_api::ScorePart;
use bongsu_event::{Severity, StoredEvent, Timestamp};
use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Desk, Joining};
use crate::{
    clock,
    store::{
        ApiTokenKind, HookRow, IncidentNumber, NewBatch, NewEvent, NewIncident, SensorSelf, Store, append, commit,
        finding as stored_finding, incident as stored_incident,
    },
    view::{
        Presence,
        testing::{SENSOR, exec, finding, login, stored},
    },
    web,
};

pub(crate) const TOKEN: &str = "test-token";
pub(crate) const ADMIN_LINK: &str = "test-admin-link";
/// What the sensor calls its host. Not a nice name.
pub(crate) const HOST: &str = "<b>web\u{202e}-1\u{1b}[31m";

/// The running server. Dropped, it stops.
pub(crate) struct Site {
    pub(crate) desk: Desk,
    url: String,
    client: Client,
    _dir: TempDir,
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
        let joining = Joining { addresses: vec!["192.0.2.1:8702".into()], authority_sha256: [7; 32] };
        let presence = Arc::new(|_| Presence::Online);
        let desk = Desk { store, presence, joining: Arc::new(joining), https: false };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(web::serve(listener, desk.clone(), stop.clone()));
        // The provider may be there already, from another test of this process.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { desk, url, client, _dir: dir, _stop: stop.drop_guard() }
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

/// One sensor, a failed login and a shell under nginx, a finding about the shell, an incident.
async fn fill(store: &Store) {
    let at = Timestamp(1);
    store.add_join_token(b"secret", at, Timestamp(2)).await.unwrap();
    store.enrol(b"secret", SENSOR, b"key", HOST.as_bytes(), at).await.unwrap();
    let row = store.sensor(SENSOR).await.unwrap().unwrap();
    let hook = HookRow { name: "connect".into(), rung: "none".into(), detail: "kernel too old".into() };
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
        action: bongsu_event::catalogue::action(&event.event.activity),
        process: event.event.process.as_ref().map(|process| process.key),
        body: bongsu_proto::convert::to_bytes(&event.event).unwrap().into(),
    }
}
