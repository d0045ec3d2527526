//! The wiring, and the only place that spawns. Everything long-lived is named here, ends here, and is waited for here.
//!
//! ```text
//! probes -\
//!          > intake (mask) -> spool thread -> uplink
//! tail ---/
//! ```
//! A task that ends early ends the program: systemd restarts honest failures. Told to stop, sources end first, what they had goes into
//! the spool, the uplink sends what it can in a few seconds and says the last ledger, the spool closes last.

use std::{path::Path, pin::pin, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use bongsu_event::Event;
use bongsu_sensor_abi::{OTHER_RING_BYTES, PROCESS_RING_BYTES};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
    time::{interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, SEGMENT_BYTES},
    health::{Health, count},
    identity::{Identity, tls},
    kernel::{Kernel, KernelEvents, Prepared},
    mask::Masker,
    probe::{self, ProbeConfig},
    spool::{self, Spool, owner},
    tail,
    uplink::{self, Uplink},
};

/// Sources have so long to hand over what they hold.
const SOURCES_STOP_WITHIN: Duration = Duration::from_secs(5);
/// The uplink goes on so long to send what is spooled.
const UPLINK_DRAIN: Duration = Duration::from_secs(3);
const HEALTH_EVERY: Duration = Duration::from_secs(60);
/// What the probes cost is counted at the start, for a moment only: two looks at the clock for each run of each program made a storm of execs a sixth
/// slower. The figures stay when the counting ends; the uplink tells them each minute.
const COUNTED: Duration = Duration::from_secs(10);

/// The name this host claims.
pub(crate) fn host_name() -> anyhow::Result<Vec<u8>> {
    Ok(rustix::system::uname().nodename().to_bytes().to_vec())
}

/// Runs the sensor until it is told to stop or a part of it fails.
pub(crate) async fn run(
    config: Config,
    identity: Identity,
    state_dir: &Path,
    prepared: Option<Prepared>,
) -> anyhow::Result<()> {
    let health = Arc::new(Health::default());
    let tls = tls::session(&identity)?;
    let spool = Spool::open(spool::Config {
        dir: state_dir.join("spool"),
        bytes_max: config.spool_bytes_max,
        segment_bytes: SEGMENT_BYTES,
    })?;
    let marks = spool.marks().clone();
    let followed = tail::Tail::new(config.logs.clone(), &marks, Arc::clone(&health))?;
    let (kernel, kernel_events) = start_kernel(prepared)?;
    let kernel = Arc::new(kernel);
    say_bounds(&kernel, &config);
    let mut stop_signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut child_ended = signal(SignalKind::child())?;

    let (spool, owner) = owner::own(spool);
    let spool_thread = spawn_blocking(move || owner.run());
    let (stop_sources, stop_uplink) = (CancellationToken::new(), CancellationToken::new());
    let masker = config.mask.then(Masker::default);

    let mut sources = JoinSet::new();
    sources.spawn(name("tail", followed.run(Intake::new(&spool, &masker, &health), stop_sources.clone())));
    if let Some(events) = kernel_events {
        sources.spawn(name("probes", drain_probes(events, Intake::new(&spool, &masker, &health))));
    }
    let uplink = Uplink {
        config: uplink::Config {
            addresses: identity.addresses.clone(),
            tls,
            host_name: host_name()?,
            kernel_release: rustix::system::uname().release().to_string_lossy().into_owned(),
            log_paths: config.logs.iter().map(|path| path.as_os_str().as_encoded_bytes().to_vec()).collect(),
            ledger_every: Duration::from_secs(2),
            backoff: (Duration::from_millis(500), Duration::from_secs(30)),
            drain_max: UPLINK_DRAIN,
        },
        spool,
        kernel: Arc::clone(&kernel),
        health: Arc::clone(&health),
    };
    let mut uplink = tokio::spawn(uplink.run(stop_uplink.clone()));
    tracing::info!(sensor = %identity.sensor_id, logs = config.logs.len(), probes = config.probes, "running");

    let mut report = interval(HEALTH_EVERY);
    let mut counted = pin!(sleep(COUNTED));
    let mut counting = true;
    let failure = loop {
        tokio::select! {
            _ = stop_signals.0.recv() => break None,
            _ = stop_signals.1.recv() => break None,
            // The only child there is.
            _ = child_ended.recv() => break Some(anyhow!("the opener ended: images of processes cannot be had")),
            Some(ended) = sources.join_next() => break Some(early(ended)),
            ended = &mut uplink => break Some(early(ended.map(|ended| ("uplink", ended.map_err(Into::into))))),
            _ = report.tick() => health.log(kernel.counters(), kernel.missed()),
            () = &mut counted, if counting => {
                kernel.stop_counting();
                tracing::info!("what the probes cost is counted no longer");
                counting = false;
            }
        }
    };

    tracing::info!("stopping");
    stop_sources.cancel();
    kernel.stop();
    if timeout(SOURCES_STOP_WITHIN, async { while sources.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!(remaining = sources.len(), "sources did not stop in time");
    }
    drop(sources);
    stop_uplink.cancel();
    if !uplink.is_finished()
        && let Err(error) = uplink.await
    {
        tracing::error!(%error, "the uplink failed while stopping");
    }
    // Every handle is gone now, so the thread ends when it has written what waited.
    let closed = spool_thread.await.context("the spool's thread panicked")?;
    health.log(kernel.counters(), kernel.missed());
    closed.context("the spool failed")?;
    failure.map_or(Ok(()), Err)
}

/// All that is kept, in one line: none of it grows with the number of processes ever seen.
fn say_bounds(kernel: &Kernel, config: &Config) {
    let Some(bounds) = kernel.bounds() else { return };
    tracing::info!(
        kernel_maps_kib = bounds.kernel_maps / 1024,
        rings_kib = (PROCESS_RING_BYTES + OTHER_RING_BYTES) / 1024,
        table_processes = bounds.table_entries,
        table_kib = bounds.table / 1024,
        queue_kib = bounds.queue / 1024,
        spool_kib = config.spool_bytes_max / 1024,
        "memory is bounded by"
    );
}

/// Why a task that should run for ever ended.
fn early(ended: Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow!("{name} ended by itself"),
        Ok((name, Err(error))) => error.context(format!("{name} failed")),
        Err(error) => anyhow!("a part of the sensor panicked: {error}"),
    }
}

