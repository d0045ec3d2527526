//! The usual way: rustup's nightly with rust-src, and a released bpf-linker.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{BpfToolchain, found_on_path, linker_works, make_dir, tools_dir};
use crate::command::{output, say};

/// How long a download may take before we go another way. Machines without the open internet often do not refuse, they hang.
const DOWNLOAD_SECONDS: &str = "120";

/// The toolchain, with what is missing downloaded; the error says what could not be had.
pub(super) fn find() -> Result<BpfToolchain> {
    if !found_on_path("rustup") {
        bail!("rustup is not installed");
    }
    // The linker first: without one there is no reason to touch anybody's toolchains.
    let linker_dir = remembered("released-bpf-linker", released_linker)?;
    let sysroot = remembered("rustup-nightly", sysroot_with_source)?;
    Ok(BpfToolchain {
        name: "rustup nightly",
        cargo: sysroot.join("bin/cargo"),
        rustc: sysroot.join("bin/rustc"),
        linker_dir,
    })
}

/// Has the toolchain that runs us build for that target, too.
pub(crate) fn add_target(target: &str) -> Result<()> {
    if !found_on_path("rustup") {
        bail!("rustup is not installed");
    }
    let installed = output(Command::new("rustup").args(["target", "list", "--installed"]))?;
    if installed.lines().any(|line| line == target) {
        return Ok(());
    }
    let add = || {
        rustup(&["target", "add", target])?;
        Ok(PathBuf::new())
    };
    remembered(&format!("target-{target}"), add).map(drop)
}

/// Does not try again what failed before in this checkout: set-up stands before every build, and the answer does not change.
fn remembered(what: &str, find: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
    let mark = tools_dir().join(format!("{what}-not-available"));
    if let Ok(why) = fs::read_to_string(&mark) {
        bail!("{} (delete {} to try again)", why.trim_end(), mark.display());
    }
    find().or_else(|why| {
        make_dir(&tools_dir())?;
        fs::write(&mark, format!("{why:#}\n")).with_context(|| format!("cannot write {}", mark.display()))?;
        Err(why)
    })
}

fn sysroot_with_source() -> Result<PathBuf> {
    let nightly = || output(Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]));
    let has_source = |sysroot: &str| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir();
    match nightly() {
        Ok(sysroot) if has_source(&sysroot) => {}
        // A nightly that is there is somebody's choice: add to it, never replace it.
        Ok(_) => rustup(&["component", "add", "rust-src", "--toolchain", "nightly"])?,
        Err(_) => rustup(&["toolchain", "install", "nightly", "--profile", "minimal", "--component", "rust-src"])?,
    }
    Ok(PathBuf::from(nightly()?.trim()))
}

fn rustup(arguments: &[&str]) -> Result<()> {
    say(&format!("rustup {}", arguments.join(" ")));
    output(Command::new("timeout").arg(DOWNLOAD_SECONDS).arg("rustup").args(arguments))
        .map(drop)
        .with_context(|| format!("rustup cannot {}", arguments.join(" ")))
}

/// The folder of a bpf-linker: one that is on PATH, else the released one, downloaded.
fn released_linker() -> Result<PathBuf> {
    if let Some(folder) = on_path("bpf-linker") {
        return Ok(folder);
    }
    let folder = tools_dir().join("released");
    let linker = folder.join("bpf-linker");
    if !linker_works(&linker) {
        say("downloading the released bpf-linker");
        make_dir(&folder)?;
        let archive = format!("bpf-linker-{}-unknown-linux-musl.tar.zst", env::consts::ARCH);
        let url = format!("https://github.com/aya-rs/bpf-linker/releases/latest/download/{archive}");
        let file = folder.join(&archive);
        output(Command::new("curl").args(["-fsSL", "--max-time", DOWNLOAD_SECONDS, "-o"]).arg(&file).arg(&url))
            .context("cannot download the released bpf-linker")?;
        output(Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&folder)).context("cannot unpack bpf-linker")?;
        if !linker_works(&linker) {
            bail!("the released bpf-linker does not start on this machine");
        }
    }
    Ok(folder)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find(|folder| linker_works(&Path::new(folder).join(program)))
}
