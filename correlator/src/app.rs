//! The wiring: builds every room, spawns what lives long, and ends it in order. Nothing else spawns long-lived tasks.
//!
//! Order of the end: doors (sensors, people) first, so that nothing new comes in; then what works on what is stored.

mod address;
mod first_run;
mod tasks;

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use bongsu_event::SensorId;
use reqwest::Url;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
};

use crate::{
    advise::{ModelWriter, TemplateWriter},
    authority::Authority,
    clock,
    config::Config,
    deliver::{self, Destination, PresenceOf},
    evidence::Evidence,
    export::{Elasticsearch, Ndjson},
    intake::{self, Intake, Sessions},
    notify::Slack,
    pipeline::{self, LoadedRules, Pipeline},
    state_dir::StateDir,
    store::Store,
    view::Presence,
};
use first_run::Endpoints;
use tasks::Stage;

pub(crate) use first_run::{admin_link, print, read_endpoints};

pub(crate) const DATABASE: &str = "bongsu.db";
/// How long each stage may take to end; two of them fit into what systemd waits.
const END_WITHIN: Duration = Duration::from_secs(10);
/// Parts of evidence on their way from sessions to the evidence room: 256 KiB each at most.
const PARTS_MAX: usize = 32;
const FINDINGS_MAX: usize = 16;

/// Runs the correlator until it is told to end, or a task fails.
pub(crate) async fn serve(config: Config, state_dir: &Path) -> anyhow::Result<()> {
    // Asked for before anything is built, so that a signal during the start ends it in order.
    let ended = asked_to_end()?;
    let state_dir = StateDir::open(state_dir)?;
    let store = Store::open(&state_dir.path().join(DATABASE)).await?;
    let (mut doors, mut inside) = (Stage::new("doors"), Stage::new("inside"));
    furnish(config, &state_dir, &store, &mut doors, &mut inside).await?;
    let failure = tokio::select! {
        () = ended => None,
        failure = doors.failure() => Some(failure),
        failure = inside.failure() => Some(failure),
    };
    match &failure {
        None => tracing::info!("asked to end"),
        Some(failure) => tracing::error!("ending: {failure:#}"),
    }
    let ends = [doors.end(END_WITHIN).await, inside.end(END_WITHIN).await];
    store.close().await;
    match failure {
        Some(failure) => Err(failure),
        None => ends.into_iter().collect(),
    }
}

/// Builds every room and spawns its tasks.
async fn furnish(
    config: Config,
    state_dir: &StateDir,
    store: &Store,
    doors: &mut Stage,
    inside: &mut Stage,
) -> anyhow::Result<()> {
    let authority = Arc::new(Authority::open(state_dir.path(), clock::now())?);
    let sessions = Sessions::new();
    let presence = presence(&sessions);
    let (parts_in, parts_out) = mpsc::channel(PARTS_MAX);
    let (findings_in, findings_out) = mpsc::channel(FINDINGS_MAX);
    let (committed, commits) = watch::channel(0);
    let (changed, changes) = watch::channel(0);

    let names = address::names(&config.public.names, config.intake.enrolment);
    let deps = intake::Deps {
        store: store.clone(),
        authority: Arc::clone(&authority),
        names: address::certificate_names(&names),
        sessions: sessions.clone(),
        evidence: parts_in,
        committed,
    };
    let intake = Intake::bind(&config.intake, deps).await?;
    let web =
        TcpListener::bind(config.web).await.with_context(|| format!("cannot listen on {} for pages", config.web))?;
    let endpoints = Endpoints {
        url: config
            .public
            .url
            .clone()
            .map_or_else(|| web.local_addr().map(|address| format!("http://{address}")), Ok)?,
        ingest: intake.ingest_address().to_string(),
        enrolment: intake.enrolment_address().to_string(),
    };
    let addresses = address::addresses(&names, intake.enrolment_address().port());
    let authority_sha256 = authority.fingerprint();

    let rules = rules(config.detection.rules_dir.as_deref())?;
    let (evidence, room, judge) = config.evidence.build(state_dir.path(), store.clone())?;
    spawn_deliveries(inside, config.deliveries, store, &presence, &endpoints.url)?;
    let stop = inside.stop();
    inside.spawn("wishes for evidence", pass_on_wishes(evidence.clone(), changes, stop.clone()));
    inside.spawn("the evidence room", well(room.run(sessions.clone(), parts_out, sessions.arrivals(), stop.clone())));
    inside.spawn("the judge of evidence", well(judge.run(findings_in, stop.clone())));
    let deps = pipeline::Deps { committed: commits, submitted: findings_out, changed };
    inside.spawn("the pipeline", Pipeline::start(store.clone(), rules, config.detection, deps, stop));

    first_run::prepare(store, state_dir.path(), &endpoints).await?;
    let joining = first_run::Joining { addresses: &addresses, authority_sha256 };
    first_run::greet(store, state_dir.path(), &endpoints, &joining).await?;
    doors.spawn("intake", intake.run(doors.stop()));
    let desk = crate::api::Desk {
        store: store.clone(),
        presence,
        joining: Arc::new(crate::api::Joining { addresses, authority_sha256 }),
        evidence,
        https: endpoints.url.starts_with("https:"),
    };
    doors.spawn("the pages", crate::web::serve(web, desk, doors.stop()));
    Ok(())
}

