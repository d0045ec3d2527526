//! An auth.log as sshd writes it through syslog.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A log file that lines are appended to, one write each, as a syslog daemon does.
pub struct AuthLog {
    path: PathBuf,
    file: File,
    pid: u32,
    port: u16,
}

impl AuthLog {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// As opening a file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file, pid: 4_000, port: 50_000 })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Somebody tried a password that did not fit.
    ///
    /// # Errors
    /// As writing a file.
    pub fn failed_password(&mut self, user: &str, from: IpAddr) -> Result<()> {
        self.sshd(&format!("Failed password for {user} from {from} port {} ssh2", self.port))
    }

    /// Somebody tried one that did.
    ///
    /// # Errors
    /// As writing a file.
    pub fn accepted_password(&mut self, user: &str, from: IpAddr) -> Result<()> {
        self.sshd(&format!("Accepted password for {user} from {from} port {} ssh2", self.port))
    }

    fn sshd(&mut self, message: &str) -> Result<()> {
        self.pid += 1;
        self.port += 1;
        let pid = self.pid;
        self.line("sshd", pid, message)
    }

    /// One line by some program.
    ///
    /// # Errors
    /// As writing a file.
    pub fn line(&mut self, program: &str, pid: u32, message: &str) -> Result<()> {
        let now = jiff::Timestamp::now();
        let line = format!("{now:.6} demo {program}[{pid}]: {message}\n");
        self.file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))
    }
}
