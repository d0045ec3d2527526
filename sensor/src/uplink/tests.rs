mod server;

use std::{error::Error, fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use bongsu_event::{Activity, Event, Log, Timestamp};
use bongsu_proto::{
    convert,
    join_token::JoinToken,
    v1::{self, correlator_message::Body as Said, evidence_end::Outcome},
};
use sha2::{Digest as _, Sha256};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Config, Uplink, session};
use crate::{
    health::Health,
    identity::{Identity, enrol, tls},
    kernel::Kernel,
    probe::{Hook, SILENT},
    spool::{self, Spool, owner},
};
use server::{Authority, Manner, Seen, Server};

fn event(number: u64) -> Event {
    let message = format!("line {number} {}", "x".repeat(300)).into();
    let log = Log { path: "/l".into(), program: None, message, meaning: None };
    Event { time: Timestamp(1), process: None, activity: Activity::Log(log) }
}

struct Sensor {
    spool: owner::Handle,
    stop: CancellationToken,
    uplink: JoinHandle<Result<(), owner::Closed>>,
    spool_thread: JoinHandle<Result<(), spool::SpoolError>>,
}

fn open_spool(dir: &Path) -> (owner::Handle, JoinHandle<Result<(), spool::SpoolError>>) {
    let config = spool::Config { dir: dir.to_owned(), bytes_max: 1 << 26, segment_bytes: 1 << 18 };
    let (handle, owner) = owner::own(Spool::open(config).unwrap());
    (handle, tokio::task::spawn_blocking(move || owner.run()))
}

fn uplink(identity: &Identity, server: &Server, spool: owner::Handle, kernel: Kernel) -> Uplink {
    Uplink {
        config: Config {
            addresses: vec![server.address.to_string()],
            tls: tls::session(identity).unwrap(),
            host_name: b"host".to_vec(),
            kernel_release: "6.18".to_owned(),
            log_paths: vec![b"/l".to_vec()],
            ledger_every: Duration::from_millis(100),
            backoff: (Duration::from_millis(5), Duration::from_millis(20)),
            drain_max: Duration::from_secs(10),
        },
        spool,
        kernel: Arc::new(kernel),
        health: Arc::new(Health::default()),
    }
}

impl Sensor {
    fn start(dir: &Path, identity: &Identity, server: &Server) -> Self {
        Self::start_with(dir, identity, server, Kernel::without_probes())
    }

    fn start_with(dir: &Path, identity: &Identity, server: &Server, kernel: Kernel) -> Self {
        let (spool, spool_thread) = open_spool(dir);
        let stop = CancellationToken::new();
        let uplink = tokio::spawn(uplink(identity, server, spool.clone(), kernel).run(stop.clone()));
        Self { spool, stop, uplink, spool_thread }
    }

