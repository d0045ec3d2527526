//! One session: from connecting to whatever ends it.

use std::{
    pin::pin,
    time::{Duration, SystemTime},
};

use bongsu_proto::{
    PROTOCOL, batch, limits,
    limits::SELF_TEXT_BYTES_MAX,
    v1::{self, correlator_message::Body as Said, ingest_client::IngestClient, sensor_message::Body},
};
use tokio::{
    select,
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming, transport::Channel};

use super::{
    Uplink,
    connect::{ConnectError, connect},
    evidence,
    ledger::ledger,
    window::{BadAck, Window},
};
use crate::{
    kernel::Kernel,
    probe::Hook,
    spool::{PageMax, owner::Closed},
};

/// Messages between the tasks of a session and HTTP/2.
const MESSAGES_MAX: usize = 4;
/// Of one batch. Large enough that a transaction at the correlator is worth its fsync.
const PAGE: PageMax = PageMax { events: 2_000, bytes: 2 * 1024 * 1024 };
/// While events keep coming, batches leave this far apart: what gathers meanwhile shares the price of a message here and of a transaction
/// over there. An event that follows a pause leaves at once.
const GATHER: Duration = Duration::from_millis(50);
/// The correlator has so long to answer Hello.
const WELCOME_WITHIN: Duration = Duration::from_secs(20);

/// How often the correlator is told what the hooks cost.
const HOOKS_EVERY: Duration = Duration::from_secs(60);

