//! Debian's cloud kernels, out of their packages.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    command::{output, say},
    setup,
};

/// The series whose newest kernels are booted. Debian 12 has both, the second one as a backport.
pub(super) const SERIES: [&str; 2] = ["6.1", "6.12"];

/// What the module's file is called; a package may hold it compressed.
const MODULE: &str = "crc-itu-t.ko";

/// A kernel that can be booted.
pub(super) struct Kernel {
    /// Its package.
    pub(super) name: String,
    /// The compressed kernel.
    pub(super) image: PathBuf,
    /// A module of its own that needs no other and can be removed again.
    pub(super) module: PathBuf,
}

/// The newest kernel of a series, downloaded into `folder` unless it lies there.
pub(super) fn fetch(series: &str, folder: &Path) -> Result<Kernel> {
    newest(series)
        .and_then(|name| download(name, folder))
        .or_else(|_| {
            // The lists on a machine may be old or absent.
            setup::update_package_lists()?;
            download(newest(series)?, folder)
        })
        .with_context(|| format!("cannot get Debian's cloud kernel {series}"))
}

fn newest(series: &str) -> Result<String> {
    let pattern = format!("^linux-image-{}\\..*-cloud-amd64$", series.replace('.', "\\."));
    let found = output(Command::new("apt-cache").args(["search", "--names-only", &pattern]))?;
    let names = found.lines().filter_map(|line| line.split(' ').next());
    names.max_by_key(|name| numbers(name)).map(str::to_owned).context("no package source offers one")
}

/// The numbers in a name, by which versions are ordered.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|character: char| !character.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn download(name: String, folder: &Path) -> Result<Kernel> {
    let image = folder.join(&name);
    let module = folder.join(format!("{name}.ko"));
    if !image.exists() || !module.exists() {
        say(&format!("downloading {name}"));
        let unpacked = folder.join("unpacked");
        setup::make_empty_dir(&unpacked)?;
        output(Command::new("env").arg("-C").arg(&unpacked).args(["apt-get", "download", "-qq", &name]))?;
        let package = only_file(&unpacked, "linux-image-")?;
        output(Command::new("dpkg").arg("-x").arg(&package).arg(&unpacked))?;
        let kernel = only_file(&unpacked.join("boot"), "vmlinuz-")?;
        let modules = only_file(&unpacked.join("lib/modules"), "")?.join("kernel/lib");
        let compressed = modules.join(format!("{MODULE}.xz"));
        if compressed.exists() {
            output(Command::new("xz").arg("-d").arg(&compressed))?;
        }
        let found = modules.join(MODULE);
        fs::rename(&found, &module).with_context(|| format!("cannot move {} here", found.display()))?;
        // Renamed only now: an image that lies there is whole.
        fs::rename(&kernel, &image).with_context(|| format!("cannot move {} here", kernel.display()))?;
        fs::remove_dir_all(&unpacked).with_context(|| format!("cannot remove {}", unpacked.display()))?;
    }
    Ok(Kernel { name, image, module })
}

fn only_file(folder: &Path, beginning: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    entries
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with(beginning))
        .map(|entry| entry.path())
        .with_context(|| format!("{} has no {beginning}*", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        assert!(numbers("linux-image-6.1.0-9-cloud-amd64") < numbers("linux-image-6.1.0-56-cloud-amd64"));
        assert!(numbers("linux-image-6.12.99+deb12-cloud-amd64") < numbers("linux-image-6.12.117+deb12-cloud-amd64"));
    }
}
