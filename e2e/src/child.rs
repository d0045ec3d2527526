//! A program under test: started, watched, ended by its pid, its log kept.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{programs::program, wait};

/// How long a program may take to end after it was asked to.
const END_WITHIN: Duration = Duration::from_secs(20);

/// A running program. Dropping it kills it.
pub struct Running {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts one of ours with what it prints going to `log`, after what an earlier life of it printed.
    ///
    /// # Errors
    /// When it is not built or cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        name: &'static str,
        arguments: impl IntoIterator<Item = A>,
        log: &Path,
    ) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = Command::new(program(name)?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file that has what it prints.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// All it printed so far, in this life and those before.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// An error when it has ended.
    ///
    /// # Errors
    /// Says how it ended and what it printed last.
    pub fn ensure_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}; its log ends with:\n{}", self.name, self.last_lines()),
        }
    }

    /// Waits until `look` has an answer, or the program has ended.
    ///
    /// # Errors
    /// At the deadline, or when the program ends; with the end of its log.
    pub fn until<T>(&mut self, what: &str, limit: Duration, mut look: impl FnMut() -> Result<T>) -> Result<T> {
        let mut ended = None;
        let answer = wait::until(what, limit, || match self.ensure_running() {
            Ok(()) => look().map(Some),
            Err(end) => {
                ended = Some(end);
                Ok(None)
            }
        });
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(ended.unwrap_or_else(|| anyhow::anyhow!("{} ended", self.name))),
            Err(late) => Err(late.context(format!("{} prints:\n{}", self.name, self.last_lines()))),
        }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn until_ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} ends by itself", self.name);
        let ended = wait::until(&what, limit, || self.child.try_wait()?.context("it goes on"));
        ended.with_context(|| format!("it prints:\n{}", self.last_lines()))
    }

    /// Asks it to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        let (name, log) = (self.name, self.last_lines());
        wait::until(&format!("{name} ends after SIGTERM"), END_WITHIN, || {
            self.child.try_wait()?.with_context(|| format!("it prints:\n{log}"))
        })
    }

    /// Ends it at once, with no chance to tidy up (SIGKILL).
    ///
    /// # Errors
    /// When it had ended before.
    pub fn kill(mut self) -> Result<()> {
        self.ensure_running()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid())?), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The end of what it printed.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
