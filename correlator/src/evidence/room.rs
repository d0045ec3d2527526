//! The task that owns requests and uploads: from a wish in the store to bytes in the vault.
//!
//! Whatever must survive is in the store: a wish, a request, where it stands. In memory are only the uploads under way, at most one
//! for each sensor and [`UPLOADS_MAX`] in all; after a restart or a lost session their requests wait and are asked again.
//! A sensor that lies loses its own upload; a message about another sensor's request, or about none, is counted and dropped.

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use bongsu_event::{SensorId, Shown};
use bongsu_proto::v1;
use tokio::{
    sync::{
        Notify,
        broadcast::{self, error::RecvError},
        mpsc,
    },
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    counts::Counts,
    upload::{Refusal, Upload, UploadError, Whole},
    vault::Vault,
};
use crate::{
    clock,
    intake::{EvidencePart, RequestError, Sessions},
    store::{
        Store, WriteError, commit,
        evidence::{NewCustody, NewEvidence, NewWishLimits, RequestRow, RequestState, answered, append_custody, put},
    },
};

/// Uploads under way at a time. With the size of each, this bounds the disk they take.
const UPLOADS_MAX: usize = 32;
/// How often wishes and sensors are looked at when nobody wakes the room.
const ROUND: Duration = Duration::from_secs(2);
/// A request that came to nothing so often has failed.
const ATTEMPTS_MAX: u64 = 3;
/// The longest path and the longest words of a sensor that are kept.
const PATH_BYTES_MAX: usize = 4096;
const DETAIL_BYTES_MAX: usize = 300;
const LIMITS: NewWishLimits = NewWishLimits { open_per_sensor: 32, per_sensor_and_hour: 120, per_incident: 20 };

/// Whoever can send a request to a sensor.
pub(crate) trait Ask: Send + 'static {
    /// Hands the request to the sensor's session; never waits.
    fn ask(&self, sensor: SensorId, request: v1::EvidenceRequest) -> Result<(), NotAsked>;
}

/// The sensor has no session, or one that takes nothing more; the request waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAsked;

impl Ask for Sessions {
    fn ask(&self, sensor: SensorId, request: v1::EvidenceRequest) -> Result<(), NotAsked> {
        self.request_evidence(sensor, request).map_err(|(RequestError::Offline | RequestError::Busy)| NotAsked)
    }
}

/// See the module.
pub(crate) struct Room {
    pub(super) store: Store,
    pub(super) vault: Arc<Vault>,
    pub(super) counts: Arc<Counts>,
    /// Somebody wishes for evidence.
    pub(super) wished: Arc<Notify>,
    /// Evidence waits to be scanned.
    pub(super) stored: Arc<Notify>,
    pub(super) bytes_max: u64,
    pub(super) total_bytes_max: u64,
    pub(super) uploads: HashMap<u64, Upload>,
}

