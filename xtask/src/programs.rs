//! Builds the programs that run: one profile for all verbs, so that each is compiled once.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    command::{cargo, run, say, target_dir},
    ebpf, setup,
};

/// The packages whose binaries the demo, the tests and the benches run.
const PROGRAMS: [&str; 5] = ["bongsu-sensor", "bongsu-correlator", "bongsu-scanner", "bongsu-cli", "bongsu-e2e"];

/// Builds them all, set-up and kernel programs included, and returns the folder they lie in.
pub(crate) fn build() -> Result<PathBuf> {
    let tools = setup::run()?;
    say(&format!("kernel programs are built by {}", tools.bpf.name));
    ebpf::build(&tools)?;
    let mut command = cargo();
    command.args(["build", "--release", "--locked"]);
    for program in PROGRAMS {
        command.args(["--package", program]);
    }
    run(&mut command)?;
    Ok(target_dir().join("release"))
}
