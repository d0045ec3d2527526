//! A storm of execs: as many short programs as the cores can start, each with an argument of its own.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// What was done.
#[derive(Debug, Clone)]
pub struct Storm {
    /// How many programs ran.
    pub execs: u32,
    /// How long it took.
    pub took: Duration,
    /// What every argument begins with; the rest is a number from 0 to `execs - 1`.
    pub prefix: String,
}

impl Storm {
    /// The argument of the program of that number.
    #[must_use]
    pub fn argument(&self, number: u32) -> String {
        format!("{}{number}", self.prefix)
    }
}

/// Starts `program` `execs` times, from as many threads as there are cores, each waiting for its own.
///
/// The standard library starts a program with nothing special about it by `posix_spawn`.
///
/// # Errors
/// When a start fails: then fewer ran than are to be counted.
pub fn run(program: &Path, execs: u32, prefix: &str) -> Result<Storm> {
    run_on(u32::try_from(thread::available_parallelism()?.get())?, program, execs, prefix)
}

/// The same, from so many threads.
///
/// # Errors
/// As [`run`].
pub fn run_on(threads: u32, program: &Path, execs: u32, prefix: &str) -> Result<Storm> {
    let start = Instant::now();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    (thread..execs).step_by(threads as usize).try_for_each(|number| one(program, prefix, number))
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(Storm { execs, took: start.elapsed(), prefix: prefix.to_owned() })
}

fn one(program: &Path, prefix: &str, number: u32) -> Result<()> {
    let status = Command::new(program)
        .arg(format!("{prefix}{number}"))
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start number {number}"))?;
    if !status.success() {
        bail!("number {number} ended with {status}");
    }
    Ok(())
}
