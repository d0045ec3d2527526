//! The command line.

use std::path::PathBuf;

use bongsu_event::{EvidenceId, Severity};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::exit;

/// Reads incidents, evidence and sensors from a Bongsu correlator.
#[derive(Debug, Parser)]
#[command(name = "bongsu", version, after_help = exit::HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// How to show the answer
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Where the correlator is, and who asks.
#[derive(Debug, ClapArgs)]
pub(crate) struct ConnectionArgs {
    /// The correlator's URL, such as http://127.0.0.1:8470
    #[arg(long, global = true)]
    pub(crate) url: Option<String>,
    /// A file that holds an API token
    #[arg(long, global = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// The correlator's state directory [default: BONGSU_STATE_DIR, else /var/lib/bongsu-correlator]
    #[arg(long, global = true)]
    pub(crate) state_dir: Option<PathBuf>,
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON document a line
    Ndjson,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// What happened
    #[command(subcommand)]
    Incident(IncidentVerb),
    /// All that was seen, whether or not anything came of it
    #[command(subcommand)]
    Event(EventVerb),
    /// Bytes taken from hosts
    #[command(subcommand)]
    Evidence(EvidenceVerb),
    /// The hosts' sensors
    #[command(subcommand)]
    Sensor(SensorVerb),
}

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentVerb {
    /// Lists incidents, newest first
    List(IncidentList),
    /// Tells one incident as a story
    Show {
        /// BGS-1, or just 1
        id: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct IncidentList {
    /// Only those that are open or closed
    #[arg(long, value_enum)]
    pub(crate) status: Option<Status>,
    /// Only this severity and those above it: info, low, medium, high, critical
    #[arg(long)]
    pub(crate) severity: Option<Severity>,
    /// Only those that touch the host of this name
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
}

/// Whether an incident is being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Status {
    /// It is
    Open,
    /// It is done with
    Closed,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventVerb {
    /// Lists events, those that came last first
    List(EventList),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EventList {
    /// Only those of the host of this name
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Only this action: exec, connect, login-failure, ...
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only from then on: a time (2026-11-22T09:00:00Z) or how long ago (10m, 2h, 3d)
    #[arg(long, value_parser = moment)]
    pub(crate) since: Option<Moment>,
    /// Only up to then: a time, or how long ago
    #[arg(long, value_parser = moment)]
    pub(crate) until: Option<Moment>,
    /// Only those with this text in one of their fields, in upper or lower case
    #[arg(long)]
    pub(crate) contains: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

/// A point in time, as RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) String);

/// Reads a time, or a span that lies between it and now.
fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Moment(time.to_string()));
    }
    let span: jiff::Span = text.parse().map_err(|error| format!("neither a time nor a span: {error}"))?;
    // Days of 24 hours: what somebody means who counts back from now.
    let ago = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())?;
    let time = jiff::Timestamp::now().checked_sub(ago.abs()).map_err(|error| error.to_string())?;
    Ok(Moment(time.to_string()))
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceVerb {
    /// Lists evidence, newest first
    List,
    /// Fetches the bytes, and their custody log into FILE.custody.json beside them
    Fetch {
        /// The SHA-256 of the bytes, which is their name
        sha256: EvidenceId,
        /// The file to make [default: the SHA-256]
        #[arg(short = 'O', long)]
        out: Option<PathBuf>,
    },
    /// Checks that bytes are what they should be
    Verify {
        /// A file, or the SHA-256 of evidence in the correlator's store
        subject: PathBuf,
        /// What the file's SHA-256 should be [default: what FILE.custody.json says, else the file's name]
        #[arg(long)]
        sha256: Option<EvidenceId>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SensorVerb {
    /// Lists sensors, with what they lost
    List,
    /// Shows where the hooks of a sensor stand and what they cost
    Show {
        /// The host's name, or the sensor's id
        sensor: String,
    },
    /// Join tokens
    #[command(subcommand)]
    Token(TokenVerb),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Makes a token that lets one new sensor join
    Create,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn a_moment_is_a_time_or_a_span_before_now() {
        assert_eq!(moment("2026-11-22T09:00:00+01:00").unwrap().0, "2026-11-22T08:00:00Z");
        for span in ["10m", "2h", "3d", "1w"] {
            let time: jiff::Timestamp = moment(span).unwrap().0.parse().unwrap();
            assert!(time < jiff::Timestamp::now(), "{span}");
        }
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
