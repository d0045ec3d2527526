//! Packages that are unpacked and not installed, of this architecture or another: neither what is installed nor the machine's own package
//! lists change.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{make_dir, make_empty_dir, tools_dir, update_package_lists};
use crate::command::{output, say};

/// Where packages of an architecture come from.
pub(crate) struct Source {
    architecture: &'static str,
    /// The lists of a foreign architecture; the machine's own have none of it.
    state: Option<PathBuf>,
}

impl Source {
    /// The machine's own lists when it is of that architecture, and others of our own when not.
    pub(crate) fn of(architecture: &'static str, is_native: bool) -> Result<Self> {
        if is_native {
            return Ok(Self { architecture, state: None });
        }
        let state = tools_dir().join("apt").join(architecture);
        let source = Self { architecture, state: Some(state.clone()) };
        if !state.join("lists/partial").exists() {
            make_dir(&state.join("lists/partial"))?;
            source.update()?;
        }
        Ok(source)
    }

    /// Fetches the lists anew.
    pub(crate) fn update(&self) -> Result<()> {
        if self.state.is_none() {
            return update_package_lists();
        }
        say(&format!("fetching the package lists for {}", self.architecture));
        output(self.apt("apt-get").args(["update", "-qq"]))
            .map(drop)
            .with_context(|| format!("cannot fetch the package lists for {}", self.architecture))
    }

    /// `apt-get` or `apt-cache` over the lists.
    pub(crate) fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(state) = &self.state {
            let mut set = |name: &str, value: &str| {
                command.arg("-o").arg(format!("{name}={value}"));
            };
            set("APT::Architecture", self.architecture);
            set("APT::Architectures::", self.architecture);
            set("Dir::State::lists", &state.join("lists").to_string_lossy());
            set("Dir::Cache", &state.to_string_lossy());
            // Whoever downloads into a folder of ours need not become somebody else for it.
            set("APT::Sandbox::User", "root");
        }
        command
    }

    /// Unpacks the newest version, or the one said behind `=`, of each package into `root`.
    pub(crate) fn unpack(&self, packages: &[&str], root: &Path) -> Result<()> {
        make_dir(root)?;
        let folder = root.join("downloaded");
        make_empty_dir(&folder)?;
        let apt = self.apt("apt-get");
        let mut download = Command::new("env");
        download.arg("-C").arg(&folder).arg(apt.get_program()).args(apt.get_args());
        output(download.args(["download", "-qq"]).args(packages)).context("cannot download packages")?;
        for package in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            output(Command::new("dpkg").arg("-x").arg(package?.path()).arg(root))?;
        }
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
    }
}
