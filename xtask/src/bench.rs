//! `cargo xtask bench NAME`: figures, never verdicts.

use anyhow::Result;

use crate::{
    command::{self, as_root},
    programs, setup,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which one.
    name: Name,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Name {
    /// 10,000 execs as fast as the cores can: captured, lost, CPU per exec and RSS, beside execsnoop in the same run.
    ExecStorm,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = programs::build()?;
    let mut bench = as_root(folder.join("bongsu-bench"));
    match arguments.name {
        Name::ExecStorm => {
            setup::install_packages(&["libbpf-tools"])?;
            bench.arg("exec-storm");
        }
    }
    command::run(&mut bench)
}
