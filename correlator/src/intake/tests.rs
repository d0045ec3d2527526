//! Real TLS, real gRPC, a real database; the sensor's side is a plain tonic client.

use std::{sync::Arc, time::Duration};

use bongsu_event::{Activity, Event, FileActivity, FileOperation, SensorId, Timestamp};
use bongsu_proto::{
    batch, convert,
    v1::{
        self, EnrolRequest, SensorMessage, correlator_message::Body as Down, enrolment_client::EnrolmentClient,
        ingest_client::IngestClient, sensor_message::Body as Up,
    },
};
use rcgen::KeyPair;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    version::TLS13,
};
use tempfile::TempDir;
use tokio::{net::TcpStream, sync::broadcast, task::JoinHandle, time::timeout};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming, transport::Channel};
use uuid::Uuid;

use super::*;
use crate::{
    authority::SensorKey,
    store::{EventRange, HookRow, ProgramRow},
};

const EPOCH: u64 = 1_795_338_672;
const PATIENCE: Duration = Duration::from_secs(20);

struct House {
    dir: TempDir,
    store: Store,
    authority: Arc<Authority>,
    sessions: Sessions,
    ingest: SocketAddr,
    enrolment: SocketAddr,
    evidence: mpsc::Receiver<(SensorId, EvidencePart)>,
    stop: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
}

async fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("bongsu.db")).await.unwrap();
    let authority = Arc::new(Authority::open(dir.path(), clock::now()).unwrap());
    let sessions = Sessions::new();
    let (parts, evidence) = mpsc::channel(4);
    let deps = Deps {
        store: store.clone(),
        authority: Arc::clone(&authority),
        names: vec!["127.0.0.1".to_owned()],
        sessions: sessions.clone(),
        evidence: parts,
        committed: watch::channel(0).0,
    };
    let any = "127.0.0.1:0".parse().unwrap();
    let intake = Intake::bind(&Config { ingest: any, enrolment: any }, deps).await.unwrap();
    let (ingest, enrolment) = (intake.ingest_address(), intake.enrolment_address());
    let stop = CancellationToken::new();
    let running = tokio::spawn(intake.run(stop.clone()));
    House { dir, store, authority, sessions, ingest, enrolment, evidence, stop, running }
}

/// A client's certificate and key.
struct Papers {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl House {
    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).unwrap();
        roots
    }

    async fn channel(&self, to: SocketAddr, papers: Option<&Papers>) -> Channel {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(self.roots());
        let mut config = match papers {
            None => builder.with_no_client_auth(),
            Some(papers) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(papers.key.serialize_der()));
                builder.with_client_auth_cert(vec![papers.certificate.clone()], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tls = TlsConnector::from(Arc::new(config));
        let connector = tower::service_fn(move |_: tonic::transport::Uri| {
            let tls = tls.clone();
            async move {
                let stream = TcpStream::connect(to).await?;
                let name = ServerName::from(to.ip());
                tls.connect(name, stream).await.map(hyper_util::rt::TokioIo::new)
            }
        });
        tonic::transport::Endpoint::from_static("http://correlator").connect_with_connector_lazy(connector)
    }

    async fn enrol(&self, secret: &[u8], key: &KeyPair) -> Result<v1::EnrolResponse, Status> {
        let request = rcgen::CertificateParams::default().serialize_request(key).unwrap();
        let request = EnrolRequest {
            secret: secret.to_vec(),
            signing_request: request.der().to_vec(),
            host_name: b"web-1".to_vec(),
        };
        let mut client = EnrolmentClient::new(self.channel(self.enrolment, None).await);
        client.enrol(request).await.map(tonic::Response::into_inner)
    }

    async fn token(&self, secret: &[u8]) {
        let now = clock::now();
        self.store.add_join_token(secret, now, now.saturating_add(PATIENCE)).await.unwrap();
    }

    async fn sensor(&self, secret: &[u8]) -> (SensorId, Papers) {
        self.token(secret).await;
        let key = KeyPair::generate().unwrap();
        let response = self.enrol(secret, &key).await.unwrap();
        assert_eq!(response.authority, self.authority.certificate().as_ref());
        assert_eq!(response.ingest_port, u32::from(self.ingest.port()));
        (response.sensor_id.parse().unwrap(), Papers { certificate: response.certificate.into(), key })
    }

    async fn open(&self, papers: Option<&Papers>) -> Result<Wire, Status> {
        let (up, messages) = mpsc::channel(16);
        let mut client = IngestClient::new(self.channel(self.ingest, papers).await);
        let down = client.session(ReceiverStream::new(messages)).await?.into_inner();
        Ok(Wire { up, down })
    }

    async fn stored(&self, sensor: SensorId) -> Vec<u64> {
        let range = EventRange::Seqs { epoch: EPOCH, first: 0, last: u64::MAX };
        self.store.events_of(sensor, range, 1_000).await.unwrap().iter().map(|event| event.id.seq).collect()
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.running).await.unwrap().unwrap().unwrap();
        self.store.close().await;
        drop(self.dir);
    }
}

