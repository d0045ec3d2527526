//! Enrolment: a join token and a key in, a certificate out. The only thing a peer without a certificate can reach.

use std::sync::Arc;

use bongsu_event::SensorId;
use bongsu_proto::v1::{EnrolRequest, EnrolResponse, enrolment_server::Enrolment};
use bstr::ByteSlice as _;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::listener::Peer;
use crate::{
    authority::{Authority, AuthorityError, RequestError, SensorKey},
    clock,
    store::{JoinRefusal, Store},
};

/// The longest name Linux gives a host.
const HOST_NAME_BYTES_MAX: usize = 64;

pub(super) struct Service {
    store: Store,
    authority: Arc<Authority>,
    ingest_port: u16,
}

#[derive(Debug, thiserror::Error)]
enum EnrolError {
    #[error("the host name has more than {HOST_NAME_BYTES_MAX} bytes")]
    HostName,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Join(#[from] JoinRefusal),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl From<&EnrolError> for Status {
    fn from(error: &EnrolError) -> Self {
        match error {
            EnrolError::HostName | EnrolError::Request(_) => Self::invalid_argument(error.to_string()),
            EnrolError::Join(JoinRefusal::Store(_)) => Self::unavailable("the correlator's store cannot be written"),
            EnrolError::Join(refused) => Self::unauthenticated(refused.to_string()),
            EnrolError::Authority(_) => Self::internal("the correlator cannot sign a certificate"),
        }
    }
}

impl Service {
    pub(super) fn new(store: Store, authority: Arc<Authority>, ingest_port: u16) -> Self {
        Self { store, authority, ingest_port }
    }

    async fn enrol(&self, request: &EnrolRequest) -> Result<(SensorId, EnrolResponse), EnrolError> {
        if request.host_name.len() > HOST_NAME_BYTES_MAX {
            return Err(EnrolError::HostName);
        }
        let key = SensorKey::from_request(&request.signing_request)?;
        let (id, now) = (SensorId(Uuid::new_v4()), clock::now());
        let certificate = self.authority.sensor(id, &key, now)?;
        self.store.enrol(&request.secret, id, &key.pinned(), &request.host_name, now).await?;
        let response = EnrolResponse {
            sensor_id: id.to_string(),
            certificate: certificate.to_vec(),
            authority: self.authority.certificate().to_vec(),
            ingest_port: self.ingest_port.into(),
        };
        Ok((id, response))
    }
}

#[tonic::async_trait]
impl Enrolment for Service {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let address = request.extensions().get::<Arc<Peer>>().map(|peer| peer.address);
        let request = request.into_inner();
        let host = request.host_name.as_bstr();
        match self.enrol(&request).await {
            Ok((sensor, response)) => {
                tracing::info!(%sensor, ?host, ?address, "a sensor joined");
                Ok(Response::new(response))
            }
            Err(error) => {
                tracing::warn!(?host, ?address, error = &error as &dyn std::error::Error, "refused to enrol");
                Err(Status::from(&error))
            }
        }
    }
}
