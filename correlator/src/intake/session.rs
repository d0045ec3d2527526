//! One session: a sensor's stream of messages, and ours to it. The task owns all of its state.
//!
//! ```text
//! Hello --> Welcome --> { Batch --> stored --> Ack | Ledger --> checked | Hooks --> noted | EvidenceChunk, EvidenceEnd --> evidence room | Pong }
//!                       { Ping, EvidenceRequest --> sensor }
//! ```
//!
//! It ends when the sensor breaks the protocol, falls silent, begins a newer session, or the correlator stops; each with words that
//! both sides log. A batch is read only after the one before was stored: what a sensor has in the air waits in its own spool.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bongsu_event::SensorId;
use bongsu_proto::{
    limits,
    v1::{self, CorrelatorMessage, SensorMessage, correlator_message, sensor_message},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tonic::{Status, Streaming};

use super::{
    EvidencePart, Shared,
    batch::{self, BatchError},
    committer::{Append, CommitError},
    hello::{self, HelloError},
    ledger::{self, LedgerError},
    sessions::Place,
};
use crate::{
    clock,
    store::{AppendError, ReadError, SensorRow, WriteError},
};

const HELLO_WAIT: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(10);
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How long a sensor may leave our messages unread.
const UNREAD_MAX: Duration = Duration::from_secs(30);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the sensor ended the session")]
    BySensor,
    #[error("the connection broke: {0}")]
    Broken(Status),
    #[error("the correlator is stopping")]
    Stopping,
    #[error("a newer session of this sensor began")]
    Replaced,
    #[error("nothing was heard from the sensor for {} s", SILENCE_MAX.as_secs())]
    Silent,
    #[error("the sensor does not read what it is sent")]
    Unread,
    #[error(transparent)]
    Hello(#[from] HelloError),
    #[error("a message without a body, or of a kind this correlator does not know")]
    Unknown,
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("evidence that was not asked for (request {0})")]
    Unasked(u64),
    #[error("a chunk of evidence has {0} bytes, at most {max} are allowed", max = limits::EVIDENCE_CHUNK_BYTES_MAX)]
    ChunkTooLarge(usize),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl End {
    /// What the sensor is told; nothing of our insides.
    fn status(&self) -> Option<Status> {
        let words = || {
            let mut words = self.to_string();
            let mut cause = std::error::Error::source(self);
            while let Some(source) = cause {
                words = format!("{words}: {source}");
                cause = source.source();
            }
            words
        };
        Some(match self {
            Self::BySensor | Self::Broken(_) => return None,
            Self::Stopping => Status::unavailable(words()),
            Self::Replaced => Status::aborted(words()),
            Self::Silent | Self::Unread => Status::deadline_exceeded(words()),
            Self::Hello(HelloError::Protocol(_)) => Status::failed_precondition(words()),
            Self::Commit(CommitError::Failed(_)) | Self::Read(_) | Self::Write(_) => {
                Status::resource_exhausted("the correlator cannot store anything now")
            }
            Self::Hello(_)
            | Self::Unknown
            | Self::Batch(_)
            | Self::Commit(CommitError::Refused(_))
            | Self::Ledger(_)
            | Self::Unasked(_)
            | Self::ChunkTooLarge(_) => Status::invalid_argument(words()),
        })
    }
}

type Out = mpsc::Sender<Result<CorrelatorMessage, Status>>;

struct Session {
    shared: Shared,
    no: i64,
    id: SensorId,
    epoch: u64,
    inbound: Streaming<SensorMessage>,
    out: Out,
    /// Evidence requests that are not answered to the end.
    asked: HashSet<u64>,
    heard: Instant,
    balanced: bool,
}

/// Runs a session to its end.
pub(super) async fn run(shared: Shared, sensor: SensorRow, mut inbound: Streaming<SensorMessage>, out: Out) {
    let mut place = shared.sessions.enter(sensor.id);
    let end = match begin(&shared, &sensor, &mut inbound, &out).await {
        Err(end) => end,
        Ok(epoch) => {
            let mut session = Session {
                no: sensor.no,
                id: sensor.id,
                epoch,
                inbound,
                out: out.clone(),
                asked: HashSet::new(),
                heard: Instant::now(),
                balanced: true,
                shared,
            };
            session.shared.sessions.announce(sensor.id);
            let end = session.go_on(&mut place).await;
            session.give_up_evidence().await;
            end
        }
    };
    drop(place);
    match end.status() {
        None => tracing::info!(why = %end, "session ended"),
        Some(status) => {
            tracing::warn!(why = &end as &dyn std::error::Error, "ended the session");
            // One that cannot be told finds the stream closed.
            drop(timeout(UNREAD_MAX, out.send(Err(status))).await);
        }
    }
}

/// From Hello to Welcome; returns the epoch.
async fn begin(
    shared: &Shared,
    sensor: &SensorRow,
    inbound: &mut Streaming<SensorMessage>,
    out: &Out,
) -> Result<u64, End> {
    let first = tokio::select! {
        () = shared.stop.cancelled() => return Err(End::Stopping),
        first = timeout(HELLO_WAIT, inbound.message()) => first.map_err(|_elapsed| HelloError::Late)?,
    };
    let body = first.map_err(End::Broken)?.ok_or(End::BySensor)?.body;
    let Some(sensor_message::Body::Hello(hello)) = body else { return Err(HelloError::Missing.into()) };
    let (epoch, says) = hello::read(hello)?;
    shared.store.describe_sensor(sensor.no, &says, clock::now()).await?;
    let stored_up_to = shared.store.stored_up_to(sensor.no, epoch).await?;
    tracing::info!(epoch, stored_up_to, host = %says.host, version = %says.version.escape_debug(), "session began");
    send(out, correlator_message::Body::Welcome(v1::Welcome { stored_up_to })).await?;
    Ok(epoch)
}

async fn send(out: &Out, body: correlator_message::Body) -> Result<(), End> {
    let message = CorrelatorMessage { body: Some(body) };
    match timeout(UNREAD_MAX, out.send(Ok(message))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::BySensor),
        Err(_) => Err(End::Unread),
    }
}

