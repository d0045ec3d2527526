//! `cargo xtask demo`: builds what is needed and hands over to the demo program in e2e.

use anyhow::Result;

use crate::{
    command::{self, as_root},
    programs,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Keep the correlator and its page up until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let programs = programs::build()?;
    let mut demo = as_root(programs.join("bongsu-demo"));
    if arguments.keep {
        demo.arg("--keep");
    }
    command::run(&mut demo)
}
