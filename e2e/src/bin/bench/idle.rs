//! What the sensor costs a host on which nothing happens: CPU, memory, and how often it wakes, thread by thread.

use std::{collections::BTreeMap, fs, thread, time::Duration};

use anyhow::{Context, Result};
use bongsu_e2e::site::{Site, SiteOptions};

use crate::table::{mib, say, say_machine, table};

/// What it settles in, after its start.
const SETTLE: Duration = Duration::from_secs(10);

/// Runs it and prints the tables.
pub(crate) fn run(seconds: u64) -> Result<()> {
    say_machine();
    let mut site = Site::start(SiteOptions::default())?;
    site.wait_for_sensor()?;
    thread::sleep(SETTLE);
    let pid = site.sensor_pid()?;
    let (before, events) = (threads(pid)?, stored(&site)?);
    thread::sleep(Duration::from_secs(seconds));
    let (after, events) = (threads(pid)?, stored(&site)? - events);
    let usage = site.sensor_usage()?;
    site.end()?;

    let mut rows = Vec::new();
    let mut sum = Thread::default();
    for (name, now) in &after {
        let earlier = before.get(name).copied().unwrap_or_default();
        let spent = Thread { ns: now.ns.saturating_sub(earlier.ns), wakes: now.wakes.saturating_sub(earlier.wakes) };
        sum = Thread { ns: sum.ns + spent.ns, wakes: sum.wakes + spent.wakes };
        rows.push(row(name, spent, seconds));
    }
    rows.push(row("all", sum, seconds));
    say(&format!(
        "The sensor, connected, on a host that does nothing, {seconds} s; meanwhile {events} events came by.\n"
    ));
    table(&["thread", "CPU, % of a core", "wakes/s"], &rows);
    table(&["RSS", "peak RSS"], &[vec![mib(usage.rss_kib), mib(usage.peak_rss_kib)]]);
    Ok(())
}

#[derive(Clone, Copy, Default)]
struct Thread {
    /// On a processor.
    ns: u64,
    /// Times it went to sleep by itself, so woke as often.
    wakes: u64,
}

fn row(name: &str, spent: Thread, seconds: u64) -> Vec<String> {
    let share = spent.ns as f64 / 1e9 / seconds as f64 * 100.0;
    vec![name.to_owned(), format!("{share:.3}"), format!("{:.2}", spent.wakes as f64 / seconds as f64)]
}

/// By name and number.
fn threads(pid: u32) -> Result<BTreeMap<String, Thread>> {
    let folder = format!("/proc/{pid}/task");
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(&folder).context("the sensor is gone")? {
        let entry = entry?;
        let read = |file: &str| fs::read_to_string(entry.path().join(file));
        // One that ends meanwhile cost what it cost; it is not among those that stay.
        let (Ok(name), Ok(status), Ok(times)) = (read("comm"), read("status"), read("schedstat")) else { continue };
        let ns = times.split(' ').next().and_then(|ns| ns.parse().ok()).context("schedstat is empty")?;
        let wakes = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok());
        let name = format!("{} {}", name.trim(), entry.file_name().to_string_lossy());
        threads.insert(name, Thread { ns, wakes: wakes.context("status does not say how often it slept")? });
    }
    Ok(threads)
}

fn stored(site: &Site) -> Result<u64> {
    Ok(site.sensor_record()?.ledgers.first().context("no ledger yet")?.stored)
}
