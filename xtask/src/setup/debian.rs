//! Debian's way: its rustc carries its own rust-src as a package, and bpf-linker is built from crates.io against Debian's LLVM.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use super::{BpfToolchain, install_packages, linker_works, llvm_major, long_step, make_dir, tools_dir};
use crate::command::{cargo, output, target_dir};

/// The version that was tried; another one may want another LLVM.
const LINKER_VERSION: &str = "=0.13.0";
const LLVM: u32 = 22;

/// The toolchain, with what is missing installed; the error says what could not be had.
pub(super) fn find() -> Result<BpfToolchain> {
    install_packages(&["rustc-web", "rust-web-src", "cargo-web"])?;
    // Debian's programs stand behind rustup's on PATH: call each by what its package installed.
    let rustc = installed_as("rustc-web", "/bin/rustc")?;
    let cargo = installed_as("cargo-web", "/bin/cargo")?;
    let carried = llvm_major(&rustc)?;
    if carried > LLVM {
        bail!("{} carries LLVM {carried}, and bpf-linker here is built against {LLVM}", rustc.display());
    }
    Ok(BpfToolchain { name: "Debian's rustc-web", cargo, rustc, linker_dir: linker()? })
}

fn linker() -> Result<PathBuf> {
    let folder = tools_dir().join("bin");
    if linker_works(&folder.join("bpf-linker")) {
        return Ok(folder);
    }
    install_packages(&[
        &format!("llvm-{LLVM}-dev"),
        &format!("libpolly-{LLVM}-dev"),
        "g++",
        "zlib1g-dev",
        "libzstd-dev",
    ])?;
    make_dir(&tools_dir())?;
    let llvm = PathBuf::from(format!("/usr/lib/llvm-{LLVM}"));
    let rest = env::var_os("PATH").unwrap_or_default();
    // Its bin first on PATH, or an older llvm-config is found and linking fails.
    let path = env::join_paths(std::iter::once(llvm.join("bin")).chain(env::split_paths(&rest)))?;
    let mut install = cargo();
    install
        .args(["install", "bpf-linker", "--quiet", "--locked", "--version", LINKER_VERSION])
        .args(["--no-default-features", "--features", &format!("llvm-{LLVM}"), "--root"])
        .arg(tools_dir())
        .env("PATH", path)
        .env("LLVM_PREFIX", &llvm)
        .env("LLVM_SYS_221_PREFIX", &llvm)
        .env("CARGO_TARGET_DIR", target_dir().join("bpf-linker-build"));
    long_step("building bpf-linker (about a minute)", &mut install).context("cannot build bpf-linker")?;
    Ok(folder)
}

/// The file of that name that a package installed.
pub(crate) fn installed_as(package: &str, ending: &str) -> Result<PathBuf> {
    let files = output(Command::new("dpkg").args(["-L", package]))?;
    files
        .lines()
        .map(PathBuf::from)
        .find(|file| file.to_string_lossy().ends_with(ending) && file.is_file())
        .with_context(|| format!("package {package} has no file ending in {ending}"))
}