impl Session {
    async fn go_on(&mut self, place: &mut Place) -> End {
        let stop = self.shared.stop.clone();
        let replaced = place.replaced.clone();
        let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                biased;
                () = stop.cancelled() => Err(End::Stopping),
                () = replaced.cancelled() => Err(End::Replaced),
                Some(request) = place.requests.recv() => self.ask(request).await,
                _ = ping.tick() => self.ping().await,
                message = self.inbound.message() => self.take(message).await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn ask(&mut self, request: v1::EvidenceRequest) -> Result<(), End> {
        self.asked.insert(request.request);
        send(&self.out, correlator_message::Body::EvidenceRequest(request)).await
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.heard.elapsed() > SILENCE_MAX {
            return Err(End::Silent);
        }
        send(&self.out, correlator_message::Body::Ping(v1::Ping { nonce: rand::random() })).await
    }

    async fn take(&mut self, message: Result<Option<SensorMessage>, Status>) -> Result<(), End> {
        let message = message.map_err(End::Broken)?.ok_or(End::BySensor)?;
        self.heard = Instant::now();
        match message.body.ok_or(End::Unknown)? {
            sensor_message::Body::Hello(_) => Err(HelloError::Twice.into()),
            sensor_message::Body::Batch(batch) => self.store(batch).await,
            sensor_message::Body::Ledger(ledger) => self.check(ledger).await,
            sensor_message::Body::Hooks(said) => {
                let hooks = hello::hooks(said.hooks)?;
                Ok(self.shared.store.describe_hooks(self.no, &hooks, clock::now()).await?)
            }
            sensor_message::Body::Pong(_) => Ok(()),
            sensor_message::Body::EvidenceChunk(chunk) => {
                if chunk.data.len() > limits::EVIDENCE_CHUNK_BYTES_MAX {
                    return Err(End::ChunkTooLarge(chunk.data.len()));
                }
                self.pass_on(chunk.request, EvidencePart::Chunk(chunk)).await
            }
            sensor_message::Body::EvidenceEnd(end) => {
                let request = end.request;
                self.pass_on(request, EvidencePart::End(end)).await?;
                self.asked.remove(&request);
                Ok(())
            }
        }
    }

    async fn store(&mut self, batch: v1::Batch) -> Result<(), End> {
        let place = Arc::clone(&self.shared.in_hand).acquire_owned().await.expect("the semaphore is never closed");
        let batch = batch::open(&batch, self.no, self.epoch, clock::now())?;
        let (done, result) = oneshot::channel();
        let append = Append { batch, done, _place: place };
        // Both fail only when the committer is gone, and it goes last.
        self.shared.appends.send(append).await.map_err(|_closed| End::Stopping)?;
        match result.await.map_err(|_closed| End::Stopping)? {
            Ok(appended) => {
                send(&self.out, correlator_message::Body::Ack(v1::Ack { up_to: appended.stored_up_to })).await
            }
            Err(error) => {
                if let CommitError::Refused(refused) = &error
                    && let AppendError::NumberReused { seq } = **refused
                {
                    let words = refused.to_string();
                    self.shared.store.complain_of_reuse(self.no, self.epoch, seq, clock::now(), &words).await?;
                    self.shared.committed.send_modify(|commits| *commits += 1);
                }
                Err(error.into())
            }
        }
    }

    async fn check(&mut self, ledger: v1::Ledger) -> Result<(), End> {
        let figures = ledger::read(ledger)?;
        let imbalance = self.shared.store.record_ledger(self.no, self.epoch, &figures, clock::now()).await?;
        let balanced = imbalance.is_none();
        if let Some(why) = imbalance.filter(|_| self.balanced) {
            tracing::warn!(epoch = self.epoch, why, "the sensor's ledger does not balance");
            self.shared.committed.send_modify(|commits| *commits += 1);
        }
        self.balanced = balanced;
        Ok(())
    }

    async fn pass_on(&self, request: u64, part: EvidencePart) -> Result<(), End> {
        if !self.asked.contains(&request) {
            return Err(End::Unasked(request));
        }
        self.shared.evidence.send((self.id, part)).await.map_err(|_closed| End::Stopping)
    }

    async fn give_up_evidence(&mut self) {
        for request in self.asked.drain() {
            // With the evidence room gone there is nobody left to tell.
            drop(self.shared.evidence.send((self.id, EvidencePart::Broken { request })).await);
        }
    }
}