impl Room {
    /// Works until `stop`, or until no session can send anything any more. `arrivals` tells of sensors whose session begins.
    pub(crate) async fn run(
        mut self,
        asker: impl Ask,
        mut parts: mpsc::Receiver<(SensorId, EvidencePart)>,
        mut arrivals: broadcast::Receiver<SensorId>,
        stop: CancellationToken,
    ) {
        self.take_up().await;
        let mut tick = interval(ROUND);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let wished = Arc::clone(&self.wished);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                part = parts.recv() => match part {
                    Some((sensor, part)) => self.receive(&asker, sensor, part).await,
                    None => return,
                },
                () = wished.notified() => self.round(&asker).await,
                // Also when some were missed: all that waits is looked at. When no more can come, the tick goes on.
                Ok(_) | Err(RecvError::Lagged(_)) = arrivals.recv() => self.ask_waiting(&asker).await,
                _ = tick.tick() => {
                    self.give_up_stalled(Instant::now()).await;
                    self.round(&asker).await;
                }
            }
        }
    }

    /// Puts back what was asked for in another life: no session outlives the correlator.
    pub(super) async fn take_up(&mut self) {
        logged("take up requests again", self.store.all_requests_wait().await);
    }

    /// Settles wishes and asks for what waits.
    pub(super) async fn round(&mut self, asker: &impl Ask) {
        loop {
            let Some(settled) = logged("settle wishes", self.store.settle_wishes(LIMITS, clock::now()).await) else {
                break;
            };
            self.counts.requested.add(settled.requested);
            self.counts.shared.add(settled.shared);
            self.counts.wishes_refused.add(settled.refused);
            if settled.refused > 0 {
                tracing::warn!(count = settled.refused, "wishes for evidence were refused: too many at once");
            }
            if settled.requested + settled.shared + settled.refused == 0 {
                break;
            }
        }
        self.ask_waiting(asker).await;
    }

    async fn ask_waiting(&mut self, asker: &impl Ask) {
        let Some(waiting) = logged("read requests", self.store.requests_in(RequestState::Waiting).await) else {
            return;
        };
        if waiting.is_empty() || self.is_full().await {
            return;
        }
        let mut absent: Vec<SensorId> = Vec::new();
        for row in waiting {
            let busy = self.uploads.values().any(|upload| upload.is_of(row.sensor));
            if self.uploads.len() >= UPLOADS_MAX || busy || absent.contains(&row.sensor) {
                continue;
            }
            let sensor = row.sensor;
            if self.ask(asker, row).await == Err(NotAsked) {
                absent.push(sensor);
            }
        }
    }

    /// Whether the store of evidence might not hold one more.
    async fn is_full(&self) -> bool {
        let Some(kept) = logged("add up evidence", self.store.evidence_bytes().await) else { return true };
        let under_way = u64::try_from(self.uploads.len()).unwrap_or(u64::MAX).saturating_add(1);
        let full = kept.saturating_add(under_way.saturating_mul(self.bytes_max)) > self.total_bytes_max;
        if full && self.counts.store_full.one().is_power_of_two() {
            tracing::warn!(kept, limit = self.total_bytes_max, "the store of evidence is full: nothing is asked for");
        }
        full
    }

    async fn ask(&mut self, asker: &impl Ask, row: RequestRow) -> Result<(), NotAsked> {
        let request = row.request;
        let Some(file) = logged("begin an upload", self.vault.begin(request)) else { return Ok(()) };
        let message = v1::EvidenceRequest {
            request,
            process: Some(v1::ProcessKey { boot: row.process.boot, pid: row.process.pid, start: row.process.start }),
            path: row.path.to_vec(),
            bytes_max: self.bytes_max,
        };
        // The answer cannot overtake this: parts are taken by this same task.
        asker.ask(row.sensor, message)?;
        logged("note a request", self.store.request_asked(request).await);
        let row = RequestRow { attempts: row.attempts.saturating_add(1), ..row };
        self.uploads.insert(request, Upload::new(row, file, self.bytes_max));
        Ok(())
    }

    /// Takes what a sensor sent.
    pub(super) async fn receive(&mut self, asker: &impl Ask, sensor: SensorId, part: EvidencePart) {
        match part {
            EvidencePart::Chunk(chunk) => {
                let Some(upload) = self.upload_of(sensor, chunk.request) else { return };
                if self.take(upload, chunk).await == Upheld::Yes {
                    return;
                }
            }
            EvidencePart::End(end) => {
                let Some(upload) = self.upload_of(sensor, end.request) else { return };
                self.end(upload, end).await;
            }
            EvidencePart::Broken { request } => {
                let Some(upload) = self.upload_of(sensor, request) else { return };
                logged("put a request back", self.store.request_waits(upload.row.request).await);
            }
        }
        // The sensor is free for the next request.
        self.ask_waiting(asker).await;
    }

    /// The upload that a message of `sensor` is about, taken out.
    fn upload_of(&mut self, sensor: SensorId, request: u64) -> Option<Upload> {
        if self.uploads.get(&request).is_some_and(|upload| upload.is_of(sensor)) {
            return self.uploads.remove(&request);
        }
        // Also the rest of an upload that was refused or given up; said seldom, because a sensor can say it without end.
        let count = self.counts.strays.one();
        if count.is_power_of_two() {
            tracing::warn!(%sensor, request, count, "a sensor sends evidence that it was not asked for");
        }
        None
    }

    async fn take(&mut self, mut upload: Upload, chunk: v1::EvidenceChunk) -> Upheld {
        let work = spawn_blocking(move || {
            let taken = upload.take(&chunk);
            (upload, taken)
        });
        match work.await {
            Ok((upload, Ok(()))) => {
                self.uploads.insert(upload.row.request, upload);
                return Upheld::Yes;
            }
            Ok((upload, Err(error))) => self.spoiled(&upload.row, &error).await,
            Err(error) => tracing::error!(%error, "an upload was lost; it is asked for again after a restart"),
        }
        Upheld::No
    }

    async fn end(&mut self, upload: Upload, end: v1::EvidenceEnd) {
        use v1::evidence_end::Outcome;
        let row = upload.row.clone();
        let state = match end.outcome() {
            Outcome::Complete => {
                let path = end.path.get(..PATH_BYTES_MAX).unwrap_or(&end.path).to_vec();
                match upload.finish(&end) {
                    Ok(whole) => self.keep(&row, whole, path).await,
                    Err(refusal) => self.spoiled(&row, &refusal.into()).await,
                }
                return;
            }
            Outcome::Gone => RequestState::Gone,
            Outcome::TooLarge => RequestState::TooLarge,
            Outcome::Failed => RequestState::Failed,
            Outcome::Unspecified => return self.spoiled(&row, &Refusal::Outcome.into()).await,
        };
        self.counts.unmet.add(1);
        let said = end.detail.as_bytes();
        let detail = Shown(said.get(..DETAIL_BYTES_MAX).unwrap_or(said)).to_string();
        tracing::info!(sensor = %row.sensor, request = row.request, state = state.as_str(), detail, "no evidence");
        logged("end a request", self.store.request_ended(row.request, state, &detail, clock::now()).await);
    }

    async fn keep(&mut self, row: &RequestRow, whole: Whole, path: Vec<u8>) {
        let Whole { file, id, size } = whole;
        let vault = Arc::clone(&self.vault);
        let kept = spawn_blocking(move || vault.keep(&file, id)).await;
        if let Err(error) = kept.map_err(std::io::Error::other).and_then(|kept| kept) {
            return self.spoiled(row, &error.into()).await;
        }
        let path = if path.is_empty() { row.path.clone() } else { path.into() };
        let new = NewEvidence { id, size, sensor: row.sensor, path, process: row.process };
        if logged("store evidence", record(&self.store, row, &new).await).is_some() {
            self.counts.stored.add(1);
            tracing::info!(sensor = %row.sensor, request = row.request, evidence = %id, size, "evidence stored");
            self.stored.notify_one();
        }
    }

    /// Ends what went wrong: for good when the sensor is to blame, after some tries when we are.
    async fn spoiled(&mut self, row: &RequestRow, error: &UploadError) {
        let request = row.request;
        let detail = match error {
            UploadError::Refused(refusal) => {
                self.counts.uploads_refused.add(1);
                tracing::warn!(sensor = %row.sensor, request, %refusal, "an upload of evidence was refused");
                format!("refused: {refusal}")
            }
            UploadError::Store(cause) => {
                tracing::error!(request, error = cause as &dyn Error, "cannot store an upload of evidence");
                if row.attempts < ATTEMPTS_MAX {
                    logged("put a request back", self.store.request_waits(request).await);
                    return;
                }
                format!("{error}: {cause}")
            }
        };
        let ended = self.store.request_ended(request, RequestState::Failed, &detail, clock::now()).await;
        logged("end a request", ended);
    }

    pub(super) async fn give_up_stalled(&mut self, now: Instant) {
        let stalled: Vec<RequestRow> =
            self.uploads.values().filter(|upload| upload.is_stalled(now)).map(|upload| upload.row.clone()).collect();
        for row in stalled {
            self.counts.stalled.add(1);
            self.uploads.remove(&row.request);
            tracing::warn!(sensor = %row.sensor, request = row.request, "an upload of evidence stalled");
            let noted = if row.attempts < ATTEMPTS_MAX {
                self.store.request_waits(row.request).await
            } else {
                let detail = format!("no answer after {} requests", row.attempts);
                self.store.request_ended(row.request, RequestState::Failed, &detail, clock::now()).await
            };
            logged("give up an upload", noted);
        }
    }
}

