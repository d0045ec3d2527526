//! Group commit: one task stores the batches of all sensors. What has queued up while a transaction was synced goes into the next one, so
//! that a hundred sensors cost as many syncs as one.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use crate::store::{self, AppendError, Appended, NewBatch, Store, WriteError};

/// Events in one transaction: more would make detection and the pages wait for the writer.
const GROUP_EVENTS_MAX: usize = 16_384;

/// A batch to be stored.
pub(super) struct Append {
    pub(super) batch: NewBatch,
    pub(super) done: oneshot::Sender<Result<Appended, CommitError>>,
    /// The batch's place among those in hand.
    pub(super) _place: OwnedSemaphorePermit,
}

/// Why a batch was not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum CommitError {
    /// This batch was refused.
    #[error(transparent)]
    Refused(Arc<AppendError>),
    /// The transaction failed, and every batch in it.
    #[error("the transaction failed")]
    Failed(#[source] Arc<WriteError>),
}

/// Stores what comes, until nobody is left to send.
pub(super) async fn run(store: Store, mut queue: mpsc::Receiver<Append>, committed: watch::Sender<u64>) {
    while let Some(first) = queue.recv().await {
        let mut events = first.batch.events.len();
        let mut group = vec![first];
        while events < GROUP_EVENTS_MAX
            && let Ok(next) = queue.try_recv()
        {
            events += next.batch.events.len();
            group.push(next);
        }
        let results = match store_group(&store, &group).await {
            Ok(results) => results,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    batches = group.len(),
                    "cannot store batches"
                );
                let error = Arc::new(error);
                group.iter().map(|_| Err(CommitError::Failed(Arc::clone(&error)))).collect()
            }
        };
        committed.send_modify(|commits| *commits += 1);
        for (append, result) in group.into_iter().zip(results) {
            // A session that ended meanwhile hears of it in its next Welcome.
            drop(append.done.send(result));
        }
    }
}

/// All in one transaction. A refused batch changes nothing and leaves the others alone.
async fn store_group(store: &Store, group: &[Append]) -> Result<Vec<Result<Appended, CommitError>>, WriteError> {
    let mut write = store.write().await?;
    let mut results = Vec::with_capacity(group.len());
    for append in group {
        results.push(match store::append(&mut write, &append.batch).await {
            Ok(appended) => Ok(appended),
            Err(AppendError::Store(error)) => return Err(error),
            Err(refused) => Err(CommitError::Refused(Arc::new(refused))),
        });
    }
    store::commit(write).await?;
    Ok(results)
}
