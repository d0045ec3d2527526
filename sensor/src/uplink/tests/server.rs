//! A small correlator that really speaks TLS: it stores what it is sent in memory and can be told to misbehave.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bongsu_proto::{
    batch,
    v1::{
        self, CorrelatorMessage, EnrolRequest, EnrolResponse, SensorMessage,
        correlator_message::Body as Said,
        enrolment_server::{Enrolment, EnrolmentServer},
        ingest_server::{Ingest, IngestServer},
        sensor_message::Body,
    },
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SignatureAlgorithm,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{copy_bidirectional, duplex},
    net::TcpListener,
    sync::{broadcast, mpsc, watch},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use x509_parser::prelude::{FromDer as _, X509CertificationRequest};

use crate::identity::Identity;

const PATIENCE: Duration = Duration::from_secs(30);

/// An authority, and what it signs.
pub(super) struct Authority {
    pub(super) der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { der, issuer: Issuer::new(params, key) }
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    fn leaf(&self, names: &[String]) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), key)
    }

    /// The identity of a sensor that this authority enrolled, trusting `trusted`.
    pub(super) fn identity(&self, trusted: &Self) -> Identity {
        let (certificate, key) = self.leaf(&[]);
        let pem = |der: &[u8]| pem::encode(&pem::Pem::new("CERTIFICATE", der));
        Identity {
            sensor_id: "7f0c1a2b-0000-4000-8000-000000000001".parse().unwrap(),
            addresses: Vec::new(),
            certificate: pem(&certificate),
            key: key.serialize_pem(),
            authority: pem(&trusted.der),
        }
    }
}

/// The public key of a signing request.
struct SensorKey(Vec<u8>);

impl PublicKeyData for SensorKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// What the server has seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) hellos: Vec<v1::Hello>,
    pub(super) hooks: Vec<v1::Hooks>,
    pub(super) stored: BTreeMap<u64, Vec<u8>>,
    pub(super) shed: u64,
    pub(super) up_to: u64,
    pub(super) batches: usize,
    pub(super) ledgers: Vec<v1::Ledger>,
    pub(super) pongs: Vec<u64>,
    pub(super) chunks: Vec<v1::EvidenceChunk>,
    pub(super) ends: Vec<v1::EvidenceEnd>,
    pub(super) sessions_ended: usize,
}

/// How the server misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    /// Breaks each session after so many batches, the last of them stored and not acknowledged.
    BreakAfter(usize),
    Refuse,
    /// Acknowledges what it never got.
    AckTooMuch,
}

#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: watch::Sender<Seen>,
    say: broadcast::Sender<Said>,
    manner: Manner,
    authority: Arc<Authority>,
}

