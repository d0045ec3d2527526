//! `cargo xtask vm-test`: the probes' functional tests in kernels that this machine does not run.
//!
//! Debian's kernels are downloaded and not installed, the tests travel in an initramfs with what they run, and QEMU emulates the processor:
//! neither root nor /dev/kvm nor a network is needed. A guest that hangs is ended at a deadline, and one that leaves a test out fails.

mod guest;
mod kernel;

use std::{fs, path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, bail};

use crate::{
    command::{self, cargo, output, say, target_dir},
    ebpf, setup,
};
use kernel::Kernel;

/// The tests take two minutes in a guest, most of them for starting 10,000 programs; a busy machine may need several times that.
const DEADLINE_SECONDS: &str = "900";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only kernels of this series, as in 6.1.
    #[arg(value_parser = kernel::SERIES)]
    series: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("vm-test knows only x86_64 so far");
    }
    let tools = setup::run()?;
    setup::install_packages(&["qemu-system-x86", "busybox-static", "cpio", "python3", "xz-utils"])?;
    ebpf::build(&tools)?;
    let folder = target_dir().join("vm");
    let tests = tests()?;
    setup::make_dir(&folder)?;
    let is_wanted = |series: &&str| arguments.series.as_deref().is_none_or(|wanted| wanted == *series);
    for series in kernel::SERIES.into_iter().filter(is_wanted) {
        let kernel = kernel::fetch(series, &folder)?;
        let initramfs = guest::build(&tests, &kernel.module, &folder)?;
        boot(&kernel, &initramfs, &folder).with_context(|| format!("the probes' tests failed on {}", kernel.name))?;
    }
    Ok(())
}

/// Builds the sensor's tests and says where they lie.
fn tests() -> Result<String> {
    let mut build = cargo();
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

/// Runs the tests in that kernel and says how they ended.
fn boot(kernel: &Kernel, initramfs: &Path, folder: &Path) -> Result<()> {
    let log = folder.join(format!("{}.log", kernel.name));
    say(&format!("{} boots; its console goes to {}", kernel.name, log.display()));
    let start = Instant::now();
    let ended = output(&mut machine(kernel, initramfs, &log)).context("the guest did not end by itself");
    let console = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let console = String::from_utf8_lossy(&console);
    let result =
        ended.and_then(|_| judge(&console)).with_context(|| format!("its console ended with\n{}", tail(&console)))?;
    say(&format!("{}: {result} ({} s in all)", kernel.name, start.elapsed().as_secs()));
    Ok(())
}

fn machine(kernel: &Kernel, initramfs: &Path, log: &Path) -> Command {
    let mut machine = Command::new("timeout");
    machine
        .args(["--foreground", "--kill-after=10", DEADLINE_SECONDS, "qemu-system-x86_64"])
        // One processor: attaching patches the kernel's running text, and the emulator loses that race between two.
        .args(["-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "1536"])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial"])
        .arg(format!("file:{}", log.display()))
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", "console=ttyS0 quiet oops=panic panic=-1"]);
    machine
}

/// The result that the tests printed, when all ran and passed.
fn judge(console: &str) -> Result<&str> {
    let lines = || console.lines().map(str::trim);
    if let Some(skipped) = lines().find(|line| line.starts_with("skipped:")) {
        bail!("a test was {skipped}");
    }
    if !lines().any(|line| line == guest::PASSED) {
        bail!("the tests did not pass");
    }
    lines()
        .filter_map(|line| line.strip_prefix("test result: ok. "))
        .find(|counts| !counts.starts_with("0 passed"))
        .context("no test ran")
}

fn tail(console: &str) -> String {
    const LINES: usize = 40;
    let lines: Vec<&str> = console.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str = "test result: ok. 28 passed; 0 failed; 0 ignored\r\n";

    #[test]
    fn a_guest_passes_when_its_tests_say_so_and_end_well() {
        let console = format!("[    1.0] booted\r\n{RESULT}\r\n{}\r\n", guest::PASSED);
        assert_eq!(judge(&console).unwrap(), "28 passed; 0 failed; 0 ignored");
    }

    #[test]
    fn a_guest_that_dies_skips_or_tests_nothing_does_not_pass() {
        let passed = guest::PASSED;
        for console in [
            RESULT.to_owned(),
            format!("skipped: loading kernel programs needs root\r\n{RESULT}{passed}\r\n"),
            format!("test result: ok. 0 passed; 0 failed\r\n{passed}\r\n"),
            format!("{passed}\r\n"),
            String::new(),
        ] {
            assert!(judge(&console).is_err(), "{console}");
        }
    }

    #[test]
    fn cargo_names_the_test_program_among_its_messages() {
        assert_eq!(executable(r#"{"reason":"compiler-artifact","executable":null}"#), None);
        assert_eq!(executable(r#"{"reason":"compiler-artifact","executable":"/a/b"}"#), Some("/a/b".to_owned()));
    }
}
