//! `cargo xtask cross`: the kernel programs and the sensor for aarch64, built on another machine.
//!
//! The C parts (ring, zstd) and the linking are Debian's cross compiler's. Rust's standard library for the target comes from, in this order:
//! 1. the usual way: rustup's target, added to the toolchain that runs us;
//! 2. Debian's: its rustc, and the library out of the package for arm64, which is unpacked beside it and not installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    command::{self, output, run as run_command, say, target_dir},
    ebpf,
    setup::{self, Tools, foreign::Source},
};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const PROCESSOR: &str = "aarch64";
/// The same in Debian's words.
const DEBIAN: &str = "arm64";
const COMPILER: &str = "aarch64-linux-gnu-gcc";

/// A cargo that builds for the target.
enum Toolchain {
    /// The one that runs us.
    Usual,
    /// Debian's, with the standard library below that folder.
    Debian { cargo: PathBuf, rustc: PathBuf, sysroot: PathBuf },
}

pub(crate) fn run() -> Result<()> {
    run_command(cargo(&setup::run()?)?.args(["build", "--release", "--locked", "--package", "bongsu-sensor"]))?;
    let sensor = target_dir().join("cross").join(TARGET).join("release/bongsu-sensor");
    say(&format!("built {}", sensor.display()));
    Ok(())
}

/// A cargo that builds for the target, up to the verb; the kernel programs are built and lie where the sensor takes them from.
pub(crate) fn cargo(tools: &Tools) -> Result<Command> {
    setup::install_packages(&["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"])?;
    let object = ebpf::build_for(tools, PROCESSOR)?;
    Ok(find()?.command(&object))
}

fn find() -> Result<Toolchain> {
    match setup::rustup::add_target(TARGET) {
        Ok(()) => Ok(Toolchain::Usual),
        Err(usual) => {
            debian().with_context(|| format!("no standard library for {TARGET}; the usual way lacks: {usual:#}"))
        }
    }
}

fn debian() -> Result<Toolchain> {
    setup::install_packages(&["rustc-web", "cargo-web"])?;
    let rustc = setup::debian::installed_as("rustc-web", "/bin/rustc")?;
    let cargo = setup::debian::installed_as("cargo-web", "/bin/cargo")?;
    let sysroot = setup::tools_dir().join("sysroot").join(TARGET);
    let version = output(Command::new("dpkg-query").args(["-W", "-f=${Version}", "rustc-web"]))?;
    // Libraries of one compiler are nothing to another: the mark says whose these are.
    let mark = sysroot.join("version");
    if fs::read_to_string(&mark).ok().as_deref() != Some(&version) {
        say(&format!("downloading Rust's standard library for {DEBIAN}"));
        setup::make_empty_dir(&sysroot)?;
        let source = Source::of(DEBIAN, false)?;
        source.unpack(&[&format!("libstd-rust-web-dev={version}")], &sysroot)?;
        fs::write(&mark, version).with_context(|| format!("cannot write {}", mark.display()))?;
    }
    Ok(Toolchain::Debian { cargo, rustc, sysroot: sysroot.join("usr") })
}

impl Toolchain {
    /// Cargo, for a sensor with that object in it.
    fn command(&self, object: &Path) -> Command {
        let mut command = match self {
            Self::Usual => command::cargo(),
            Self::Debian { cargo, rustc, sysroot } => {
                let mut command = Command::new(cargo);
                command
                    .env("RUSTC", rustc)
                    // For the target alone: what runs while building has the compiler's own library.
                    .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", format!("--sysroot={}", sysroot.display()))
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("CARGO");
                command
            }
        };
        command
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", COMPILER)
            .env("CC_aarch64_unknown_linux_gnu", COMPILER)
            .env("BONGSU_EBPF_OBJECT", object)
            // Another compiler's work: in the usual folder each would rebuild the other's.
            .env("CARGO_TARGET_DIR", target_dir().join("cross"))
            .env("CARGO_BUILD_TARGET", TARGET);
        command
    }
}