/// A session, from the sensor's side.
struct Wire {
    up: mpsc::Sender<SensorMessage>,
    down: Streaming<v1::CorrelatorMessage>,
}

impl Wire {
    async fn say(&self, body: Up) {
        self.up.send(SensorMessage { body: Some(body) }).await.unwrap();
    }

    async fn hello(&mut self) -> u64 {
        let host_name = b"web-1".to_vec();
        self.say(Up::Hello(v1::Hello { protocol: 1, epoch: EPOCH, host_name, ..v1::Hello::default() })).await;
        match self.hear().await.unwrap() {
            Down::Welcome(welcome) => welcome.stored_up_to,
            other => panic!("{other:?}"),
        }
    }

    /// The next message but pings, or how the session ended.
    async fn hear(&mut self) -> Result<Down, Status> {
        loop {
            let message = timeout(PATIENCE, self.down.message()).await.unwrap()?.expect("a status ends the stream");
            match message.body.unwrap() {
                Down::Ping(_) => {}
                other => return Ok(other),
            }
        }
    }

    async fn ack(&mut self) -> u64 {
        match self.hear().await.unwrap() {
            Down::Ack(ack) => ack.up_to,
            other => panic!("{other:?}"),
        }
    }

    async fn refusal(&mut self) -> (Code, String) {
        let status = self.hear().await.unwrap_err();
        (status.code(), status.message().to_owned())
    }
}

fn events(paths: impl IntoIterator<Item = String>) -> Vec<Vec<u8>> {
    let event = |path: String| {
        let (operation, path) = (FileOperation::Create, path.into());
        let file = FileActivity::new(operation, path);
        convert::to_bytes(&Event { time: Timestamp(1), process: None, activity: Activity::File(file) }).unwrap()
    };
    paths.into_iter().map(event).collect()
}

fn batch_of(first_seq: u64, encoded: &[Vec<u8>]) -> Up {
    let (taken, packed) = batch::pack(encoded).unwrap();
    assert_eq!(taken, encoded.len());
    Up::Batch(v1::Batch { first_seq, count: u32::try_from(taken).unwrap(), events: packed, shed: Vec::new() })
}

