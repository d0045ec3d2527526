//! Who is connected now, and the way to ask them for evidence.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bongsu_event::SensorId;
use bongsu_proto::v1;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

/// Evidence requests that wait in one session.
const REQUESTS_MAX: usize = 16;
const ARRIVALS_KEPT: usize = 256;

/// Why a sensor cannot be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// Ask again when it arrives.
    #[error("the sensor is not connected")]
    Offline,
    /// Ask again later.
    #[error("the sensor has {REQUESTS_MAX} requests waiting")]
    Busy,
}

/// All live sessions. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    live: Arc<Mutex<HashMap<SensorId, Live>>>,
    arrivals: broadcast::Sender<SensorId>,
}

#[derive(Debug)]
struct Live {
    requests: mpsc::Sender<v1::EvidenceRequest>,
    replaced: CancellationToken,
}

/// A session's place among the live ones; given up when dropped.
pub(super) struct Place {
    sessions: Sessions,
    sensor: SensorId,
    pub(super) requests: mpsc::Receiver<v1::EvidenceRequest>,
    /// Cancelled when a newer session of the sensor took the place.
    pub(super) replaced: CancellationToken,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self { live: Arc::default(), arrivals: broadcast::channel(ARRIVALS_KEPT).0 }
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<SensorId, Live>> {
        // No code that can panic runs under this lock.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the sensor has a session now.
    pub(crate) fn is_online(&self, sensor: SensorId) -> bool {
        self.live().contains_key(&sensor)
    }

    /// Asks a sensor for evidence; never waits. The answer comes as [`super::EvidencePart`]s.
    pub(crate) fn request_evidence(&self, sensor: SensorId, request: v1::EvidenceRequest) -> Result<(), RequestError> {
        let live = self.live();
        let session = live.get(&sensor).ok_or(RequestError::Offline)?;
        session.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => RequestError::Busy,
            mpsc::error::TrySendError::Closed(_) => RequestError::Offline,
        })
    }

    /// Every sensor whose session begins from now on. A receiver that lags sees that it did, and should look at all waiting requests.
    pub(crate) fn arrivals(&self) -> broadcast::Receiver<SensorId> {
        self.arrivals.subscribe()
    }

    /// Gives a new session its place; an older one of the same sensor ends.
    pub(super) fn enter(&self, sensor: SensorId) -> Place {
        let (requests, waiting) = mpsc::channel(REQUESTS_MAX);
        let replaced = CancellationToken::new();
        let older = self.live().insert(sensor, Live { requests, replaced: replaced.clone() });
        if let Some(older) = older {
            older.replaced.cancel();
        }
        Place { sessions: self.clone(), sensor, requests: waiting, replaced }
    }

    /// Tells that a session is ready to be asked.
    pub(super) fn announce(&self, sensor: SensorId) {
        // Nobody may be listening.
        drop(self.arrivals.send(sensor));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Cancelled means that the entry is a newer session's.
        let mut live = self.sessions.live();
        if !self.replaced.is_cancelled() {
            live.remove(&self.sensor);
        }
    }
}