/// Why a session ended, or never began.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke. TLS tells a refused certificate here, as its alert follows the handshake.
    #[error("the connection to the correlator broke: {why}")]
    Broken {
        /// The words of TCP or TLS.
        why: String,
    },
    /// The correlator said no.
    #[error("the correlator ended the session: {message} ({code:?})", message = .0.message(), code = .0.code())]
    Status(#[source] Box<Status>),
    /// It said nothing and left.
    #[error("the correlator closed the session")]
    Closed,
    /// Its first message is not Welcome, or none came.
    #[error("the correlator did not answer the greeting: {0}")]
    NoWelcome(&'static str),
    /// It acknowledges what it never got.
    #[error(transparent)]
    BadAck(#[from] BadAck),
    /// It has events that we never had.
    #[error("the correlator has events up to {stored} of this spool, which ends at {last}: an older copy was restored")]
    Ahead {
        /// What it has.
        stored: u64,
        /// What we have.
        last: u64,
    },
    /// The spool holds what cannot be sent.
    #[error(transparent)]
    Pack(#[from] batch::PackError),
    /// The spool is gone.
    #[error(transparent)]
    Spool(#[from] Closed),
}

impl From<Status> for SessionError {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

/// Runs a session. `Ok` when it ended because of `stop`.
pub(super) async fn run(uplink: &Uplink, address: &str, stop: &CancellationToken) -> Result<(), SessionError> {
    let Some(connected) = stop.run_until_cancelled(connect(address, uplink.config.tls.clone())).await else {
        return Ok(());
    };
    let (channel, testimony) = connected?;
    let ended = converse(uplink, channel, stop).await;
    match (ended, testimony.why()) {
        (Err(SessionError::Status(_) | SessionError::Closed), Some(why)) => {
            Err(SessionError::Broken { why: why.to_owned() })
        }
        (ended, _) => ended,
    }
}

async fn converse(uplink: &Uplink, channel: Channel, stop: &CancellationToken) -> Result<(), SessionError> {
    let hooks = uplink.kernel.watch_hooks();
    let open = async {
        let (messages, queue) = mpsc::channel(MESSAGES_MAX);
        messages.send(hello(uplink)).await.or(Err(SessionError::Closed))?;
        let mut client = IngestClient::new(channel)
            .max_encoding_message_size(limits::MESSAGE_BYTES_MAX)
            .max_decoding_message_size(limits::MESSAGE_BYTES_MAX);
        let greet = async {
            let mut said = client.session(ReceiverStream::new(queue)).await?.into_inner();
            let first = said.message().await?;
            Ok::<_, SessionError>((said, first))
        };
        let (said, first) = timeout(WELCOME_WITHIN, greet).await.or(Err(SessionError::NoWelcome("too late")))??;
        match first.and_then(|message| message.body) {
            Some(Said::Welcome(welcome)) => Ok((messages, said, welcome.stored_up_to)),
            Some(_) => Err(SessionError::NoWelcome("it said something else first")),
            None => Err(SessionError::Closed),
        }
    };
    let Some(opened) = stop.run_until_cancelled(open).await else {
        return Ok(());
    };
    let (messages, mut said, stored_up_to) = opened?;
    let last = uplink.spool.account().await?.last_seq;
    if stored_up_to > last {
        return Err(SessionError::Ahead { stored: stored_up_to, last });
    }
    uplink.spool.acked(stored_up_to).await?;
    uplink.health.connected();
    tracing::info!(stored_up_to, "session open");

    let (requests, waiting) = mpsc::channel(evidence::REQUESTS_MAX);
    let session = Session {
        uplink,
        window: Window::new(stored_up_to),
        next_batch: Instant::now(),
        outbox: vec![Outgoing::Ledger],
        hooks,
        requests,
        messages: messages.clone(),
    };
    let evidence = evidence::run(waiting, uplink.kernel.clone(), messages);
    select! {
        ended = session.run(&mut said, stop) => ended?,
        // Ends only when its queue does, or when reading panicked.
        _ = evidence => return Err(SessionError::Closed),
    }
    // Our side of the stream ends now, as all who could speak are gone; the correlator ends its side when it has heard everything.
    let heard = timeout(uplink.config.drain_max, async { while let Ok(Some(_)) = said.message().await {} }).await;
    if heard.is_err() {
        tracing::warn!("the correlator did not end the session in time");
    }
    Ok(())
}

/// Where the hooks stand and what they cost.
fn hooks(kernel: &Kernel) -> Vec<v1::Hook> {
    let figures = kernel.figures();
    let program = |name: &&'static str| {
        let figure = figures.iter().find(|(of, _)| of == name).map(|(_, figure)| *figure).unwrap_or_default();
        v1::Program {
            name: (*name).to_owned(),
            runs: figure.runs,
            run_ns: u64::try_from(figure.time.as_nanos()).unwrap_or(u64::MAX),
            missed: figure.missed,
        }
    };
    let hook = |hook: Hook| v1::Hook {
        programs: hook.programs.iter().map(program).collect(),
        name: hook.name,
        rung: bounded(hook.rung),
        detail: bounded(hook.detail),
    };
    kernel.hooks().into_iter().map(hook).collect()
}

/// As much of a text as the correlator takes: a kernel may have much to say about why it refuses a hook, and a session does not depend on it.
fn bounded(mut text: String) -> String {
    const CUT: &str = "...";
    if text.len() > SELF_TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SELF_TEXT_BYTES_MAX - CUT.len()));
        text.push_str(CUT);
    }
    text
}

fn hello(uplink: &Uplink) -> v1::SensorMessage {
    let config = &uplink.config;
    let hello = v1::Hello {
        protocol: PROTOCOL,
        epoch: uplink.spool.epoch(),
        host_name: config.host_name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: config.kernel_release.clone(),
        hooks: hooks(&uplink.kernel),
        log_paths: config.log_paths.clone(),
    };
    v1::SensorMessage { body: Some(Body::Hello(hello)) }
}

/// What waits to be said, besides batches. Ledgers are made when their turn comes, so that they are not old when they leave.
enum Outgoing {
    Ledger,
    Hooks,
    Pong(u64),
    Busy(u64),
}

struct Session<'a> {
    uplink: &'a Uplink,
    window: Window,
    /// Before this the next batch still gathers.
    next_batch: Instant,
    /// Answers come one for one request of the correlator, so it bounds this itself; see [`OUTBOX_MAX`].
    outbox: Vec<Outgoing>,
    /// Changes when a hook falls silent or speaks again.
    hooks: watch::Receiver<Vec<Hook>>,
    requests: mpsc::Sender<v1::EvidenceRequest>,
    messages: mpsc::Sender<v1::SensorMessage>,
}

/// A correlator that asks faster than it listens is cut off here: its further pings go unanswered.
const OUTBOX_MAX: usize = 64;

