//! What a process's BPF programs cost whoever passes their hooks, by the kernel's own count. Counting costs two looks at the clock for each run, so
//! it is on only while somebody asks.

use std::{collections::HashMap, fs, time::Duration};

use anyhow::{Context, Result};

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// While this lives the kernel counts.
pub struct Counting {
    before: String,
}

impl Counting {
    /// Turns it on.
    ///
    /// # Errors
    /// When the kernel does not let us.
    pub fn on() -> Result<Self> {
        let before = fs::read_to_string(SWITCH).with_context(|| format!("cannot read {SWITCH}"))?;
        fs::write(SWITCH, "1").with_context(|| format!("cannot write {SWITCH}"))?;
        Ok(Self { before })
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        // It was written before.
        drop(fs::write(SWITCH, self.before.trim()));
    }
}

/// What the programs took that the process holds open, all together, since they were loaded.
///
/// # Errors
/// When the process is gone.
pub fn spent(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/fdinfo");
    // A program can be held more than once.
    let mut programs: HashMap<u64, u64> = HashMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("process {pid} is gone"))? {
        // Descriptors come and go meanwhile; those of programs stay.
        let Ok(said) = fs::read_to_string(entry?.path()) else { continue };
        let number = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        if let (Some(program), Some(time)) = (number("prog_id:"), number("run_time_ns:")) {
            programs.insert(program, time);
        }
    }
    Ok(Duration::from_nanos(programs.values().sum()))
}
