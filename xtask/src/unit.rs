//! `cargo xtask unit-test`: the sensor under its unit's restrictions, in a systemd that is booted for it.
//!
//! A Debian (or the host's own distribution, whose C library the programs were built against) of about 250 MB is made in the target
//! folder and removed afterwards. The story itself is one of e2e's, which only this verb runs.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{
    command::{self, as_root, cargo, is_root, output, say, target_dir},
    programs,
    setup::{install_packages, make_dir},
};

/// The test in e2e.
const STORY: &str = "stories::unit::under_the_restrictions_of_its_unit_the_sensor_sees_what_it_sees_without_them";

pub(crate) fn run() -> Result<()> {
    programs::build()?;
    install_packages(&["debootstrap", "systemd-container", "util-linux"])?;
    let root = target_dir().join("unit-root");
    remove(&root)?;
    make_dir(&target_dir())?;
    let result = make(&root).and_then(|()| tell(&root));
    remove(&root)?;
    result
}

fn make(root: &Path) -> Result<()> {
    let release = fs::read_to_string("/etc/os-release").context("cannot tell which distribution this is")?;
    let suite = codename(&release).context("/etc/os-release names no release")?;
    let mut debootstrap = as_root("debootstrap");
    debootstrap.args(["--variant=minbase", "--include=systemd,dbus", suite]).arg(root);
    say(&format!("making a small system ({suite}), which takes a minute or two"));
    output(&mut debootstrap).map(drop)
}

fn tell(root: &Path) -> Result<()> {
    let mut test = cargo();
    test.args(["test", "--release", "--locked", "--package", "bongsu-e2e", "--test", "stories"]);
    if !is_root() {
        test.args(["--config", "target.'cfg(target_os = \"linux\")'.runner = 'sudo -E'"]);
    }
    test.args(["--", "--ignored", "--exact", STORY]);
    command::run(test.env("BONGSU_UNIT_ROOT", root))
}

/// It belongs to root, like everything in it.
fn remove(root: &Path) -> Result<()> {
    if root.exists() { command::run(as_root("rm").args(["-rf", "--one-file-system"]).arg(root)) } else { Ok(()) }
}

fn codename(release: &str) -> Option<&str> {
    release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).map(|name| name.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_codename() {
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=bookworm\n"), Some("bookworm"));
        assert_eq!(codename("VERSION_CODENAME=\"noble\"\n"), Some("noble"));
        assert_eq!(codename("ID=arch\n"), None);
    }
}
