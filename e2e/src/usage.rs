//! What a process has cost so far, as the kernel accounts it.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// The cost of a process since its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// CPU time in user mode, all threads.
    pub user: Duration,
    /// CPU time in the kernel, all threads.
    pub system: Duration,
    /// Resident set now, in KiB.
    pub rss_kib: u64,
    /// Largest resident set so far, in KiB.
    pub peak_rss_kib: u64,
}

impl Usage {
    /// Reads it from /proc.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
        // The second field is the name in parentheses, which may hold anything: count from behind it.
        let fields: Vec<&str> = stat.rsplit_once(')').context("no name in stat")?.1.split_whitespace().collect();
        let ticks = |index: usize| -> Result<Duration> {
            let ticks: u64 = fields.get(index).context("stat is short")?.parse()?;
            Ok(Duration::from_millis(ticks * 10))
        };
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        // A kernel thread has no memory of its own, and says nothing of it.
        let kib = |name: &str| -> Result<u64> {
            let found = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
            Ok(found.unwrap_or("0").parse()?)
        };
        let (rss_kib, peak_rss_kib) = (kib("VmRSS:")?, kib("VmHWM:")?);
        Ok(Self { user: ticks(11)?, system: ticks(12)?, rss_kib, peak_rss_kib })
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            user: self.user + other.user,
            system: self.system + other.system,
            rss_kib: self.rss_kib + other.rss_kib,
            peak_rss_kib: self.peak_rss_kib + other.peak_rss_kib,
        }
    }

    /// What it cost since `earlier`; the resident set is the earlier one, before the work, and the peak is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            rss_kib: earlier.rss_kib,
            peak_rss_kib: self.peak_rss_kib,
        }
    }
}
