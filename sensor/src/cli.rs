//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const STATE_DIR: &str = "/var/lib/bongsu-sensor";

/// Watches this host and tells the correlator what happens.
#[derive(Debug, Parser)]
#[command(name = "bongsu-sensor", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Enrol this host with the correlator that issued TOKEN.
    Join(Join),
    /// Watch this host until told to stop.
    Run(Run),
    /// Check the configuration and say every mistake in it.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Say where each hook would stand on this kernel, why not better, and what its programs cost.
    ///
    /// Loads a copy of the programs beside those of a sensor that may be running, watches for a while what this host does, and counts.
    Probes(Probes),
}

/// Arguments of `join`.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The join token, as the correlator printed it.
    pub(crate) token: String,
    /// Where identity and spool are kept.
    #[arg(long, default_value = STATE_DIR)]
    pub(crate) state_dir: PathBuf,
    /// HOST:PORT of the enrolment listener, instead of those in the token. May be given more than once.
    #[arg(long)]
    pub(crate) address: Vec<String>,
    /// Replace an identity that is there already.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration file.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Where identity and spool are kept.
    #[arg(long, default_value = STATE_DIR)]
    pub(crate) state_dir: PathBuf,
    /// Follow logs only; needs no rights over the kernel.
    #[arg(long)]
    pub(crate) no_probes: bool,
}

/// Arguments of `probes`.
#[derive(Debug, Args)]
pub(crate) struct Probes {
    /// How to show it.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// How long to watch.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
}

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON object.
    Json,
}