fn rules(directory: Option<&Path>) -> anyhow::Result<LoadedRules> {
    let rules = LoadedRules::load(directory)?;
    for error in &rules.errors {
        tracing::error!(%error, "a rule has a mistake and does not run");
    }
    tracing::info!(rules = rules.rule_count, sequences = rules.sequence_count, "rules loaded");
    Ok(rules)
}

/// Where incidents are carried, as far as it is configured.
#[derive(Debug, Clone)]
pub(crate) struct Deliveries {
    pub(crate) advise: crate::advise::Config,
    pub(crate) slack: Option<crate::notify::Config>,
    pub(crate) elasticsearch: Option<crate::export::ElasticsearchConfig>,
    pub(crate) ndjson: Option<crate::export::NdjsonConfig>,
}

fn spawn_deliveries(
    stage: &mut Stage,
    deliveries: Deliveries,
    store: &Store,
    presence: &PresenceOf,
    url: &str,
) -> anyhow::Result<()> {
    let mut spawn = |name, destination| {
        carry(stage, name, destination, store, presence);
    };
    spawn("advice", TemplateWriter::new(store.clone()));
    if let Some(model) = deliveries.advise.model {
        carry(stage, "advice of the model", ModelWriter::new(model, store.clone())?, store, presence);
    }
    if let Some(slack) = deliveries.slack {
        carry(stage, "Slack", Slack::new(slack, Url::parse(url).ok())?, store, presence);
    }
    if let Some(elasticsearch) = deliveries.elasticsearch {
        carry(stage, "Elasticsearch", Elasticsearch::new(elasticsearch)?, store, presence);
    }
    if let Some(ndjson) = deliveries.ndjson {
        carry(stage, "NDJSON files", Ndjson::new(ndjson), store, presence);
    }
    Ok(())
}

fn carry(
    stage: &mut Stage,
    name: &'static str,
    destination: impl Destination + 'static,
    store: &Store,
    presence: &PresenceOf,
) {
    let stop = stage.stop();
    stage.spawn(name, deliver::run(destination, store.clone(), Arc::clone(presence), stop));
}

fn presence(sessions: &Sessions) -> PresenceOf {
    let sessions = sessions.clone();
    Arc::new(move |sensor: SensorId| if sessions.is_online(sensor) { Presence::Online } else { Presence::Offline })
}

/// Every change of an incident may bring a wish for evidence.
async fn pass_on_wishes(
    evidence: Evidence,
    mut changes: watch::Receiver<u64>,
    stop: tokio_util::sync::CancellationToken,
) -> Result<(), std::convert::Infallible> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Ok(()) = changes.changed() => evidence.wished(),
            else => return Ok(()),
        }
    }
}

/// A task that has no way to fail.
async fn well(task: impl Future<Output = ()>) -> Result<(), std::convert::Infallible> {
    task.await;
    Ok(())
}

/// Resolves at the first SIGTERM or SIGINT.
fn asked_to_end() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
