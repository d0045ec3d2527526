//! `cargo xtask fuzz`: the sensor's fuzz targets, which run in the suite with a fixed number of cases, for longer.

use anyhow::Result;

use crate::command::{self, cargo};

/// As sensor/src/fuzz.rs reads it.
const SECONDS: &str = "BONGSU_FUZZ_SECONDS";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only targets whose name contains this: records, log_lines, batches, ...
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut test = cargo();
    test.args(["test", "--release", "--locked", "--package", "bongsu-sensor", "--"]);
    test.arg(format!("fuzz_{}", arguments.target.as_deref().unwrap_or_default()));
    // One after the other, and what each did is said.
    test.args(["--test-threads=1", "--nocapture"]);
    command::run(test.env(SECONDS, arguments.seconds.to_string()))
}
