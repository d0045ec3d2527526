//! Finds or installs what the other verbs need, says what it does, and is quick when nothing is missing.
//!
//! The eBPF programs need a rustc with rust-src and unstable features, and a bpf-linker whose LLVM is at least that rustc's.
//! Two ways lead there, in this order:
//! 1. the usual one: rustup's nightly with rust-src, and bpf-linker as found on PATH or as its project releases it;
//! 2. Debian's: packages `rustc-web rust-web-src cargo-web llvm-22-dev`, and bpf-linker built from crates.io against that LLVM.

pub(crate) mod debian;
pub(crate) mod foreign;
pub(crate) mod runtimes;
pub(crate) mod rustup;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::command::{self, as_root, output, say, target_dir};

/// What set-up found.
pub(crate) struct Tools {
    /// Builds the kernel programs.
    pub(crate) bpf: BpfToolchain,
}

/// A compiler for the kernel programs, and the linker that goes with it.
pub(crate) struct BpfToolchain {
    /// One line for the person who waits.
    pub(crate) name: &'static str,
    /// Its cargo.
    pub(crate) cargo: PathBuf,
    /// Its rustc.
    pub(crate) rustc: PathBuf,
    /// The folder that holds bpf-linker.
    pub(crate) linker_dir: PathBuf,
}

impl Tools {
    /// PATH with the linker's folder first.
    pub(crate) fn path_with_linker(&self) -> Result<OsString> {
        let rest = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.bpf.linker_dir.clone()).chain(env::split_paths(&rest));
        Ok(env::join_paths(folders)?)
    }
}

/// Where set-up puts programs that it builds or downloads.
pub(crate) fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// Finds everything, installing what is missing.
pub(crate) fn run() -> Result<Tools> {
    ensure_c_compiler()?;
    let bpf = bpf_toolchain()?;
    Ok(Tools { bpf })
}

fn bpf_toolchain() -> Result<BpfToolchain> {
    let usual = match rustup::find() {
        Ok(found) => return Ok(found),
        Err(why) => why,
    };
    match debian::find() {
        Ok(found) => Ok(found),
        Err(debian) => bail!(
            "no way to build the kernel programs\n  \
             missing for the usual way (rustup nightly with rust-src, bpf-linker): {usual:#}\n  \
             missing for Debian's way (rustc-web rust-web-src cargo-web llvm-22-dev): {debian:#}"
        ),
    }
}

/// SQLite, ring and zstd are C; a machine on which rustup works nearly always has a C compiler, an image may not.
fn ensure_c_compiler() -> Result<()> {
    if found_on_path("cc") { Ok(()) } else { install_packages(&["gcc", "libc6-dev"]) }
}

/// Whether a program of that name is on PATH.
pub(crate) fn found_on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Installs the Debian packages that are not installed.
pub(crate) fn install_packages(names: &[&str]) -> Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !found_on_path("apt-get") {
        bail!("packages {} are missing, and this system has no apt-get to install them with", missing.join(", "));
    }
    say(&format!("installing packages {}", missing.join(", ")));
    let install = || {
        let mut command = as_root("env");
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"])
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&missing);
        output(&mut command)
    };
    // The lists on a machine may be old or absent: fetch them only when the first try fails.
    if install().is_err() {
        update_package_lists()?;
        install().with_context(|| format!("cannot install {}", missing.join(", ")))?;
    }
    Ok(())
}

/// Fetches the lists of what the package sources offer.
pub(crate) fn update_package_lists() -> Result<()> {
    output(as_root("apt-get").args(["update", "-qq"])).map(drop).context("cannot fetch the package lists")
}

fn is_installed(package: &str) -> bool {
    output(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

/// The major version of the LLVM that a rustc carries.
fn llvm_major(rustc: &Path) -> Result<u32> {
    let text = output(Command::new(rustc).arg("-vV").env_remove("RUSTUP_TOOLCHAIN"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next()?.parse().ok())
        .with_context(|| format!("{} does not say which LLVM it carries", rustc.display()))
}

/// Whether the linker at `path` starts at all: one built against a removed LLVM does not.
fn linker_works(path: &Path) -> bool {
    output(Command::new(path).arg("--version")).is_ok()
}

/// Makes a folder and those above it.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}

/// Makes a folder that holds nothing, whatever lay there.
pub(crate) fn make_empty_dir(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot empty {}", path.display()))?;
    }
    make_dir(path)
}

/// The file in a folder whose name begins so.
pub(crate) fn only_file(folder: &Path, beginning: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    entries
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with(beginning))
        .map(|entry| entry.path())
        .with_context(|| format!("{} has no {beginning}*", folder.display()))
}

/// Runs a long step with a word before it.
fn long_step(what: &str, command: &mut Command) -> Result<()> {
    say(what);
    command::run(command)
}
