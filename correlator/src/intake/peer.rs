//! Who a peer is: the UUID in its certificate, with the key that was pinned when it enrolled. Never anything it says.

use bongsu_event::SensorId;
use tonic::Status;
use uuid::Uuid;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
};

use super::listener::{CertificateRefusal, Peer};
use crate::store::{ReadError, SensorRow, Store};

/// Why a peer is not let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum PeerError {
    #[error(transparent)]
    Certificate(#[from] CertificateRefusal),
    #[error("the certificate is not one of a sensor")]
    NotASensors,
    #[error("sensor {0} is not enrolled here")]
    Unknown(SensorId),
    #[error("the certificate says sensor {0}, but its key is not the one that sensor enrolled with")]
    OtherKey(SensorId),
    #[error("sensor {0} was revoked")]
    Revoked(SensorId),
    #[error("cannot look the sensor up")]
    Store(#[from] ReadError),
}

impl From<&PeerError> for Status {
    fn from(error: &PeerError) -> Self {
        match error {
            PeerError::Store(_) => Self::unavailable("the correlator's store cannot be read"),
            PeerError::Certificate(CertificateRefusal::Refused(why)) => {
                Self::unauthenticated(format!("{error}: {why}"))
            }
            refused => Self::unauthenticated(refused.to_string()),
        }
    }
}

/// The sensor that holds this certificate's key.
pub(super) async fn identify(store: &Store, peer: &Peer) -> Result<SensorRow, PeerError> {
    let certificate = peer.certificate.as_ref().map_err(Clone::clone)?;
    let (id, key) = claims(certificate).ok_or(PeerError::NotASensors)?;
    let sensor = store.sensor(id).await?.ok_or(PeerError::Unknown(id))?;
    if sensor.public_key != key {
        return Err(PeerError::OtherKey(id));
    }
    if sensor.revoked_at.is_some() {
        return Err(PeerError::Revoked(id));
    }
    Ok(sensor)
}

/// The one UUID a certificate names, and its public key.
fn claims(der: &[u8]) -> Option<(SensorId, Vec<u8>)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else { return None };
    let id = Uuid::try_parse(uri.strip_prefix("urn:uuid:")?).ok()?;
    Some((SensorId(id), certificate.public_key().raw.to_vec()))
}
