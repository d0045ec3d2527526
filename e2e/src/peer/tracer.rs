//! Programs that print a line for each thing they see: execsnoop and opensnoop of libbpf-tools, and bpftrace.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Seen, Text, Watcher};
use crate::wait;

const READY_WITHIN: Duration = Duration::from_secs(30);
const END_WITHIN: Duration = Duration::from_secs(20);

/// A running one, its output going to files.
pub struct Tracer {
    child: Child,
    output: PathBuf,
    errors: PathBuf,
}

impl Tracer {
    /// execsnoop, with every argument shown.
    ///
    /// # Errors
    /// When it is not installed, or shows nothing.
    pub fn execsnoop(folder: &Path) -> Result<Self> {
        Self::start("/usr/sbin/execsnoop", &["--max-args", "20"], folder, start_programs)
    }

    /// bpftrace printing the arguments of every exec.
    ///
    /// # Errors
    /// As [`Self::execsnoop`].
    pub fn bpftrace_execs(folder: &Path) -> Result<Self> {
        let script = "tracepoint:syscalls:sys_enter_execve { join(args->argv) }";
        Self::start("/usr/bin/bpftrace", &["-e", script], folder, start_programs)
    }

    /// opensnoop, for all processes.
    ///
    /// # Errors
    /// As [`Self::execsnoop`].
    pub fn opensnoop(folder: &Path) -> Result<Self> {
        Self::start("/usr/sbin/opensnoop", &[] as &[&str], folder, open_files)
    }

    /// bpftrace printing the path of every open.
    ///
    /// # Errors
    /// As [`Self::execsnoop`].
    pub fn bpftrace_opens(folder: &Path) -> Result<Self> {
        let script = r#"tracepoint:syscalls:sys_enter_openat { printf("%s\n", str(args->filename)) }"#;
        Self::start("/usr/bin/bpftrace", &["-e", script], folder, open_files)
    }

    /// Starts one and makes things happen until it shows some, so that nothing is missed. What they print is buffered by the C library,
    /// so it takes some of it.
    fn start(
        program: &str,
        arguments: &[impl AsRef<OsStr>],
        folder: &Path,
        make_seen: fn() -> Result<()>,
    ) -> Result<Self> {
        let (output, errors) = (folder.join("tracer.out"), folder.join("tracer.err"));
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(File::create(&errors)?)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let mut tracer = Self { child, output, errors };
        let shown = wait::until(&format!("{program} shows something"), READY_WITHIN, || -> Result<()> {
            if tracer.child.try_wait()?.is_some() {
                // Why, is said below.
                return Ok(());
            }
            make_seen()?;
            ensure!(fs::read_to_string(&tracer.output)?.contains(SIGN), "it shows nothing");
            Ok(())
        });
        if let Some(status) = tracer.child.try_wait()? {
            anyhow::bail!("{program} ended with {status}: {}", fs::read_to_string(&tracer.errors)?.trim());
        }
        shown?;
        Ok(tracer)
    }
}

/// What is looked for in the output of one that starts.
const SIGN: &str = "are-you-there";

fn start_programs() -> Result<()> {
    // A few KiB of lines, the buffer of the C library.
    let arguments = [SIGN; 15];
    for _ in 0..40 {
        Command::new("/bin/true").args(arguments).status()?;
    }
    Ok(())
}

fn open_files() -> Result<()> {
    for _ in 0..200 {
        let _there = File::open(format!("/var/tmp/{SIGN}-{SIGN}-{SIGN}")).is_ok();
    }
    Ok(())
}

impl Watcher for Tracer {
    fn pids(&self) -> Vec<u32> {
        vec![self.child.id()]
    }

    fn end(mut self: Box<Self>) -> Result<Seen> {
        // As Ctrl-C does: they print what they hold, and end.
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGINT)?;
        wait::until("it ends after SIGINT", END_WITHIN, || self.child.try_wait()?.context("it goes on"))?;
        let said = fs::read_to_string(&self.errors)? + &fs::read_to_string(&self.output)?;
        Ok(Seen { lost: Some(lost(&said)), text: Text::Words(said) })
    }
}

/// The sum of what it said to be lost: "Lost 12 events" (bpftrace), "lost 12 events on CPU #0!" (libbpf-tools).
fn lost(said: &str) -> u64 {
    let lines = said.lines().filter_map(|line| line.to_ascii_lowercase().strip_prefix("lost ").map(str::to_owned));
    lines.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Already ended is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tracer_says_it_lost_is_added_up() {
        assert_eq!(lost("Lost 7 events\n/bin/lost 9 events\nlost 5 events on CPU #1!\nlost in thought\n"), 12);
    }
}
