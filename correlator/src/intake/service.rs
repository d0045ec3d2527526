//! The ingest service: lets in whom the certificate names, and starts its session.

use std::sync::Arc;

use bongsu_proto::v1::{CorrelatorMessage, SensorMessage, ingest_server::Ingest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument as _;

use super::{Shared, listener::Peer, peer, session};

/// Messages that wait for a sensor to read them.
const OUT_MAX: usize = 8;

pub(super) struct Service {
    shared: Shared,
}

impl Service {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared }
    }
}

#[tonic::async_trait]
impl Ingest for Service {
    type SessionStream = ReceiverStream<Result<CorrelatorMessage, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<SensorMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let peer = request.extensions().get::<Arc<Peer>>().cloned().ok_or_else(|| Status::internal("no peer"))?;
        let sensor = match peer::identify(&self.shared.store, &peer).await {
            Ok(sensor) => sensor,
            Err(error) => {
                let refused = &error as &dyn std::error::Error;
                tracing::warn!(address = %peer.address, error = refused, "refused a session");
                return Err(Status::from(&error));
            }
        };
        let (out, messages) = mpsc::channel(OUT_MAX);
        let span = tracing::info_span!("session", sensor = %sensor.id, address = %peer.address);
        let shared = self.shared.clone();
        self.shared.tracker.spawn(session::run(shared, sensor, request.into_inner(), out).instrument(span));
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}
