//! Carrying changes of incidents to a destination: the loop that advice, notification and export share.
//!
//! Owns when something is tried, and when again; the destination owns what is done. An incident is carried out once it has been quiet
//! for a moment, or has been waiting for long, so that a burst of findings is one message and not twenty. Bounded by
//! [`BATCH_MAX`] incidents a round and the destination's own number of attempts at a time. What is given up stays in the store with its
//! reason, and is logged.

use std::{future::Future, sync::Arc, time::Duration};

use bongsu_api::Incident;
use bongsu_event::{SensorId, Timestamp};
use futures::{StreamExt, stream};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::{
    clock,
    store::{Begin, Due, Ending, ReadError, Store, WriteError},
    view::{self, Presence},
};

/// How often the outbox is looked at. A bell would be quicker and could be missed; the outbox cannot.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const BATCH_MAX: u32 = 64;
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);
/// However long a server wants to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Which sensors have a session now.
pub(crate) type PresenceOf = Arc<dyn Fn(SensorId) -> Presence + Send + Sync>;

/// When a changed incident is ripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settling {
    /// So long without a further change.
    pub(crate) quiet: Duration,
    /// Or so long since the first change.
    pub(crate) at_most: Duration,
}

impl Settling {
    /// Ripe at once.
    pub(crate) const NONE: Self = Self { quiet: Duration::ZERO, at_most: Duration::ZERO };

    fn is_over(&self, due: &Due, now: Timestamp) -> bool {
        now.since(due.last_at) >= self.quiet || now.since(due.first_at) >= self.at_most
    }
}

/// How a destination behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Its name in the store; never changes.
    pub(crate) consumer: &'static str,
    pub(crate) begin: Begin,
    pub(crate) settling: Settling,
    /// How many incidents are carried at the same time.
    pub(crate) concurrency: usize,
    /// After how many failures an incident is given up; `None` for a destination that must not miss one.
    pub(crate) attempts_max: Option<u32>,
}

/// Why it did not work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may work later, but not before `after`, when that is known.
    Again {
        /// What went wrong.
        error: String,
        /// How long to wait at least.
        after: Option<Duration>,
    },
    /// It will never work.
    Never {
        /// What went wrong.
        error: String,
    },
}

/// Where incidents are carried.
pub(crate) trait Destination: Send + Sync {
    /// How it behaves.
    fn manner(&self) -> Manner;

    /// Carries one out; what to note for the next time. It may come twice for the same revision.
    fn deliver(&self, incident: &Incident, due: &Due) -> impl Future<Output = Result<Option<String>, Failure>> + Send;
}

/// Why the loop ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep the place of {consumer} in the outbox")]
pub(crate) struct RunError {
    consumer: &'static str,
    source: WriteError,
}

/// Carries changes to the destination until `stop`. What is on the way then is finished by the next start.
pub(crate) async fn run(
    destination: impl Destination,
    store: Store,
    presence: PresenceOf,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let consumer = destination.manner().consumer;
    let begin = destination.manner().begin;
    store.begin_consumer(consumer, begin).await.map_err(|source| RunError { consumer, source })?;
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = look.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = round(&destination, &store, &presence) => {}
        }
    }
}

/// Carries out everything that is ripe now.
pub(crate) async fn round(destination: &impl Destination, store: &Store, presence: &PresenceOf) {
    let manner = destination.manner();
    let now = clock::now();
    let due = match store.due(manner.consumer, now, BATCH_MAX).await {
        Ok(due) => due,
        Err(error) => {
            return error!(manner.consumer, error = &error as &dyn std::error::Error, "cannot read the outbox");
        }
    };
    let ripe = due.into_iter().filter(|due| manner.settling.is_over(due, now));
    stream::iter(ripe)
        .for_each_concurrent(manner.concurrency, |due| async move {
            if let Err(error) = carry(destination, store, presence, &due).await {
                error!(manner.consumer, incident = %due.incident, error = &error as &dyn std::error::Error, "cannot carry an incident out");
            }
        })
        .await;
}

#[derive(Debug, thiserror::Error)]
enum CarryError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

async fn carry(
    destination: &impl Destination,
    store: &Store,
    presence: &PresenceOf,
    due: &Due,
) -> Result<(), CarryError> {
    let manner = destination.manner();
    let result = match view::incident(store, due.incident, |sensor| presence(sensor)).await? {
        Some(incident) => destination.deliver(&incident, due).await,
        // Deleted meanwhile: nothing is left to carry.
        None => Ok(None),
    };
    let end = |ending| store.end_attempt(manner.consumer, due, ending);
    match result {
        Ok(note) => {
            debug!(manner.consumer, incident = %due.incident, due.revision, "carried out");
            end(Ending::Done { note: note.as_deref() }).await?;
        }
        Err(Failure::Again { error, after }) if manner.attempts_max.is_none_or(|max| due.attempts + 1 < max) => {
            let wait = after.unwrap_or_default().min(RETRY_AFTER_MAX).max(backoff(due.attempts));
            warn!(manner.consumer, incident = %due.incident, error, again_in = ?wait, "did not work");
            end(Ending::Again { at: clock::now().saturating_add(wait), error: &error }).await?;
        }
        Err(Failure::Again { error, .. } | Failure::Never { error }) => {
            error!(manner.consumer, incident = %due.incident, error, "given up");
            end(Ending::GivenUp { error: &error }).await?;
        }
    }
    Ok(())
}

/// 1 s, 2 s, 4 s, ... up to five minutes.
fn backoff(attempts: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(2_u32.saturating_pow(attempts.min(20))).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests;
