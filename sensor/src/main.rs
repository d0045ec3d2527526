//! `bongsu-sensor`: the host program. Kernel events and log lines in, numbered events out to the correlator.

mod app;
mod cli;
mod config;
mod decode;
mod enrich;
#[cfg(test)]
mod fuzz;
mod health;
mod heap;
mod identity;
mod kernel;
mod mask;
mod opener;
mod probe;
mod process_table;
mod recent;
mod rights;
mod runtime;
mod say_probes;
mod spool;
mod tail;
mod uplink;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;
use bongsu_proto::join_token::JoinToken;
use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command, Join};
use config::Config;
use identity::{Identity, enrol, make_state_dir};
use kernel::Prepared;

/// How the program ends. The numbers are those of sysexits.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Ok = 0,
    /// It worked for a while, or would have, and then something failed.
    Failure = 1,
    /// The command line makes no sense: a damaged token.
    Usage = 64,
    /// The configuration has mistakes, or this sensor has not joined.
    Config = 78,
}

fn main() -> ExitCode {
    heap::bound();
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("BONGSU_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .with_env_filter(filter)
        .init();
    let exit = match run(cli) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            // To the log, which is stderr: the one place where the reason stands, as a chain.
            tracing::error!("{error:#}");
            exit_of(&error)
        }
    };
    ExitCode::from(exit as u8)
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if error.is::<config::ConfigError>() || error.is::<identity::IdentityError>() {
        Exit::Config
    } else if error.is::<bongsu_proto::join_token::ParseTokenError>() {
        Exit::Usage
    } else {
        Exit::Failure
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Join(arguments) => runtime()?.block_on(join(arguments)),
        Command::Run(arguments) => {
            let mut config = Config::load(arguments.config.as_deref())?;
            config.probes &= !arguments.no_probes;
            watch(config, &arguments.state_dir)
        }
        Command::Check { config } => {
            let config = Config::load(config.as_deref())?;
            let logs = config.logs.len();
            writeln!(io::stdout(), "the configuration is fine; {logs} logs would be followed")?;
            Ok(())
        }
        Command::Probes(arguments) => say_probes::say(&arguments, &mut io::stdout()),
    }
}

/// Rights first, while there is one thread: what attaching needs is gone before the first byte of an event is looked at.
fn watch(config: Config, state_dir: &Path) -> anyhow::Result<()> {
    let opener = config.probes.then(opener::start).transpose().context("cannot start the opener")?;
    let identity = Identity::load(state_dir)?;
    let prepared = app::attach(&config, state_dir)?;
    let needs = rights::Needs {
        state_dir: Some(state_dir.to_owned()),
        addresses: identity.addresses.clone(),
        ports: prepared.iter().filter_map(Prepared::port).collect::<Result<_, _>>()?,
        failing_calls: probe::pulse_calls().collect(),
    };
    let kept = rights::keep(&needs, || prepared.as_ref().is_none_or(Prepared::reads_maps))?;
    tracing::info!("rights: {kept}");
    if let Some(opener) = opener {
        opener.hand_over();
    }
    runtime()?.block_on(app::run(config, identity, state_dir, prepared))
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

async fn join(arguments: Join) -> anyhow::Result<()> {
    let mut token: JoinToken = arguments.token.parse()?;
    if !arguments.address.is_empty() {
        token.addresses = arguments.address;
    }
    make_state_dir(&arguments.state_dir)?;
    if !arguments.force {
        Identity::check_absent(&arguments.state_dir)?;
    }
    let identity = enrol::enrol(&token, app::host_name()?).await?;
    identity.save(&arguments.state_dir)?;
    writeln!(io::stdout(), "joined as sensor {}", identity.sensor_id)?;
    Ok(())
}