impl Session<'_> {
    async fn run(
        mut self,
        said: &mut Streaming<v1::CorrelatorMessage>,
        stop: &CancellationToken,
    ) -> Result<(), SessionError> {
        let mut durable = self.uplink.spool.durable();
        let mut ticks = interval(self.uplink.config.ledger_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The greeting has just told of the hooks.
        let mut told_hooks = interval_at(Instant::now() + HOOKS_EVERY, HOOKS_EVERY);
        let messages = self.messages.clone();
        let mut deadline = None;
        loop {
            let last = *durable.borrow_and_update();
            let pending = self.window.next_seq() <= last;
            let is_page = last.saturating_sub(self.window.next_seq()) >= PAGE.events as u64;
            let gathering = pending && !is_page && deadline.is_none() && Instant::now() < self.next_batch;
            let has_batch = pending && !gathering && self.window.has_room();
            if let Some(deadline) = deadline
                && ((!pending && self.window.all_acked()) || Instant::now() >= deadline)
            {
                return self.farewell().await;
            }
            let until = deadline.or(gathering.then_some(self.next_batch));
            let time_up = pin!(sleep_until(until.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))));
            select! {
                message = said.message() => match message?.and_then(|message| message.body) {
                    Some(message) => self.hear(message).await?,
                    None => return Err(SessionError::Closed),
                },
                permit = messages.reserve(), if has_batch || !self.outbox.is_empty() => {
                    let permit = permit.or(Err(SessionError::Closed))?;
                    permit.send(self.next_message().await?);
                }
                changed = durable.changed(), if !pending => changed.or(Err(Closed))?,
                _ = ticks.tick() => self.say(Outgoing::Ledger),
                _ = told_hooks.tick() => self.say(Outgoing::Hooks),
                // Fails when there are no probes or they have ended, and then nothing changes.
                Ok(()) = self.hooks.changed() => self.say(Outgoing::Hooks),
                () = time_up => {}
                () = stop.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + self.uplink.config.drain_max);
                }
            }
        }
    }

    fn say(&mut self, outgoing: Outgoing) {
        if self.outbox.len() < OUTBOX_MAX {
            self.outbox.push(outgoing);
        }
    }

    async fn hear(&mut self, message: Said) -> Result<(), SessionError> {
        match message {
            Said::Ack(ack) => {
                if self.window.ack(ack.up_to)? {
                    self.uplink.spool.acked(ack.up_to).await?;
                }
            }
            Said::Ping(ping) => {
                self.say(Outgoing::Ledger);
                self.say(Outgoing::Pong(ping.nonce));
            }
            Said::EvidenceRequest(request) => {
                let number = request.request;
                if self.requests.try_send(request).is_err() {
                    self.say(Outgoing::Busy(number));
                }
            }
            Said::Welcome(_) => return Err(SessionError::NoWelcome("it greeted twice")),
        }
        Ok(())
    }

    async fn next_message(&mut self) -> Result<v1::SensorMessage, SessionError> {
        if self.outbox.is_empty() {
            return self.batch().await;
        }
        let body = match self.outbox.remove(0) {
            Outgoing::Ledger => Body::Ledger(self.ledger().await?),
            Outgoing::Hooks => Body::Hooks(v1::Hooks { hooks: hooks(&self.uplink.kernel) }),
            Outgoing::Pong(nonce) => Body::Pong(v1::Pong { nonce }),
            Outgoing::Busy(request) => return Ok(evidence::busy(request)),
        };
        Ok(v1::SensorMessage { body: Some(body) })
    }

    async fn batch(&mut self) -> Result<v1::SensorMessage, SessionError> {
        let spool = &self.uplink.spool;
        let mut page = spool.page(self.window.next_seq(), PAGE).await?;
        let (taken, events) = match page.events.is_empty() {
            true => (0, Vec::new()),
            false => batch::pack(&page.events)?,
        };
        if let Some(left_out) = page.numbers.get(taken) {
            page.next_seq = *left_out;
            page.shed.retain(|range| range.last < *left_out);
        }
        // Before it leaves: from now on these events may be stored, so they are not shed any more.
        spool.sending(page.next_seq - 1).await?;
        self.window.sent(page.next_seq);
        self.next_batch = Instant::now() + GATHER;
        let count = u32::try_from(taken).expect("a page has at most a few thousand events");
        let batch = v1::Batch { first_seq: page.first_seq, count, events, shed: page.shed };
        Ok(v1::SensorMessage { body: Some(Body::Batch(batch)) })
    }

    async fn ledger(&self) -> Result<v1::Ledger, SessionError> {
        // Counters first: what is read later can only be more.
        let counters = self.uplink.kernel.counters();
        let account = self.uplink.spool.account().await?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        Ok(ledger(&account, counters, i64::try_from(now).unwrap_or(i64::MAX)))
    }

    /// The last ledger, and the end of our side of the stream.
    async fn farewell(self) -> Result<(), SessionError> {
        let ledger = self.ledger().await?;
        let message = v1::SensorMessage { body: Some(Body::Ledger(ledger)) };
        match timeout(self.uplink.config.drain_max, self.messages.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => tracing::warn!("the correlator did not take the last ledger"),
        }
        Ok(())
    }
}