/// Whether an upload goes on.
#[derive(Debug, PartialEq, Eq)]
enum Upheld {
    Yes,
    No,
}

/// What evidence is, that the request has it, and who brought it, in one transaction.
async fn record(store: &Store, row: &RequestRow, new: &NewEvidence) -> Result<(), WriteError> {
    let now = clock::now();
    let sensor = row.sensor.to_string();
    let requested = format!("request {} of finding {} for process {}", row.request, row.finding, row.process);
    let received = format!("{} bytes, found under {}", new.size, Shown(&new.path));
    let entries = [
        NewCustody { time: row.requested_at, actor: "correlator", action: "requested", detail: &requested },
        NewCustody { time: now, actor: &sensor, action: "received", detail: &received },
        NewCustody { time: now, actor: "correlator", action: "stored", detail: "SHA-256 of the whole checked" },
    ];
    let mut write = store.write().await?;
    put(&mut write, new, now).await?;
    answered(&mut write, row.request, new.id, now).await?;
    for entry in &entries {
        append_custody(&mut write, new.id, entry).await?;
    }
    commit(write).await
}

/// Logs what went wrong and goes on: what is in the store is tried again in the next round.
pub(super) fn logged<T, E: Error + 'static>(what: &str, result: Result<T, E>) -> Option<T> {
    result
        .inspect_err(|error| {
            tracing::error!(what, error = error as &dyn Error, "evidence: something could not be done");
        })
        .ok()
}
