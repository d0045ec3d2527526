//! What a running sensor could still do: hardly anything.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use bongsu_e2e::{
    site::{Site, SiteOptions},
    turn,
};

const NOTHING: &str = "0000000000000000";
/// DAC_READ_SEARCH, and with it BPF where the kernel wants it for reading maps.
const SENSOR: [&str; 2] = ["0000000000000004", "0000008000000004"];
/// DAC_READ_SEARCH and SYS_PTRACE.
const OPENER: [&str; 1] = ["0000000000080004"];

/// Every thread of the process has these capabilities and the filter; gives how many threads there are.
fn every_thread_keeps(pid: u32, capabilities: &[&str]) -> Result<usize> {
    let mut threads = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = thread?.path().join("status");
        // A thread may end while we look.
        let Ok(status) = fs::read_to_string(&path) else { continue };
        let said = |key: &str| -> Result<&str> {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            Ok(line.with_context(|| format!("{} has no {key}", path.display()))?.trim())
        };
        let effective = said("CapEff")?;
        ensure!(capabilities.contains(&effective) && said("CapPrm")? == effective, "{status}");
        ensure!([said("CapInh")?, said("CapAmb")?, said("CapBnd")?] == [NOTHING; 3], "{status}");
        ensure!((said("NoNewPrivs")?, said("Seccomp")?) == ("1", "2"), "{status}");
        threads += 1;
    }
    Ok(threads)
}

fn opener_of(pid: u32) -> Result<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    children.split_whitespace().next().context("the sensor has no child")?.parse().context("a pid")
}

#[test]
fn every_thread_of_a_running_sensor_has_given_up_what_attaching_took_and_names_are_still_looked_up() -> Result<()> {
    let _turn = turn::take();
    let mut site = Site::correlator_only(SiteOptions::default())?;
    site.join_sensor()?;
    // First an address that leads nowhere, then one by name.
    let path = site.path("sensor/identity.json");
    let mut identity: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    let address = identity["addresses"][0].as_str().context("no address")?.to_owned();
    let (_, port) = address.rsplit_once(':').context("no port")?;
    identity["addresses"] = serde_json::json!(["nobody.invalid:1", format!("localhost:{port}")]);
    fs::write(&path, serde_json::to_vec(&identity)?)?;
    site.start_sensor()?;
    let online = site.wait_for_sensor()?;
    ensure!(online.hooks.iter().all(|hook| hook.rung != "silent"), "a hook is silent: {:?}", online.hooks);

    let pid = site.sensor_pid()?;
    let threads = every_thread_keeps(pid, &SENSOR)?;
    ensure!(threads >= 5, "{threads} threads");
    let opener = opener_of(pid)?;
    ensure!(every_thread_keeps(opener, &OPENER)? == 1, "the opener has threads");
    let log = site.sensor_log();
    ensure!(log.contains("rights: capabilities DAC_READ_SEARCH"), "its log does not say what it keeps");

    // Past the first beat of the pulse, which must find every hook as it learned them under the same rights.
    let learned = pulse_time(pid)?;
    site.until("the pulse has beaten", Duration::from_secs(45), |_| {
        ensure!(pulse_time(pid)? > learned, "it sleeps");
        Ok(())
    })?;
    ensure!(site.sensor_record()?.hooks.iter().all(|hook| hook.rung != "silent"), "a hook fell silent");
    site.end()?;
    ensure!(!Path::new(&format!("/proc/{opener}/exe")).exists(), "the opener goes on without the sensor");
    Ok(())
}

/// Nanoseconds that the thread which beats has run.
fn pulse_time(pid: u32) -> Result<u64> {
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?.path();
        if fs::read(thread.join("comm"))? == b"probe-pulse\n" {
            let times = fs::read_to_string(thread.join("schedstat"))?;
            return times.split(' ').next().context("no time")?.parse().context("a time");
        }
    }
    bail!("no thread beats")
}
