//! `bongsu-bench`: figures, never verdicts. Peers are measured in the same run; ratios mean more than seconds.

mod churn;
mod exec_storm;
mod flood;
mod idle;
mod sensors;
mod table;
mod wire;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "bongsu-bench", about = "Measure Bongsu")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// As many execs as the cores can start, under sensor and correlator: stored, lost, CPU per exec and memory of both.
    ExecStorm {
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        execs: u32,
        /// Run the program below /tmp, where every start is a finding.
        #[arg(long)]
        suspicious: bool,
    },
    /// The same under the sensor alone, and under its peers: captured, lost, CPU per exec, memory, slowdown of the storm.
    Sensors {
        /// How many in each storm.
        #[arg(long, default_value_t = 10_000)]
        execs: u32,
        /// How often each takes its turn.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// Where the auditd package lies unpacked.
        #[arg(long)]
        auditd: Option<PathBuf>,
    },
    /// Opens for writing from all cores, under the sensor alone and under its peers: told, suppressed, lost.
    Flood {
        /// How many.
        #[arg(long, default_value_t = 200_000)]
        opens: u32,
        /// Where the auditd package lies unpacked.
        #[arg(long)]
        auditd: Option<PathBuf>,
    },
    /// Bytes on the wire for each event while this machine builds software.
    Wire {
        /// C files to compile.
        #[arg(long, default_value_t = 300)]
        files: u32,
    },
    /// CPU, memory and wakes of the sensor while nothing happens.
    Idle {
        /// How long to watch.
        #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
    },
    /// Memory of the sensor while processes, files and connections come and go.
    Churn {
        /// How long.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
        minutes: u32,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().bench {
        Bench::ExecStorm { execs, suspicious } => exec_storm::run(execs, suspicious),
        Bench::Sensors { execs, rounds, auditd } => sensors::run(sensors::Plan { execs, rounds, auditd }),
        Bench::Flood { opens, auditd } => flood::run(&flood::Plan { opens, auditd }),
        Bench::Wire { files } => wire::run(files),
        Bench::Idle { seconds } => idle::run(seconds),
        Bench::Churn { minutes } => churn::run(minutes),
    }
}
