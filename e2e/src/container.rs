//! A real systemd, booted in a container, for what only it can show: whether a unit's restrictions let the program work.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::wait;

const BOOT_WITHIN: Duration = Duration::from_secs(60);
/// What loading and reading of kernel programs takes; nspawn gives containers the rest by itself.
const CAPABILITIES: &str = "CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN,CAP_SYS_PTRACE,CAP_DAC_READ_SEARCH";
/// What containers may not call otherwise: attaching, and the sensor's own confinement.
const CALLS: &str = "bpf perf_event_open landlock_create_ruleset landlock_add_rule landlock_restrict_self";
/// systemd wants a cgroup tree of its own kind, which hosts do not always have where it looks.
const BOOT: &str =
    "mount --make-rprivate /; umount -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec \"$@\"";

/// A booted system. Dropping it ends it.
pub struct Container {
    nspawn: Child,
    /// Its first process, as the host knows it.
    leader: u32,
}

impl Container {
    /// Boots the system in `root`, which shares the host's network.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn boot(root: &Path, log: &Path) -> Result<Self> {
        let out = fs::File::create(log)?;
        let nspawn = Command::new("unshare")
            .args(["--mount", "bash", "-c", BOOT, "bash", "systemd-nspawn", "--quiet", "--boot", "--directory"])
            .arg(root)
            .args(["--register=no", "--keep-unit", "--console=pipe", "--link-journal=no", "--machine=bongsu-unit"])
            .arg(format!("--capability={CAPABILITIES}"))
            .args([&format!("--system-call-filter={CALLS}"), "--bind=/sys/kernel/tracing"])
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .context("cannot start systemd-nspawn")?;
        let mut container = Self { nspawn, leader: 0 };
        container.leader = wait::until("the container has a first process", BOOT_WITHIN, || {
            // unshare and bash have become systemd-nspawn by exec.
            let pid = container.nspawn.id();
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
            let leader = children.split_whitespace().next().context("it has no child")?.parse()?;
            ensure!(fs::read(format!("/proc/{leader}/comm"))? == b"systemd\n", "it is not systemd yet");
            Ok(leader)
        })?;
        Ok(container)
    }

    /// Runs a command inside.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, command: &[&str]) -> Result<Output> {
        let target = self.leader.to_string();
        Ok(Command::new("nsenter").args(["--target", &target, "--all"]).args(command).stdin(Stdio::null()).output()?)
    }

    /// What a command inside prints, whether it succeeds or not.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn says(&self, command: &[&str]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.run(command)?.stdout).into_owned())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The first process takes all others of the container with it, and nspawn ends when it has; without it nspawn would leave them behind.
        let leader = i32::try_from(self.leader).unwrap_or(0);
        if leader == 0 || kill(Pid::from_raw(leader), Signal::SIGKILL).is_err() {
            let (Ok(()) | Err(_)) = self.nspawn.kill();
        }
        let (Ok(_) | Err(_)) = self.nspawn.wait();
    }
}

/// The system that `cargo xtask unit-test` made.
///
/// # Errors
/// When it made none.
pub fn root() -> Result<PathBuf> {
    let root = std::env::var_os("BONGSU_UNIT_ROOT").context("cargo xtask unit-test makes a system and says where")?;
    Ok(PathBuf::from(root))
}
