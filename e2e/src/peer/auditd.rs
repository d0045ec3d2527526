//! auditd, with a configuration, a log and a rule of its own; nothing of the system's is read or written.
//!
//! The kernel talks to one audit daemon at a time: when there is one already, this is not started.
//!
//! Once audit has been on, the kernel keeps a context for each new task and sends each of its system calls the slow way, until the machine is started
//! anew, whether audit is on or not. The rule [`NO_CONTEXTS`] ends that for tasks that begin from then on; without it everything measured after
//! auditd would be slower. So it stays when this ends, until a daemon of the system's loads its own rules.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Seen, Text, Watcher};
use crate::wait;

/// Records that may wait in the kernel. The default is 64; what Debian's sample rules and most guides set.
const BACKLOG: &str = "8192";

/// As distributions that do not use audit ship it.
const NO_CONTEXTS: &str = "never,task";

/// A running auditd.
pub struct Auditd {
    tools: Tools,
    child: Child,
    log: PathBuf,
    rule: Vec<String>,
    before: Status,
}

/// What `auditctl -s` says.
struct Status(String);

impl Status {
    fn number(&self, name: &str) -> Result<u64> {
        let found = self.0.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        found.with_context(|| format!("auditctl does not say {name}: {}", self.0))
    }
}

/// The package, unpacked.
#[derive(Clone)]
struct Tools(PathBuf);

impl Tools {
    fn command(&self, program: &str) -> Command {
        Command::new(self.0.join("sbin").join(program))
    }

    fn control(&self, arguments: &[&str]) -> Result<Status> {
        let output = self.command("auditctl").args(arguments).output().context("cannot start auditctl")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "auditctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(Status(said))
    }
}

impl Auditd {
    /// Of every exec.
    ///
    /// # Errors
    /// When the kernel has no audit, or an audit daemon already.
    pub fn execs(unpacked: &Path, folder: &Path) -> Result<Self> {
        Self::start(unpacked, folder, &["-S", "execve"])
    }

    /// Of every open for writing below `watched`.
    ///
    /// # Errors
    /// As [`Self::execs`].
    pub fn opens(unpacked: &Path, folder: &Path, watched: &Path) -> Result<Self> {
        let below = format!("dir={}", watched.display());
        Self::start(unpacked, folder, &["-S", "open,openat,openat2,creat", "-F", &below, "-F", "perm=w"])
    }

    fn start(unpacked: &Path, folder: &Path, rule: &[&str]) -> Result<Self> {
        let tools = Tools(unpacked.to_owned());
        let before = tools.control(&["-s"])?;
        if before.number("pid")? != 0 {
            bail!("this system's own auditd runs, and the kernel talks to one only");
        }
        let log = folder.join("audit.log");
        if log.exists() {
            fs::remove_file(&log)?;
        }
        fs::write(folder.join("auditd.conf"), configuration(&log))?;
        let child = tools
            .command("auditd")
            .args(["-n", "-c"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start auditd")?;
        let rule = ["always,exit", "-F", "arch=b64"].iter().chain(rule).chain(&["-k", "bench"]);
        let auditd = Self { child, log, rule: rule.map(|word| (*word).to_owned()).collect(), before, tools };
        let pid = u64::from(auditd.child.id());
        wait::until("the kernel talks to auditd", Duration::from_secs(10), || {
            let now = auditd.tools.control(&["-s"])?.number("pid")?;
            ensure!(now == pid, "it talks to {now}");
            Ok(())
        })?;
        // There is none the first time.
        let _was_there = auditd.tools.control(&["-d", NO_CONTEXTS]).is_ok();
        auditd.tools.control(&["-b", BACKLOG, "-e", "1"])?;
        auditd.tools.control(&auditd.rule("-a"))?;
        Ok(auditd)
    }

    fn rule<'a>(&'a self, verb: &'a str) -> Vec<&'a str> {
        std::iter::once(verb).chain(self.rule.iter().map(String::as_str)).collect()
    }

    /// The rule goes, audit is as it was, and new tasks are free of it.
    fn restore(&self) -> Result<()> {
        self.tools.control(&self.rule("-d"))?;
        let (enabled, backlog) = (self.before.number("enabled")?, self.before.number("backlog_limit")?);
        self.tools.control(&["-e", &enabled.to_string(), "-b", &backlog.to_string()])?;
        self.tools.control(&["-a", NO_CONTEXTS])?;
        Ok(())
    }
}

impl Watcher for Auditd {
    fn pids(&self) -> Vec<u32> {
        [Some(self.child.id()), kauditd()].into_iter().flatten().collect()
    }

    fn end(mut self: Box<Self>) -> Result<Seen> {
        let lost = self.tools.control(&["-s"])?.number("lost")? - self.before.number("lost")?;
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        wait::until("auditd ends after SIGTERM", Duration::from_secs(20), || {
            self.child.try_wait()?.context("it goes on")
        })?;
        // Strings stand in quotation marks.
        let said = String::from_utf8_lossy(&fs::read(&self.log)?).replace('"', " ");
        Ok(Seen { lost: Some(lost), text: Text::Words(said) })
    }
}

impl Drop for Auditd {
    fn drop(&mut self) {
        // Already ended is as good; and there is nobody to tell what could not be undone.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(self.restore());
    }
}

/// The kernel's thread that hands records to the daemon.
fn kauditd() -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "kauditd"))
}

/// As Debian ships it, but for where the log lies, its size, and what happens when the disk is full.
fn configuration(log: &Path) -> String {
    format!(
        "local_events = yes\nwrite_logs = yes\nlog_file = {}\nlog_group = root\nlog_format = RAW\nflush = INCREMENTAL_ASYNC\n\
         freq = 50\nmax_log_file = 4000\nnum_logs = 2\npriority_boost = 4\nname_format = NONE\nmax_log_file_action = IGNORE\n\
         space_left = 75\nspace_left_action = IGNORE\nadmin_space_left = 50\nadmin_space_left_action = IGNORE\n\
         disk_full_action = IGNORE\ndisk_error_action = IGNORE\nuse_libwrap = no\ntcp_listen_queue = 5\n\
         distribute_network = no\nq_depth = 2000\noverflow_action = IGNORE\n",
        log.display()
    )
}