async fn name(
    name: &'static str,
    task: impl Future<Output = anyhow::Result<()>>,
) -> (&'static str, anyhow::Result<()>) {
    (name, task.await)
}

/// The way into the spool: masks, appends, waits until it is durable.
#[derive(Debug)]
pub(crate) struct Intake {
    spool: owner::Handle,
    masker: Option<Masker>,
    health: Arc<Health>,
}

impl Intake {
    fn new(spool: &owner::Handle, masker: &Option<Masker>, health: &Arc<Health>) -> Self {
        Self { spool: spool.clone(), masker: masker.clone(), health: Arc::clone(health) }
    }

    /// Takes a batch in; returns when it is durable, or counted as lost.
    pub(crate) async fn take(&mut self, mut events: Vec<Event>, marks: Vec<owner::Mark>) -> Result<(), owner::Closed> {
        if let Some(masker) = &mut self.masker {
            for event in &mut events {
                if masker.mask(event) {
                    count(&self.health.masked);
                }
            }
        }
        self.spool.append(events, marks).await
    }
}

/// Moves what the probes saw into the spool, until they are stopped and empty.
async fn drain_probes(mut events: mpsc::Receiver<Vec<Event>>, mut intake: Intake) -> anyhow::Result<()> {
    const BATCHES_MAX: usize = 16;
    let mut batches = Vec::new();
    while events.recv_many(&mut batches, BATCHES_MAX).await > 0 {
        // Nearly always there is one.
        let mut events = batches.remove(0);
        events.extend(batches.drain(..).flatten());
        intake.take(events, Vec::new()).await?;
    }
    Ok(())
}

/// Loads and attaches the probes, which takes rights that nothing after it needs; `None` when there are to be none.
pub(crate) fn attach(config: &Config, state_dir: &Path) -> anyhow::Result<Option<Prepared>> {
    if !config.probes {
        tracing::info!("running without probes: log lines only");
        return Ok(None);
    }
    let probes = ProbeConfig {
        sensitive_paths: config.sensitive_paths.clone(),
        environment: config.environment.clone(),
        budgets: config.budgets,
        folder: Some(state_dir.to_owned()),
        containers: config.containers.clone(),
        shells: if config.shell_lines { probe::shells() } else { Vec::new() },
        ..ProbeConfig::default()
    };
    Kernel::prepare(&probes).map(Some).context("cannot start the probes (`--no-probes` follows logs only)")
}

fn start_kernel(prepared: Option<Prepared>) -> anyhow::Result<(Kernel, KernelEvents)> {
    let Some(prepared) = prepared else { return Ok((Kernel::without_probes(), None)) };
    let (kernel, events) = Kernel::start(prepared).context("cannot start the probes' threads")?;
    // Where there are no probes, that was one line already.
    for hook in kernel.hooks().iter().filter(|_| events.is_some()) {
        tracing::info!(hook = %hook.name, rung = %hook.rung, detail = %hook.detail, "probe");
    }
    Ok((kernel, events))
}
