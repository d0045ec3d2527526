//! Intake: where sensors come in. Two listeners (enrolment, ingest), one session for each sensor, one committer for all.
//!
//! Who speaks is read from the client certificate and looked up in the store (UUID and pinned key); nothing in a message can change it.
//! A batch is acknowledged after the transaction that stores it committed, never before.
//!
//! Bounded by: connections and handshake time of each listener, message and batch limits of the protocol, `BATCHES_IN_HAND_MAX` batches
//! unpacked at any moment over all sensors, a queue of evidence requests for each session. When a bound is reached the peer waits;
//! other sensors do not wait for it, since a place is held only by a batch that has arrived whole.

mod batch;
mod committer;
mod enrolment;
mod hello;
mod ledger;
mod listener;
mod peer;
mod service;
mod session;
mod sessions;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bongsu_event::SensorId;
use bongsu_proto::{
    limits,
    v1::{self, enrolment_server::EnrolmentServer, ingest_server::IngestServer},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    authority::{Authority, AuthorityError, TlsError, enrolment_tls, ingest_tls},
    clock,
    store::Store,
};
use listener::{Bounds, Listener, Tls};

pub(crate) use sessions::{RequestError, Sessions};

/// Unpacked batches over all sensors: 8 MiB each at most.
const BATCHES_IN_HAND_MAX: usize = 24;
const INGEST: Bounds = Bounds { connections_max: 4_096, handshake_max: Duration::from_secs(10) };
const ENROLMENT: Bounds = Bounds { connections_max: 64, handshake_max: Duration::from_secs(10) };
const KEEPALIVE: Duration = Duration::from_secs(20);
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Where sensors come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) ingest: SocketAddr,
    pub(crate) enrolment: SocketAddr,
}

/// A piece of evidence on its way in, from the sensor that was asked for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EvidencePart {
    /// Some of its bytes.
    Chunk(v1::EvidenceChunk),
    /// There is no more to come.
    End(v1::EvidenceEnd),
    /// The session ended before the evidence did; what came of this request is void.
    Broken {
        /// The request.
        request: u64,
    },
}

/// Evidence parts with the sensor they come from. Chunks of requests that the sensor was not asked in this session do not arrive here.
pub(crate) type EvidenceSender = mpsc::Sender<(SensorId, EvidencePart)>;

/// What intake needs from the rest of the house.
pub(crate) struct Deps {
    pub(crate) store: Store,
    pub(crate) authority: Arc<Authority>,
    /// Names of the listeners' certificates.
    pub(crate) names: Vec<String>,
    pub(crate) sessions: Sessions,
    pub(crate) evidence: EvidenceSender,
    /// Told after each commit that detection should look at.
    pub(crate) committed: watch::Sender<u64>,
}

/// Why intake cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("cannot listen on {address} for {what}")]
    Listen { what: &'static str, address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why intake ended by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("the listener for {what} ended")]
    Serve { what: &'static str, source: tonic::transport::Error },
}

/// Listeners that are bound and not served yet.
pub(crate) struct Intake {
    ingest: Listener,
    enrolment: Listener,
    deps: Deps,
}

/// What a session shares with all others.
#[derive(Clone)]
struct Shared {
    store: Store,
    sessions: Sessions,
    evidence: EvidenceSender,
    appends: mpsc::Sender<committer::Append>,
    committed: watch::Sender<u64>,
    in_hand: Arc<Semaphore>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Intake {
    /// Binds both listeners.
    pub(crate) async fn bind(config: &Config, deps: Deps) -> Result<Self, StartError> {
        let identity = || deps.authority.server(&deps.names, clock::now());
        let (ingest, check) = ingest_tls(&deps.authority, identity()?)?;
        let ingest = Tls::new(ingest, Some(check));
        let enrolment = Tls::new(enrolment_tls(identity()?)?, None);
        let bind = async |what, address| {
            TcpListener::bind(address).await.map_err(|source| StartError::Listen { what, address, source })
        };
        let ingest = Listener::new("ingest", bind("ingest", config.ingest).await?, ingest, INGEST);
        let enrolment = Listener::new("enrolment", bind("enrolment", config.enrolment).await?, enrolment, ENROLMENT);
        Ok(Self { ingest, enrolment, deps })
    }

    /// Where ingest listens in truth (port 0 in the configuration becomes a real one).
    pub(crate) fn ingest_address(&self) -> SocketAddr {
        self.ingest.address()
    }

    /// Where enrolment listens in truth.
    pub(crate) fn enrolment_address(&self) -> SocketAddr {
        self.enrolment.address()
    }

    /// Serves until `stop`, then ends the sessions, stores what they have handed over, and returns.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let Deps { store, authority, sessions, evidence, committed, .. } = self.deps;
        let (appends, queue) = mpsc::channel(BATCHES_IN_HAND_MAX);
        let tracker = TaskTracker::new();
        tracker.spawn(committer::run(store.clone(), queue, committed.clone()));
        let in_hand = Arc::new(Semaphore::new(BATCHES_IN_HAND_MAX));
        let enrolment = enrolment::Service::new(store.clone(), authority, self.ingest.address().port());
        let enrolment = EnrolmentServer::new(enrolment)
            .max_decoding_message_size(limits::ENROLMENT_BYTES_MAX)
            .max_encoding_message_size(limits::ENROLMENT_BYTES_MAX);
        let shared = Shared {
            store,
            sessions,
            evidence,
            appends,
            committed,
            in_hand,
            stop: stop.clone(),
            tracker: tracker.clone(),
        };
        let ingest =
            IngestServer::new(service::Service::new(shared)).max_decoding_message_size(limits::MESSAGE_BYTES_MAX);
        let stopped = || stop.clone().cancelled_owned();
        let ingest = server().serve_with_incoming_shutdown(ingest, self.ingest.serve(&stop), stopped());
        let enrolment = server().serve_with_incoming_shutdown(enrolment, self.enrolment.serve(&stop), stopped());
        let serve = |what| move |source| RunError::Serve { what, source };
        let ended = tokio::try_join!(async { ingest.await.map_err(serve("ingest")) }, async {
            enrolment.await.map_err(serve("enrolment"))
        },);
        // The sessions and the committer end by themselves: the former at `stop`, the latter when no session is left to send.
        stop.cancel();
        tracker.close();
        tracker.wait().await;
        ended.map(|_| ())
    }
}

fn server() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .max_concurrent_streams(4)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
}

#[cfg(test)]
mod tests;