fn numbered(seqs: std::ops::RangeInclusive<u64>) -> Up {
    batch_of(*seqs.start(), &events(seqs.map(|seq| format!("/tmp/{seq}"))))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_stored_and_a_new_session_goes_on_from_there() {
    let house = house().await;
    let (id, papers) = house.sensor(b"secret").await;
    let mut wire = house.open(Some(&papers)).await.unwrap();
    assert_eq!(wire.hello().await, 0);
    wire.say(numbered(1..=40)).await;
    assert_eq!(wire.ack().await, 40);
    assert_eq!(house.stored(id).await.len(), 40);
    assert!(house.sessions.is_online(id));
    // The connection is cut; the sensor comes back and sends some of it again.
    drop(wire);
    let mut wire = house.open(Some(&papers)).await.unwrap();
    assert_eq!(wire.hello().await, 40);
    wire.say(numbered(31..=50)).await;
    assert_eq!(wire.ack().await, 50);
    assert_eq!(house.stored(id).await, (1..=50).collect::<Vec<_>>());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_a_certificate_or_with_another_authoritys_reads_why() {
    let house = house().await;
    house.sensor(b"secret").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Authority::open(elsewhere.path(), clock::now()).unwrap();
    let key = KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    let certificate =
        other.sensor(SensorId(Uuid::new_v4()), &SensorKey::from_request(request.der()).unwrap(), clock::now()).unwrap();
    // A certificate of ours that is good for a server only.
    let server = house.authority.server(&["127.0.0.1".to_owned()], clock::now()).unwrap();
    let server_key = KeyPair::try_from(server.key.secret_der()).unwrap();
    let server = Papers { certificate: server.chain[0].clone(), key: server_key };
    let cases = [
        (None, "no client certificate was shown; join with a token first"),
        (
            Some(Papers { certificate, key }),
            "the client certificate is not a valid one of this correlator's authority: invalid peer certificate: UnknownIssuer",
        ),
        (
            Some(server),
            "the client certificate is not a valid one of this correlator's authority: invalid peer certificate",
        ),
    ];
    for (papers, words) in cases {
        let refused = house.open(papers.as_ref()).await.map(drop).unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused:?}");
        assert!(refused.message().starts_with(words), "{}", refused.message());
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_counts_only_with_the_key_that_enrolled_and_while_it_is_known() {
    let house = house().await;
    let (id, _) = house.sensor(b"secret").await;
    // Signed by our own authority, so the handshake lets it pass: for a sensor that enrolled with another key, for nobody, and for the
    // listeners themselves.
    let papers = |id| {
        let key = KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        let taken = SensorKey::from_request(request.der()).unwrap();
        Papers { certificate: house.authority.sensor(id, &taken, clock::now()).unwrap(), key }
    };
    let nobody = SensorId(Uuid::new_v4());
    let cases = [
        (id, format!("the certificate says sensor {id}, but its key is not the one that sensor enrolled with")),
        (nobody, format!("sensor {nobody} is not enrolled here")),
    ];
    for (id, words) in cases {
        let refused = house.open(Some(&papers(id))).await.map(drop).unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, words.as_str()));
    }
    assert!(!house.sessions.is_online(id));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_token_makes_one_sensor_and_says_why_it_makes_no_second() {
    let house = house().await;
    house.sensor(b"secret").await;
    let key = KeyPair::generate().unwrap();
    let refused = house.enrol(b"secret", &key).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("used already"), "{}", refused.message());
    let refused = house.enrol(b"guess", &key).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "the join token is unknown"));
    let now = clock::now();
    house.store.add_join_token(b"old", now, now).await.unwrap();
    let refused = house.enrol(b"old", &key).await.unwrap_err();
    assert!(refused.message().contains("expired"), "{}", refused.message());
    let mut client = EnrolmentClient::new(house.channel(house.enrolment, None).await);
    let nonsense = EnrolRequest { signing_request: vec![1; 40], ..EnrolRequest::default() };
    assert_eq!(client.enrol(nonsense).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(house.store.sensors().await.unwrap().len(), 1);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_protocol_ends_the_session_with_words_and_stores_nothing() {
    let house = house().await;
    let (id, papers) = house.sensor(b"secret").await;
    let batch = |first_seq, count, events: &[u8]| {
        Up::Batch(v1::Batch { first_seq, count, events: events.to_vec(), shed: Vec::new() })
    };
    let chunk = v1::EvidenceChunk { request: 9, ..v1::EvidenceChunk::default() };
    let cases = [
        (numbered(2..=3), "the batch begins at 2, but nothing is known of 1"),
        (batch(1, 1, b"not zstd"), "decompress"),
        (batch_of(1, &[Vec::new()]), "activity"),
        (Up::Hello(v1::Hello::default()), "a second Hello"),
        (Up::EvidenceChunk(chunk), "evidence that was not asked for (request 9)"),
        (Up::Ledger(v1::Ledger { read: u64::MAX, ..v1::Ledger::default() }), "beyond what can be counted"),
    ];
    for (message, words) in cases {
        let mut wire = house.open(Some(&papers)).await.unwrap();
        wire.hello().await;
        wire.say(message.clone()).await;
        let (code, said) = wire.refusal().await;
        assert_eq!(code, Code::InvalidArgument, "{said}");
        assert!(said.contains(words), "{words:?} is not in {said:?} for {message:?}");
    }
    let mut wire = house.open(Some(&papers)).await.unwrap();
    wire.say(Up::Hello(v1::Hello { protocol: 2, ..v1::Hello::default() })).await;
    assert_eq!(wire.refusal().await.0, Code::FailedPrecondition);
    assert!(house.stored(id).await.is_empty());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_sensors_hooks_stand_is_what_it_said_last() {
    let house = house().await;
    let (id, papers) = house.sensor(b"secret").await;
    let mut wire = house.open(Some(&papers)).await.unwrap();
    wire.hello().await;
    let program = v1::Program { name: "exec".to_owned(), runs: 3, run_ns: 9_000, missed: 1 };
    let hook = v1::Hook {
        name: "exec".to_owned(),
        rung: "silent".to_owned(),
        detail: "x".to_owned(),
        programs: vec![program],
    };
    wire.say(Up::Hooks(v1::Hooks { hooks: vec![hook.clone()] })).await;
    // Its answer says that what came before was taken in.
    wire.say(numbered(1..=1)).await;
    assert_eq!(wire.ack().await, 1);
    let stored = house.store.sensor(id).await.unwrap().unwrap().hooks;
    let program = ProgramRow { name: "exec".to_owned(), runs: 3, run_ns: 9_000, missed: 1 };
    let expected =
        HookRow { name: "exec".to_owned(), rung: "silent".to_owned(), detail: "x".to_owned(), programs: vec![program] };
    assert_eq!(stored, [expected]);
    wire.say(Up::Hooks(v1::Hooks { hooks: vec![hook; 65] })).await;
    assert_eq!(
        wire.refusal().await,
        (Code::InvalidArgument, "the list of hooks in what the sensor says about itself is too long".to_owned())
    );
    assert_eq!(house.store.sensor(id).await.unwrap().unwrap().hooks.len(), 1);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_used_twice_is_refused_and_complained_of() {
    let house = house().await;
    let (id, papers) = house.sensor(b"secret").await;
    let mut wire = house.open(Some(&papers)).await.unwrap();
    wire.hello().await;
    wire.say(numbered(1..=3)).await;
    wire.ack().await;
    wire.say(batch_of(3, &events(["/etc/shadow".to_owned(), "/tmp/4".to_owned()]))).await;
    let (code, said) = wire.refusal().await;
    assert_eq!((code, said.as_str()), (Code::InvalidArgument, "sequence number 3 was used before for another event"));
    assert_eq!(house.stored(id).await, [1, 2, 3]);
    let complaints = house.store.complaints(10).await.unwrap();
    assert_eq!((complaints.len(), complaints[0].event.sensor, complaints[0].event.seq), (1, id, 3));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_session_ends_the_older_one_and_keeps_its_place() {
    let house = house().await;
    let (id, papers) = house.sensor(b"secret").await;
    let mut older = house.open(Some(&papers)).await.unwrap();
    older.hello().await;
    let mut newer = house.open(Some(&papers)).await.unwrap();
    newer.hello().await;
    assert_eq!(older.refusal().await.0, Code::Aborted);
    newer.say(numbered(1..=1)).await;
    assert_eq!(newer.ack().await, 1);
    assert!(house.sessions.is_online(id));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_asked_for_and_its_parts_come_with_the_certificates_name() {
    let mut house = house().await;
    let (id, papers) = house.sensor(b"secret").await;
    let ask = |request| v1::EvidenceRequest { request, bytes_max: 100, ..v1::EvidenceRequest::default() };
    assert_eq!(house.sessions.request_evidence(id, ask(1)), Err(RequestError::Offline));
    let mut arrivals: broadcast::Receiver<SensorId> = house.sessions.arrivals();
    let mut wire = house.open(Some(&papers)).await.unwrap();
    wire.hello().await;
    assert_eq!(timeout(PATIENCE, arrivals.recv()).await.unwrap().unwrap(), id);
    for request in [1, 2] {
        house.sessions.request_evidence(id, ask(request)).unwrap();
        assert_eq!(wire.hear().await.unwrap(), Down::EvidenceRequest(ask(request)));
    }
    let chunk = v1::EvidenceChunk { request: 1, data: b"ELF".to_vec(), ..v1::EvidenceChunk::default() };
    let end = v1::EvidenceEnd { request: 1, ..v1::EvidenceEnd::default() };
    wire.say(Up::EvidenceChunk(chunk.clone())).await;
    wire.say(Up::EvidenceEnd(end.clone())).await;
    assert_eq!(house.evidence.recv().await, Some((id, EvidencePart::Chunk(chunk))));
    assert_eq!(house.evidence.recv().await, Some((id, EvidencePart::End(end))));
    drop(wire);
    assert_eq!(house.evidence.recv().await, Some((id, EvidencePart::Broken { request: 2 })));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_hears_that_the_correlator_stops() {
    let house = house().await;
    let (_, papers) = house.sensor(b"secret").await;
    let mut wire = house.open(Some(&papers)).await.unwrap();
    wire.hello().await;
    house.stop.cancel();
    let (code, said) = wire.refusal().await;
    assert_eq!((code, said.as_str()), (Code::Unavailable, "the correlator is stopping"));
    house.end().await;
}
