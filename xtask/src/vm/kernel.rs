//! Debian's cloud kernels, out of their packages.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::machine::Machine;
use crate::{
    command::{output, say},
    setup::{self, foreign::Source},
};

/// The series whose newest kernels are booted. Debian 12 has both, the second one as a backport.
pub(super) const SERIES: [&str; 2] = ["6.1", "6.12"];

/// The modules that the tests need, by where they lie among a kernel's own; a package may hold them compressed. Neither needs another one.
const MODULES: [&str; 2] = ["lib/crc-itu-t.ko", "fs/overlayfs/overlay.ko"];

/// A kernel that can be booted.
pub(super) struct Kernel {
    /// Its package.
    pub(super) name: String,
    /// The compressed kernel.
    pub(super) image: PathBuf,
    /// The folder with its modules that the tests need.
    pub(super) modules: PathBuf,
}

/// The newest kernel of a series, downloaded into `folder` unless it lies there.
pub(super) fn fetch(series: &str, machine: &Machine, folder: &Path) -> Result<Kernel> {
    let source = Source::of(machine.debian, machine.is_native())?;
    newest(series, machine, &source)
        .and_then(|name| download(name, &source, folder))
        .or_else(|_| {
            // The lists on a machine may be old or absent.
            source.update()?;
            download(newest(series, machine, &source)?, &source, folder)
        })
        .with_context(|| format!("cannot get Debian's cloud kernel {series} for {}", machine.debian))
}

fn newest(series: &str, machine: &Machine, source: &Source) -> Result<String> {
    let pattern = format!("^linux-image-{}\\..*-cloud-{}$", series.replace('.', "\\."), machine.debian);
    let found = output(source.apt("apt-cache").args(["search", "--names-only", &pattern]))?;
    let names = found.lines().filter_map(|line| line.split(' ').next());
    names.max_by_key(|name| numbers(name)).map(str::to_owned).context("no package source offers one")
}

/// The numbers in a name, by which versions are ordered.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|character: char| !character.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn download(name: String, source: &Source, folder: &Path) -> Result<Kernel> {
    let image = folder.join(&name);
    let modules = folder.join(format!("{name}.modules"));
    if !image.exists() || !MODULES.iter().all(|module| modules.join(file_name(module)).exists()) {
        say(&format!("downloading {name}"));
        let unpacked = folder.join("unpacked");
        setup::make_empty_dir(&unpacked)?;
        source.unpack(&[&name], &unpacked)?;
        let kernel = setup::only_file(&unpacked.join("boot"), "vmlinuz-")?;
        let packed = setup::only_file(&unpacked.join("lib/modules"), "")?.join("kernel");
        setup::make_dir(&modules)?;
        MODULES.iter().try_for_each(|module| take(&packed.join(module), &modules.join(file_name(module))))?;
        // Moved only now: an image that lies there is whole.
        take(&kernel, &image)?;
        fs::remove_dir_all(&unpacked).with_context(|| format!("cannot remove {}", unpacked.display()))?;
    }
    Ok(Kernel { name, image, modules })
}

/// Moves a file out of an unpacked package, unpacking the file itself when the package holds it compressed.
fn take(from: &Path, to: &Path) -> Result<()> {
    let compressed = from.with_added_extension("xz");
    if compressed.exists() {
        output(Command::new("xz").arg("-d").arg(&compressed))?;
    }
    fs::rename(from, to).with_context(|| format!("cannot move {} here", from.display()))
}

/// The last part of a module's path.
fn file_name(module: &str) -> &str {
    module.rsplit('/').next().unwrap_or(module)
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
