//! Build, set-up, demo, test and bench: `cargo xtask VERB`. The CI file only calls this.
//!
//! Every verb that needs something installed calls `setup` first, so that on a fresh machine with a Rust toolchain each verb is
//! the only step.

mod bench;
mod checks;
mod command;
mod cross;
mod demo;
mod ebpf;
mod fuzz;
mod programs;
mod setup;
mod test;
mod unit;
mod vm;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Automation of the Bongsu workspace")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Find or install what the other verbs need: the eBPF toolchain, bpf-linker, packages.
    Setup,
    /// Build the kernel programs into target/ebpf/.
    Ebpf,
    /// Show one attack, told end to end, on this machine (root).
    Demo(demo::Arguments),
    /// Run every test, set-up included (root).
    Test(test::Arguments),
    /// Run the probes' tests in Debian's 6.1 and 6.12 kernels, emulated.
    VmTest(vm::Arguments),
    /// Build the kernel programs and the sensor for aarch64.
    Cross,
    /// Run the sensor under its unit's restrictions, in a systemd booted for it (root).
    UnitTest,
    /// Throw hostile bytes at the sensor's parsers, for as long as one likes.
    Fuzz(fuzz::Arguments),
    /// Measure, beside what Debian ships for the same purpose: `sensors`, ... (root).
    Bench(bench::Arguments),
    /// What `test` does, and clippy and cargo-deny besides.
    Ci,
}

fn main() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Setup => setup::run().map(drop),
        Verb::Ebpf => ebpf::build(&setup::run()?),
        Verb::Demo(arguments) => demo::run(&arguments),
        Verb::Test(arguments) => test::run(&arguments),
        Verb::VmTest(arguments) => vm::run(&arguments),
        Verb::Cross => cross::run(),
        Verb::UnitTest => unit::run(),
        Verb::Fuzz(arguments) => fuzz::run(&arguments),
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Ci => {
            checks::clippy()?;
            checks::deny()?;
            test::run(&test::Arguments::default())
        }
    }
}
