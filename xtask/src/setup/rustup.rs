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
    let sysroot = sysroot_with_source()?;
    let linker_dir = released_linker()?;
    Ok(BpfToolchain {
        name: "rustup nightly",
        cargo: sysroot.join("bin/cargo"),
        rustc: sysroot.join("bin/rustc"),
        linker_dir,
    })
}

fn sysroot_with_source() -> Result<PathBuf> {
    let sysroot = || -> Result<PathBuf> {
        let path = output(Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]))?;
        let path = PathBuf::from(path.trim());
        if !path.join("lib/rustlib/src/rust/library/core").is_dir() {
            bail!("rustup's nightly has no rust-src");
        }
        Ok(path)
    };
    if let Ok(found) = sysroot() {
        return Ok(found);
    }
    // A try that failed is not made again on every build: the answer does not change within a checkout.
    let tried = tools_dir().join("rustup-nightly-not-available");
    if tried.exists() {
        bail!("rustup cannot download nightly with rust-src (delete {} to try again)", tried.display());
    }
    say("asking rustup for nightly with rust-src");
    let install = output(Command::new("timeout").args([
        DOWNLOAD_SECONDS,
        "rustup",
        "toolchain",
        "install",
        "nightly",
        "--profile",
        "minimal",
        "--component",
        "rust-src",
    ]));
    if let Err(why) = install {
        make_dir(&tools_dir())?;
        fs::write(&tried, format!("{why:#}\n")).with_context(|| format!("cannot write {}", tried.display()))?;
        bail!("rustup cannot download nightly with rust-src");
    }
    sysroot()
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
