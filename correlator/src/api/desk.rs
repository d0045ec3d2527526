//! What API and pages need of the rest of the correlator.

use std::sync::Arc;

use bongsu_event::SensorId;

use crate::{evidence::Evidence, store::Store, view::Presence};

/// Handed to every request. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) store: Store,
    /// Which sensors have a session now; intake knows.
    pub(crate) presence: Arc<dyn Fn(SensorId) -> Presence + Send + Sync>,
    pub(crate) joining: Arc<Joining>,
    pub(crate) evidence: Evidence,
    /// Whether browsers reach us by https, so that the session's cookie may be kept from plain http.
    pub(crate) https: bool,
}

/// What a join token says besides its secret.
#[derive(Debug)]
pub(crate) struct Joining {
    /// `host:port` of the enrolment listener, best first.
    pub(crate) addresses: Vec<String>,
    /// SHA-256 of the authority's certificate.
    pub(crate) authority_sha256: [u8; 32],
}
