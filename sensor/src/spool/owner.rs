//! The one thread that has the spool; others send it requests.
//!
//! Group commit: everything that waits in the queue is written and synced at once, so the price of an fsync is shared.

use bongsu_event::Event;
use bongsu_proto::convert::EncodeError;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Account, Class, Entry, Page, PageMax, Reason, Spool, SpoolError, encode::Encoder};

/// Requests that may wait; who has more waits.
const QUEUE_REQUESTS_MAX: usize = 64;
/// Committed early when so much waits.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A value to keep beside the events (see [`Entry::Mark`]).
pub(crate) type Mark = (Vec<u8>, Vec<u8>);

enum Request {
    Append { events: Vec<Event>, marks: Vec<Mark>, done: oneshot::Sender<()> },
    Ask(Ask),
}

/// Whatever is answered from what is durable.
enum Ask {
    Page { from: u64, max: PageMax, reply: oneshot::Sender<Page> },
    Sending { up_to: u64, done: oneshot::Sender<()> },
    Acked { up_to: u64 },
    Account { reply: oneshot::Sender<Account> },
}

/// The spool's thread is gone; why, it told whoever runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the spool is closed")]
pub(crate) struct Closed;

/// Speaks to the spool's thread.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    requests: mpsc::Sender<Request>,
    durable: watch::Receiver<u64>,
    epoch: u64,
}

/// The spool with its queue, to be run on a thread of its own.
#[derive(Debug)]
pub(crate) struct Owner {
    spool: Spool,
    requests: mpsc::Receiver<Request>,
    durable: watch::Sender<u64>,
    encoder: Encoder,
}

/// Puts the spool behind a queue.
#[must_use]
pub(crate) fn own(spool: Spool) -> (Handle, Owner) {
    let (sender, requests) = mpsc::channel(QUEUE_REQUESTS_MAX);
    let (durable, watch) = watch::channel(spool.durable_seq());
    let handle = Handle { requests: sender, durable: watch, epoch: spool.epoch() };
    (handle, Owner { spool, requests, durable, encoder: Encoder::default() })
}

impl Handle {
    /// The epoch of the spool.
    #[must_use]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Follows the last durable number.
    #[must_use]
    pub(crate) fn durable(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    /// Takes events and marks in; returns when they are durable, or counted as lost.
    pub(crate) async fn append(&self, events: Vec<Event>, marks: Vec<Mark>) -> Result<(), Closed> {
        let (done, answer) = oneshot::channel();
        self.requests.send(Request::Append { events, marks, done }).await.or(Err(Closed))?;
        answer.await.or(Err(Closed))
    }

    /// See [`Spool::page`].
    pub(crate) async fn page(&self, from: u64, max: PageMax) -> Result<Page, Closed> {
        self.ask(|reply| Ask::Page { from, max, reply }).await
    }

    /// See [`Spool::sending`].
    pub(crate) async fn sending(&self, up_to: u64) -> Result<(), Closed> {
        self.ask(|done| Ask::Sending { up_to, done }).await
    }

    /// See [`Spool::acked`].
    pub(crate) async fn acked(&self, up_to: u64) -> Result<(), Closed> {
        self.requests.send(Request::Ask(Ask::Acked { up_to })).await.or(Err(Closed))
    }

    /// See [`Spool::account`].
    pub(crate) async fn account(&self) -> Result<Account, Closed> {
        self.ask(|reply| Ask::Account { reply }).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Closed> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Ask(ask(reply))).await.or(Err(Closed))?;
        answer.await.or(Err(Closed))
    }
}

impl Owner {
    /// Serves until every [`Handle`] is gone; then everything is durable.
    pub(crate) fn run(mut self) -> Result<(), SpoolError> {
        let mut appended = Vec::new();
        while let Some(request) = self.requests.blocking_recv() {
            let mut next = Some(request);
            while let Some(request) = next {
                if let Some(ask) = self.take(request, &mut appended) {
                    self.commit(&mut appended);
                    self.answer(ask)?;
                } else if self.spool.uncommitted_bytes() > GROUP_BYTES_MAX {
                    self.commit(&mut appended);
                }
                next = self.requests.try_recv().ok();
            }
            self.commit(&mut appended);
        }
        Ok(())
    }

    /// Buffers an append; gives back what must be answered.
    fn take(&mut self, request: Request, appended: &mut Vec<oneshot::Sender<()>>) -> Option<Ask> {
        let (events, marks, done) = match request {
            Request::Append { events, marks, done } => (events, marks, done),
            Request::Ask(ask) => return Some(ask),
        };
        for event in &events {
            let class = Class::of(event);
            self.spool.append(match self.encoder.encode(event) {
                Ok(bytes) => Entry::Event(class, bytes),
                Err(EncodeError::TooLarge { .. }) => Entry::Lost(class, Reason::TooLarge),
            });
        }
        for (key, value) in marks {
            self.spool.append(Entry::Mark(key, value));
        }
        appended.push(done);
        None
    }

    fn commit(&mut self, appended: &mut Vec<oneshot::Sender<()>>) {
        if let Err(error) = self.spool.commit() {
            // Counted as shed; a full disk must not end the sensor.
            tracing::error!(error = &error as &dyn std::error::Error, "events could not be spooled");
        }
        self.durable.send_replace(self.spool.durable_seq());
        for done in appended.drain(..) {
            done.send(()).unwrap_or_default();
        }
    }

    fn answer(&mut self, ask: Ask) -> Result<(), SpoolError> {
        // Who asked may have given up waiting; then there is nobody to tell.
        match ask {
            Ask::Page { from, max, reply } => drop(reply.send(self.spool.page(from, max)?)),
            Ask::Sending { up_to, done } => {
                self.spool.sending(up_to)?;
                done.send(()).unwrap_or_default();
            }
            Ask::Acked { up_to } => self.spool.acked(up_to)?,
            Ask::Account { reply } => drop(reply.send(self.spool.account()?)),
        }
        Ok(())
    }
}