    async fn append(&self, from: u64, to: u64) {
        for first in (from..=to).step_by(500) {
            let last = to.min(first + 499);
            self.spool.append((first..=last).map(event).collect(), Vec::new()).await.unwrap();
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.uplink.await.unwrap().unwrap();
        drop(self.spool);
        self.spool_thread.await.unwrap().unwrap();
    }
}

fn check_stored(seen: &Seen, last: u64) {
    assert_eq!(seen.stored.len() as u64, last);
    for (seq, bytes) in &seen.stored {
        assert_eq!(convert::from_bytes(bytes).unwrap(), event(*seq));
    }
}

fn balances(ledger: &v1::Ledger, seen: &Seen) -> bool {
    let shed: u64 = ledger.shed.iter().map(|shed| shed.count).sum();
    ledger.last_seq == seen.stored.len() as u64 + ledger.spooled + shed
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_in_order_once_and_the_spool_is_freed() {
    let authority = Arc::new(Authority::new("ours"));
    let server = Server::ingest(&authority, Manner::Honest).await;
    let dir = tempfile::tempdir().unwrap();
    let sensor = Sensor::start(dir.path(), &authority.identity(&authority), &server);
    sensor.append(1, 7_000).await;
    let seen = server.until("all acked", |seen| seen.ledgers.last().is_some_and(|ledger| ledger.acked == 7_000)).await;
    check_stored(&seen, 7_000);
    assert_eq!(seen.hellos[0].log_paths, [b"/l"]);
    sensor.stop().await;
    let seen = server.until("the last ledger", |seen| seen.sessions_ended == 1).await;
    let last = seen.ledgers.last().unwrap();
    assert!(balances(last, &seen) && last.spooled == 0, "{last:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "acknowledged segments are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_break_lose_nothing_and_double_nothing() {
    let authority = Arc::new(Authority::new("ours"));
    let server = Server::ingest(&authority, Manner::BreakAfter(2)).await;
    let dir = tempfile::tempdir().unwrap();
    let identity = authority.identity(&authority);
    let sensor = Sensor::start(dir.path(), &identity, &server);
    sensor.append(1, 20_000).await;
    let seen = server.until("all stored", |seen| seen.up_to == 20_000).await;
    check_stored(&seen, 20_000);
    assert!(seen.hellos.len() > 2 && seen.hellos.iter().all(|hello| hello.epoch == seen.hellos[0].epoch));
    // The sensor dies without a word; its next life goes on in the same epoch.
    sensor.uplink.abort();
    drop(sensor.spool);
    sensor.spool_thread.await.unwrap().unwrap();
    let sensor = Sensor::start(dir.path(), &identity, &server);
    sensor.append(20_001, 21_000).await;
    let seen = server.until("the rest", |seen| seen.up_to == 21_000).await;
    check_stored(&seen, 21_000);
    sensor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered_with_the_ledger_and_a_pong() {
    let authority = Arc::new(Authority::new("ours"));
    let server = Server::ingest(&authority, Manner::Honest).await;
    let dir = tempfile::tempdir().unwrap();
    let sensor = Sensor::start(dir.path(), &authority.identity(&authority), &server);
    sensor.append(1, 10).await;
    server.until("stored", |seen| seen.up_to == 10).await;
    server.say(Said::Ping(v1::Ping { nonce: 77 }));
    let seen = server.until("pong", |seen| seen.pongs == [77]).await;
    assert!(balances(seen.ledgers.last().unwrap(), &seen));
    sensor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_falls_silent_is_told_at_once_and_in_the_same_session() {
    let authority = Arc::new(Authority::new("ours"));
    let server = Server::ingest(&authority, Manner::Honest).await;
    let dir = tempfile::tempdir().unwrap();
    let hook = |rung: &str| Hook {
        name: "exec".to_owned(),
        rung: rung.to_owned(),
        // More than a correlator takes.
        detail: "why not ".repeat(1_000),
        programs: vec!["exec"],
        points: vec!["sched_process_exec"],
    };
    let (hooks, standing) = watch::channel(vec![hook("raw_tracepoint:sched_process_exec")]);
    let sensor = Sensor::start_with(dir.path(), &authority.identity(&authority), &server, Kernel::standing(standing));
    let seen = server.until("the first ledger", |seen| !seen.ledgers.is_empty()).await;
    let greeted = &seen.hellos[0].hooks[0];
    assert_eq!(
        (greeted.name.as_str(), greeted.rung.as_str(), greeted.programs[0].name.as_str()),
        ("exec", "raw_tracepoint:sched_process_exec", "exec")
    );
    let detail = &greeted.detail;
    assert!(
        detail.len() <= bongsu_proto::limits::SELF_TEXT_BYTES_MAX && detail.ends_with("..."),
        "{} bytes",
        detail.len()
    );
    hooks.send_replace(vec![hook(SILENT)]);
    let seen = server.until("the silent hook", |seen| !seen.hooks.is_empty()).await;
    assert_eq!(seen.hooks[0].hooks[0].rung, SILENT);
    assert_eq!((seen.hellos.len(), seen.sessions_ended), (1, 0));
    sensor.stop().await;
}

/// The words of an error and of all its causes.
fn words(error: &dyn Error) -> String {
    let (mut words, mut cause) = (String::new(), Some(error));
    while let Some(error) = cause {
        words.push_str(&format!("{error}: "));
        cause = error.source();
    }
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sensor_says_why() {
    let (authority, other) = (Arc::new(Authority::new("ours")), Authority::new("theirs"));
    let honest = Server::ingest(&authority, Manner::Honest).await;
    let refusing = Server::ingest(&authority, Manner::Refuse).await;
    let excessive = Server::ingest(&authority, Manner::AckTooMuch).await;
    let ours = authority.identity(&authority);
    let cases = [
        // The sensor's certificate is another authority's.
        (other.identity(&authority), &honest, "UnknownCA"),
        // The correlator's certificate is another authority's.
        (authority.identity(&other), &honest, "UnknownIssuer"),
        (ours.clone(), &refusing, "sensor 7 was revoked on Tuesday"),
        (ours, &excessive, "acknowledges number"),
    ];
    for (identity, server, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (spool, thread) = open_spool(dir.path());
        spool.append(vec![event(1)], Vec::new()).await.unwrap();
        let uplink = uplink(&identity, server, spool, Kernel::without_probes());
        let error = session::run(&uplink, &server.address.to_string(), &CancellationToken::new()).await.unwrap_err();
        assert!(words(&error).contains(expected), "{} should say {expected}", words(&error));
        assert_eq!(uplink.spool.account().await.unwrap().spooled, 1, "nothing is freed");
        drop(uplink);
        thread.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensor_without_a_certificate_says_that_one_is_required() {
    let authority = Arc::new(Authority::new("ours"));
    let server = Server::ingest(&authority, Manner::Honest).await;
    let dir = tempfile::tempdir().unwrap();
    let (spool, thread) = open_spool(dir.path());
    let mut uplink = uplink(&authority.identity(&authority), &server, spool, Kernel::without_probes());
    uplink.config.tls = tls::enrolment(authority.sha256()).unwrap();
    let error = session::run(&uplink, &server.address.to_string(), &CancellationToken::new()).await.unwrap_err();
    assert!(words(&error).contains("CertificateRequired"), "{}", words(&error));
    drop(uplink);
    thread.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_comes_in_hashed_chunks_beside_the_events() {
    let authority = Arc::new(Authority::new("ours"));
    let server = Server::ingest(&authority, Manner::Honest).await;
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    let content: Vec<u8> = (0..700_000_u32).map(|at| at.to_le_bytes()[at as usize % 2]).collect();
    fs::write(&program, &content).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "not a program").unwrap();

    let sensor = Sensor::start(&dir.path().join("spool"), &authority.identity(&authority), &server);
    server.until("a session", |seen| !seen.ledgers.is_empty()).await;
    let ask = |request, path: &Path, bytes_max| {
        let path = path.as_os_str().as_encoded_bytes().to_vec();
        let process = Some(v1::ProcessKey { boot: 1, pid: 1, start: 1 });
        server.say(Said::EvidenceRequest(v1::EvidenceRequest { request, process, path, bytes_max }));
    };
    ask(1, &program, 1 << 20);
    ask(2, &program, 1_000);
    ask(3, &secret, 1 << 20);
    ask(4, &dir.path().join("nothing"), 1 << 20);
    ask(5, Path::new("relative"), 1 << 20);
    sensor.append(1, 3_000).await;
    let seen = server.until("all answers", |seen| seen.ends.len() == 5 && seen.up_to == 3_000).await;

    let outcomes: Vec<(u64, Outcome)> = seen.ends.iter().map(|end| (end.request, end.outcome())).collect();
    let expected =
        [(1, Outcome::Complete), (2, Outcome::TooLarge), (3, Outcome::Gone), (4, Outcome::Gone), (5, Outcome::Gone)];
    assert_eq!(outcomes, expected);
    let mut whole = Vec::new();
    for chunk in &seen.chunks {
        assert_eq!((chunk.request, chunk.offset), (1, whole.len() as u64));
        assert_eq!(Sha256::digest(&chunk.data)[..], chunk.sha256);
        whole.extend_from_slice(&chunk.data);
    }
    let end = &seen.ends[0];
    assert!(whole == content && end.size == content.len() as u64);
    assert_eq!(Sha256::digest(&content)[..], end.sha256);
    assert_eq!(end.path, program.as_os_str().as_encoded_bytes());
    assert!(end.detail.contains("opened by path"), "{}", end.detail);
    sensor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_makes_an_identity_and_a_refusal_is_told() {
    let authority = Arc::new(Authority::new("ours"));
    let server = Server::enrolment(&authority, Manner::Honest).await;
    let addresses = vec![server.address.to_string()];
    let token = JoinToken { addresses, authority_sha256: authority.sha256(), secret: [5; 32] };
    let identity = enrol::enrol(&token, b"host".to_vec()).await.unwrap();
    assert_eq!(identity.addresses, ["127.0.0.1:7444"]);
    tls::session(&identity).unwrap();

    let spent = JoinToken { secret: [6; 32], ..token.clone() };
    let error = enrol::enrol(&spent, Vec::new()).await.err().unwrap();
    assert!(error.to_string().contains("the join token is spent"), "{error}");
    // Somebody else answers at the address: the secret is not shown to them.
    let elsewhere = JoinToken { authority_sha256: [0; 32], ..token };
    let error = enrol::enrol(&elsewhere, Vec::new()).await.err().unwrap();
    assert!(words(&error).contains("UnknownIssuer"), "{}", words(&error));
}
