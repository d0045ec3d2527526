//! The ground the attack happens on: a temporary directory with the actor under its several names, removed afterwards.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use nix::unistd::User;

use super::ACCOUNT;
use crate::programs::program;

/// What the yara rule `bongsu_demo_implant` looks for, behind the end of the program, where no loader minds it. The other parts are the same
/// program without it.
const MARKER: &[u8] = b"BONGSU-DEMO-IMPLANT-v1 /dev/tcp/ /etc/shadow";

/// A temporary directory that belongs to the attacked account.
pub struct Ground {
    folder: tempfile::TempDir,
    user: User,
}

impl Ground {
    /// Makes it below /tmp, where attackers put things.
    ///
    /// # Errors
    /// When the account does not exist, we are not root, or /tmp is mounted so that nothing there can run as another user.
    pub fn new() -> Result<Self> {
        let user = User::from_name(ACCOUNT)?.with_context(|| format!("this system has no account {ACCOUNT}"))?;
        let folder = tempfile::Builder::new().prefix("bongsu-demo-").tempdir_in("/tmp")?;
        let ground = Self { folder, user };
        chown(ground.folder(), Some(ground.uid()), Some(ground.gid()))
            .context("making the demo's ground needs root")?;
        let actor = program("bongsu-demo-actor")?;
        for name in ["nginx", "loader", "implant"] {
            ground.place(&actor, name, 0o755)?;
        }
        OpenOptions::new().append(true).open(ground.path("implant"))?.write_all(MARKER)?;
        ground.place(&actor, "backup-helper", 0o4755)?;
        ground.ensure_setuid_counts()?;
        Ok(ground)
    }

    /// The directory.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The attacked account.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.user.uid.as_raw()
    }

    /// Its group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.user.gid.as_raw()
    }

    fn place(&self, actor: &Path, name: &str, mode: u32) -> Result<()> {
        let path = self.path(name);
        fs::copy(actor, &path).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    fn ensure_setuid_counts(&self) -> Result<()> {
        let flags = nix::sys::statvfs::statvfs(self.folder())?.flags();
        if flags.intersects(nix::sys::statvfs::FsFlags::ST_NOSUID | nix::sys::statvfs::FsFlags::ST_NOEXEC) {
            bail!("/tmp is mounted nosuid or noexec: the demo's privilege change cannot happen there");
        }
        if fs::metadata(self.path("backup-helper"))?.uid() != 0 {
            bail!("the demo needs root");
        }
        Ok(())
    }
}