impl Server {
    /// Serves ingest, asking for client certificates of `authority`.
    pub(super) async fn ingest(authority: &Arc<Authority>, manner: Manner) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        Self::serve(authority, manner, Some(verifier)).await
    }

    /// Serves enrolment.
    pub(super) async fn enrolment(authority: &Arc<Authority>, manner: Manner) -> Self {
        Self::serve(authority, manner, None).await
    }

    async fn serve(
        authority: &Arc<Authority>,
        manner: Manner,
        clients: Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>,
    ) -> Self {
        let (certificate, key) = authority.leaf(&["127.0.0.1".to_owned()]);
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap();
        let builder = match clients {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate, authority.der.clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, incoming) = mpsc::channel::<std::io::Result<_>>(16);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, connections) = (acceptor.clone(), connections.clone());
                tokio::spawn(async move {
                    // A peer that is refused is gone.
                    let Ok(mut tls) = acceptor.accept(stream).await else { return };
                    let (mut ours, theirs) = duplex(64 * 1024);
                    if connections.send(Ok(theirs)).await.is_ok() {
                        drop(copy_bidirectional(&mut tls, &mut ours).await);
                    }
                });
            }
        });
        let server = Self {
            address,
            seen: watch::Sender::new(Seen::default()),
            say: broadcast::Sender::new(16),
            manner,
            authority: Arc::clone(authority),
        };
        let (ingest, enrolment) = (IngestServer::new(server.clone()), EnrolmentServer::new(server.clone()));
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(ingest.max_decoding_message_size(bongsu_proto::limits::MESSAGE_BYTES_MAX))
                .add_service(enrolment)
                .serve_with_incoming(ReceiverStream::new(incoming)),
        );
        server
    }

    pub(super) fn say(&self, said: Said) {
        self.say.send(said).unwrap();
    }

    /// Waits until what was seen satisfies `enough`.
    pub(super) async fn until(&self, what: &str, enough: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.subscribe();
        let found = timeout(PATIENCE, seen.wait_for(enough)).await;
        found
            .unwrap_or_else(|_| panic!("{what}: not in time; {:?}", self.seen.borrow().ledgers.last()))
            .unwrap()
            .clone()
    }

    async fn converse(
        &self,
        mut sensor: Streaming<SensorMessage>,
        out: mpsc::Sender<Result<CorrelatorMessage, Status>>,
    ) {
        let mut say = self.say.subscribe();
        let send = async |said| out.send(Ok(CorrelatorMessage { body: Some(said) })).await.is_ok();
        let mut batches = 0;
        loop {
            tokio::select! {
                message = sensor.message() => match message {
                    Ok(Some(message)) => {
                        let answer = self.hear(message.body.unwrap());
                        batches += usize::from(matches!(answer, Some(Said::Ack(_))));
                        if matches!(self.manner, Manner::BreakAfter(after) if after == batches) {
                            break;
                        }
                        if let Some(answer) = answer && !send(answer).await {
                            break;
                        }
                    }
                    _ => break,
                },
                Ok(said) = say.recv() => if !send(said).await {
                    break;
                },
            }
        }
        self.seen.send_modify(|seen| seen.sessions_ended += 1);
    }

    /// Takes a message in and answers it.
    fn hear(&self, body: Body) -> Option<Said> {
        let mut answer = None;
        self.seen.send_modify(|seen| match body {
            Body::Hello(hello) => {
                seen.hellos.push(hello);
                answer = Some(Said::Welcome(v1::Welcome { stored_up_to: seen.up_to }));
            }
            Body::Batch(batch) => {
                assert!(batch.first_seq <= seen.up_to + 1, "the batches have no gap");
                let unpacked = batch::unpack(&batch).unwrap();
                seen.batches += 1;
                if batch.first_seq == seen.up_to + 1 {
                    seen.shed += unpacked.last_seq - seen.up_to - unpacked.events.len() as u64;
                }
                for event in unpacked.events {
                    let stored = seen.stored.entry(event.seq).or_insert_with(|| event.bytes.to_vec());
                    assert_eq!(*stored, event.bytes, "a replay has the same bytes");
                }
                seen.up_to = seen.up_to.max(unpacked.last_seq);
                let excess = if self.manner == Manner::AckTooMuch { 1_000_000 } else { 0 };
                answer = Some(Said::Ack(v1::Ack { up_to: seen.up_to + excess }));
            }
            Body::Ledger(ledger) => seen.ledgers.push(ledger),
            Body::Hooks(hooks) => seen.hooks.push(hooks),
            Body::Pong(pong) => seen.pongs.push(pong.nonce),
            Body::EvidenceChunk(chunk) => seen.chunks.push(chunk),
            Body::EvidenceEnd(end) => seen.ends.push(end),
        });
        answer
    }
}

#[tonic::async_trait]
impl Ingest for Server {
    type SessionStream = ReceiverStream<Result<CorrelatorMessage, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<SensorMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        if self.manner == Manner::Refuse {
            return Err(Status::unauthenticated("sensor 7 was revoked on Tuesday"));
        }
        let (out, answers) = mpsc::channel(4);
        let server = self.clone();
        tokio::spawn(async move { server.converse(request.into_inner(), out).await });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

#[tonic::async_trait]
impl Enrolment for Server {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let request = request.into_inner();
        if self.manner == Manner::Refuse || request.secret != [5; 32] {
            return Err(Status::unauthenticated("the join token is spent"));
        }
        let (_, signing_request) = X509CertificationRequest::from_der(&request.signing_request).unwrap();
        let key = signing_request.certification_request_info.subject_pki.subject_public_key.data.to_vec();
        let certificate = CertificateParams::default().signed_by(&SensorKey(key), &self.authority.issuer).unwrap();
        Ok(Response::new(EnrolResponse {
            sensor_id: "7f0c1a2b-0000-4000-8000-000000000002".to_owned(),
            certificate: certificate.der().to_vec(),
            authority: self.authority.der.to_vec(),
            ingest_port: 7444,
        }))
    }
}
