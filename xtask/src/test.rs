//! `cargo xtask test`: every test there is, set-up included.

use anyhow::Result;

use crate::{
    checks,
    command::{self, cargo, is_root, say},
    programs, setup,
};

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Only tests whose name contains this.
    filter: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    checks::format()?;
    checks::every_crate_opts_into_the_lints()?;
    programs::build()?;
    if !is_root() {
        say("not root: tests that load kernel programs run through sudo");
    }
    let mut test = cargo();
    test.args(["test", "--release", "--locked", "--workspace", "--exclude", "bongsu-sensor-ebpf"]);
    if !is_root() {
        test.args(["--config", "target.'cfg(target_os = \"linux\")'.runner = 'sudo -E'"]);
    }
    match setup::runtimes::find() {
        Ok(folder) => test.env("BONGSU_CONTAINER_RUNTIMES", folder),
        Err(why) => {
            say(&format!("the stories of containers will be skipped: {why:#}"));
            test.env("BONGSU_NO_CONTAINER_RUNTIMES", format!("{why:#}"))
        }
    };
    test.arg("--");
    test.args(arguments.filter.as_deref());
    command::run(&mut test)
}
