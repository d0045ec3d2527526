//! `bongsu`: the command line over the REST API of the correlator.
//!
//! Owns how incidents, evidence and sensors look in a terminal, and what the exit code means. Refuses to trust what arrives: text
//! is escaped before a terminal sees it, and bytes of evidence get their name only after their SHA-256 was right. Bounded: an answer
//! may have so many bytes and take so long, and evidence is never larger than the correlator said.

mod args;
mod client;
mod connection;
mod event;
mod evidence;
mod exit;
mod failure;
mod incident;
mod output;
mod sensor;

use std::process::ExitCode;

use args::{Args, Verb};
use clap::Parser as _;
use client::Client;
use exit::Exit;
use failure::Failure;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(refused) => {
            // Help and version come this way too, and are no mistake.
            let exit = if refused.use_stderr() { Exit::Usage } else { Exit::Done };
            return if refused.print().is_ok() { exit.into() } else { Exit::CannotWrite.into() };
        }
    };
    rustls::crypto::ring::default_provider().install_default().expect("nothing before this line installs a provider");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(source) => Err(Failure::Runtime { source }),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report();
            failure.exit().into()
        }
    }
}

async fn run(args: Args) -> Result<Exit, Failure> {
    let format = args.output;
    // A local verification needs no correlator, so nothing is connected before a verb asks for it.
    let client = || connection::resolve(&args.connection).map(Client::new);
    match args.verb {
        Verb::Incident(verb) => incident::run(verb, format, &client()?).await,
        Verb::Event(verb) => event::run(verb, format, &client()?).await,
        Verb::Evidence(verb) => evidence::run(verb, format, client).await,
        Verb::Sensor(verb) => sensor::run(verb, format, &client()?).await,
    }
}
