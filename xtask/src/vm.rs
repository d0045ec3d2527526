//! `cargo xtask vm-test`: the probes' functional tests in kernels that this machine does not run, each started in several ways.
//!
//! Debian's kernels are downloaded and not installed, the tests travel in an initramfs with what they run, and QEMU emulates the processor:
//! neither root nor /dev/kvm nor a network is needed. A guest that hangs is ended at a deadline, one that leaves out a test that it should
//! run fails, and so does one where a hook stands lower than it should.

mod configuration;
mod console;
mod guest;
mod kernel;
mod machine;
mod suite;

use std::{env, fs, path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, bail};

use crate::{
    command::{self, cargo, output, say, target_dir},
    cross, ebpf, setup,
};
use configuration::{CONFIGURATIONS, Configuration, FOREIGN};
use console::Told;
use kernel::Kernel;
use machine::{MACHINES, Machine};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only kernels of this series, as in 6.1.
    #[arg(value_parser = kernel::SERIES)]
    series: Option<String>,
    /// Only started in this way, as in cgroup-v1.
    #[arg(long, value_parser = CONFIGURATIONS.iter().map(|configuration| configuration.name).collect::<Vec<_>>())]
    configuration: Option<String>,
    /// The guest's processor.
    #[arg(long, default_value = env::consts::ARCH, value_parser = MACHINES.map(|machine| machine.processor))]
    processor: String,
}

impl Arguments {
    fn machine(&self) -> &'static Machine {
        let machine = MACHINES.iter().find(|machine| machine.processor == self.processor);
        machine.expect("the command line is held to those that there are")
    }

    fn kernels(&self) -> impl Iterator<Item = &'static str> {
        kernel::SERIES.into_iter().filter(|series| self.series.as_deref().is_none_or(|wanted| wanted == *series))
    }

    fn configurations(&self) -> impl Iterator<Item = &'static Configuration> {
        let configurations = if self.machine().is_native() { CONFIGURATIONS } else { FOREIGN };
        configurations.iter().filter(|one| self.configuration.as_deref().is_none_or(|wanted| wanted == one.name))
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let tools = setup::run()?;
    let machine = arguments.machine();
    setup::install_packages(&[machine.package, "busybox-static", "cpio", "python3", "xz-utils"])?;
    let mut folder = target_dir().join("vm");
    if !machine.is_native() {
        folder.push(machine.processor);
    }
    setup::make_dir(&folder)?;
    let (tests, all) = if machine.is_native() {
        ebpf::build(&tools)?;
        let tests = tests(cargo())?;
        let all = suite::check(&tests)?;
        (tests, all)
    } else {
        // They cannot be asked for their names here, and not all of them can run there.
        (tests(cross::cargo(&tools)?)?, Vec::new())
    };
    let mut unseen = all.clone();
    let mut table = Vec::new();
    let mut failed = 0;
    for series in arguments.kernels() {
        let kernel = kernel::fetch(series, machine, &folder)?;
        let initramfs = guest::build(&tests, &all, &kernel.modules, machine, &folder)?;
        for configuration in arguments.configurations() {
            let start = Instant::now();
            let line = match boot(machine, &kernel, configuration, &initramfs, &folder) {
                Ok(told) => {
                    unseen.retain(|test| !told.passed.contains(test));
                    told.summary()
                }
                Err(error) => {
                    failed += 1;
                    say(&format!("{series} {} failed: {error:#}", configuration.name));
                    "FAILED".to_owned()
                }
            };
            let seconds = start.elapsed().as_secs();
            table.push(format!("{series:<5} {:<16} {line} ({seconds} s)", configuration.name));
        }
    }
    table.iter().for_each(|line| say(line));
    if failed > 0 {
        bail!("{failed} of {} guests failed", table.len());
    }
    // A part of the guests has a part of the tests.
    if arguments.configuration.is_none() && !unseen.is_empty() {
        bail!("no guest has anything to look at for {}", unseen.join(", "));
    }
    Ok(())
}

/// Builds the sensor's tests and says where they lie.
fn tests(mut build: Command) -> Result<String> {
    build.args(["test", "--release", "--locked", "--package", "bongsu-sensor", "--bin", "bongsu-sensor", "--no-run"]);
    command::run(&mut build)?;
    // A second time, with nothing left to do: the person who waited wanted to see the first one's progress.
    output(build.args(["--message-format", "json"]))?
        .lines()
        .find_map(executable)
        .context("cargo names no test program")
}

/// The path in cargo's message that a program was built.
fn executable(message: &str) -> Option<String> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    Some(message.get("executable")?.as_str()?.to_owned())
}

/// Runs the tests in that kernel, started in that way, and compares what it told with what is expected.
fn boot(
    machine: &Machine,
    kernel: &Kernel,
    configuration: &Configuration,
    initramfs: &Path,
    folder: &Path,
) -> Result<Told> {
    let log = folder.join(format!("{}.{}.log", kernel.name, configuration.name));
    say(&format!("{} boots ({}); its console goes to {}", kernel.name, configuration.name, log.display()));
    let ended =
        output(&mut machine.start(kernel, configuration, initramfs, &log)).context("the guest did not end by itself");
    let console = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let console = String::from_utf8_lossy(&console);
    let told = ended
        .and_then(|_| console::read(&console))
        .with_context(|| format!("its console ended with\n{}", console::tail(&console)))?;
    for (test, reason) in &told.skipped {
        say(&format!("  left out: {test}: {reason}"));
    }
    say(&told.rungs());
    told.judge(configuration)?;
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_names_the_test_program_among_its_messages() {
        assert_eq!(executable(r#"{"reason":"compiler-artifact","executable":null}"#), None);
        assert_eq!(executable(r#"{"reason":"compiler-artifact","executable":"/a/b"}"#), Some("/a/b".to_owned()));
    }
}
