//! `bongsu-correlator`: joins what the sensors see into incidents.

mod advise;
mod api;
mod app;
mod authority;
mod clock;
mod config;
mod courier;
mod deliver;
mod evidence;
mod export;
mod intake;
mod notify;
mod pipeline;
mod state_dir;
mod store;
mod view;
mod web;

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use config::{Config, ConfigError};
use store::Store;

/// Joins what sensors see into incidents.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 ended as asked, 1 failed, 2 wrong usage, 78 the configuration is refused."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run until SIGTERM or SIGINT. Needs no configuration.
    Serve(Place),
    /// Say what is wrong with a configuration file.
    Check {
        /// The file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Print a new link that lets one person in once.
    Link(Place),
}

#[derive(Args)]
struct Place {
    /// A configuration file; without one the defaults hold.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, default_value = config::STATE_DIR)]
    state_dir: PathBuf,
}

/// As sysexits.h has it.
const EXIT_CONFIG: u8 = 78;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr();
    match run(arguments.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            if error.is::<ConfigError>() { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start a runtime")?;
    match verb {
        Verb::Serve(place) => {
            let config = Config::load(place.config.as_deref())?;
            runtime.block_on(app::serve(config, &place.state_dir))
        }
        Verb::Check { config } => {
            Config::load(config.as_deref())?;
            app::print(&["the configuration is good".to_owned()]).context("cannot print")
        }
        Verb::Link(place) => runtime.block_on(async {
            let endpoints = app::read_endpoints(&place.state_dir)
                .with_context(|| format!("no correlator has run in {}", place.state_dir.display()))?;
            let store = Store::open(&place.state_dir.join(app::DATABASE)).await?;
            let link = app::admin_link(&store, &endpoints.url).await?;
            store.close().await;
            app::print(&[link]).context("cannot print")
        }),
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("BONGSU_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,h2=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}
