//! Container runtimes for the stories: unpacked, not installed, so that no daemon starts on whose machine this is.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use super::{foreign::Source, found_on_path, make_empty_dir, tools_dir};
use crate::command::{output, say};

const PACKAGES: [&str; 4] = ["containerd", "runc", "docker.io", "busybox-static"];
/// Says that all of it was unpacked.
const MARK: &str = "complete";

/// The folder they are unpacked in; the error says why they cannot be had.
pub(crate) fn find() -> Result<PathBuf> {
    let folder = tools_dir().join("container-runtimes");
    if folder.join(MARK).exists() {
        return Ok(folder);
    }
    if !found_on_path("apt-get") || !found_on_path("dpkg") {
        bail!("this system has no apt-get to download containerd and Docker with");
    }
    say(&format!("downloading {} for the stories", PACKAGES.join(", ")));
    let source = Source::of(env::consts::ARCH, true)?;
    make_empty_dir(&folder)?;
    let unpack = || {
        let libraries = libraries(&source)?;
        let packages: Vec<&str> = PACKAGES.into_iter().chain(libraries.iter().map(String::as_str)).collect();
        source.unpack(&packages, &folder)
    };
    // The lists on a machine may be old or absent: fetch them only when the first try fails.
    if unpack().is_err() {
        source.update()?;
        unpack()?;
    }
    fs::write(folder.join(MARK), "").with_context(|| format!("cannot write to {}", folder.display()))?;
    Ok(folder)
}

/// The libraries that they want, but for the C library, which every program has.
fn libraries(source: &Source) -> Result<BTreeSet<String>> {
    let depends = output(source.apt("apt-cache").arg("depends").args(PACKAGES))?;
    Ok(wanted(&depends).filter(|name| name.starts_with("lib") && *name != "libc6").map(str::to_owned).collect())
}

/// The packages named in what `apt-cache depends` prints.
fn wanted(depends: &str) -> impl Iterator<Item = &str> {
    depends.lines().filter_map(|line| {
        let (kind, name) = line.trim_start().trim_start_matches('|').split_once(": ")?;
        ["Depends", "PreDepends"].contains(&kind).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_package_depends_on_is_told_from_what_it_recommends() {
        let printed = "docker.io\n  PreDepends: init-system-helpers\n  Depends: libc6\n |Depends: libx1\n    libx2\n  Depends: <runc>\n  Recommends: git\n";
        assert_eq!(wanted(printed).collect::<Vec<_>>(), ["init-system-helpers", "libc6", "libx1", "<runc>"]);
    }
}
