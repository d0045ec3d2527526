//! execsnoop of Debian's libbpf-tools: the peer that the exec storm is measured beside.

use std::{
    collections::HashSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{storm::Storm, usage::Usage, wait};

/// A running execsnoop, its output going to a file.
pub struct Execsnoop {
    child: Child,
    output: PathBuf,
}

impl Execsnoop {
    /// Starts it and waits until it shows a first exec, so that nothing is missed.
    ///
    /// # Errors
    /// When it is not installed, or shows nothing.
    pub fn start(folder: &Path) -> Result<Self> {
        let output = folder.join("execsnoop.txt");
        let child = Command::new("/usr/sbin/execsnoop")
            .args(["--max-args", "20"])
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start execsnoop (package libbpf-tools)")?;
        let snoop = Self { child, output };
        wait::until("execsnoop sees a first exec", Duration::from_secs(20), || -> Result<()> {
            Command::new("/bin/true").arg("execsnoop-are-you-there").status()?;
            ensure!(fs::read_to_string(&snoop.output)?.contains("/bin/true"), "it shows nothing");
            Ok(())
        })?;
        Ok(snoop)
    }

    /// What it cost so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }

    /// How many execs of the storm it showed, once it shows no more.
    ///
    /// # Errors
    /// As reading a file.
    pub fn captured(&self, storm: &Storm) -> Result<usize> {
        let seen = || -> Result<usize> {
            let text = fs::read_to_string(&self.output)?;
            let words: HashSet<&str> = text.split_whitespace().filter(|word| word.starts_with(&storm.prefix)).collect();
            Ok(words.len())
        };
        let mut last = None;
        // It prints in bursts: done is when it shows all, or nothing new comes within the limit.
        let all = wait::until("execsnoop shows all", Duration::from_secs(5), || -> Result<usize> {
            let now = seen()?;
            last = Some(now);
            ensure!(now >= storm.execs as usize, "{now} so far");
            Ok(now)
        });
        all.or_else(|late| last.ok_or(late))
    }
}

impl Drop for Execsnoop {
    fn drop(&mut self) {
        // Already ended is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
