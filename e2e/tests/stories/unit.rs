//! The unit as it is shipped, in a real systemd: its restrictions take nothing from the sensor that it needs.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bongsu_api::Sensor;
use bongsu_e2e::{
    container::{self, Container},
    programs,
    site::{Site, SiteOptions},
    turn,
};

const UNIT: &str = "bongsu-sensor.service";
/// The promise; the scale ends at 10, which is bad.
const SCORE_MAX: f64 = 3.0;

fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

/// Puts the sensor, its unit and its identity where a package puts them.
fn install(root: &Path, identity: &Path) -> Result<()> {
    let units = root.join("etc/systemd/system");
    for folder in ["etc/bongsu", "var/lib/bongsu-sensor", "etc/systemd/system/multi-user.target.wants"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy(programs::program("bongsu-sensor")?, root.join("usr/bin/bongsu-sensor"))?;
    fs::copy(deployed("sensor.toml"), root.join("etc/bongsu/sensor.toml"))?;
    fs::copy(deployed(UNIT), units.join(UNIT))?;
    fs::copy(identity, root.join("var/lib/bongsu-sensor/identity.json"))?;
    symlink(Path::new("..").join(UNIT), units.join("multi-user.target.wants").join(UNIT))?;
    // It shares the host's network, which is not its to configure.
    symlink("/dev/null", units.join("systemd-networkd.service"))?;
    Ok(())
}

/// Where each hook stands.
/// Where the hooks stand, but for those on libraries: newer kernels let only CAP_SYS_ADMIN attach uprobes, which the unit does not give.
fn rungs(sensor: &Sensor) -> Vec<(String, String)> {
    let on_kernel = sensor.hooks.iter().filter(|hook| !["authentication", "shell-line"].contains(&hook.name.as_str()));
    on_kernel.map(|hook| (hook.name.clone(), hook.rung.clone())).collect()
}

/// What a log says that somebody should worry about, without its times.
fn worries(log: &str) -> Vec<String> {
    let worry =
        |line: &str| ["WARN", "ERROR"].iter().find_map(|level| Some(line.split_once(level)?.1.trim().to_owned()));
    log.lines().filter_map(worry).collect()
}

#[test]
#[ignore = "wants a root file system with systemd: cargo xtask unit-test"]
fn under_the_restrictions_of_its_unit_the_sensor_sees_what_it_sees_without_them() -> Result<()> {
    let _turn = turn::take();
    let root = container::root()?;
    let mut site = Site::correlator_only(SiteOptions::default())?;
    site.join_sensor()?;
    site.start_sensor()?;
    let outside = rungs(&site.wait_for_sensor()?);
    site.kill_sensor()?;
    let outside_worries = worries(&site.sensor_log());

    install(&root, &site.path("sensor/identity.json"))?;
    let started = jiff::Timestamp::now();
    let container = Container::boot(&root, &site.path("container.log"))?;
    let journal = || container.says(&["journalctl", "--unit", UNIT, "--output=cat", "--no-pager"]);
    site.until("the sensor in the container has a session", Duration::from_secs(60), |_| {
        let journal = journal()?;
        ensure!(journal.contains("session open"), "its journal says: {journal}");
        Ok(())
    })?;
    ensure!(container.says(&["systemctl", "is-active", UNIT])?.trim() == "active", "it is not active");
    ensure!(rungs(&site.sensor_record()?) == outside, "hooks stand elsewhere: {:?}", site.sensor_record()?.hooks);

    // A program of its own name, so that only this one can be meant.
    let copied = container.run(&["cp", "/bin/true", "/var/tmp/run-under-the-unit"])?;
    ensure!(
        copied.status.success() && container.run(&["/var/tmp/run-under-the-unit"])?.status.success(),
        "cannot run it"
    );
    site.until("its exec is stored", Duration::from_secs(20), |site| {
        let execs = site.database()?.events("exec")?;
        let told = execs.iter().filter_map(|stored| stored.event.process.as_ref());
        let mut told = told.filter(|process| process.executable.ends_with(b"/run-under-the-unit"));
        told.next().with_context(|| format!("not among {}", execs.len())).map(drop)
    })?;
    site.until("the ledger balances", Duration::from_secs(20), |site| site.ledger_after(started).map(drop))?;

    let journal = journal()?;
    ensure!(journal.contains("rights: capabilities DAC_READ_SEARCH"), "it does not say what it keeps: {journal}");
    let confined = |log: &str| log.contains("landlock abi");
    ensure!(confined(&journal) == confined(&site.sensor_log()), "Landlock is in force outside only: {journal}");
    let is_new = |worry: &String| !outside_worries.contains(worry) && !worry.contains("authentication");
    let worries: Vec<String> = worries(&journal).into_iter().filter(is_new).collect();
    ensure!(worries.is_empty(), "only under the unit: {worries:#?}");
    // Trials of attach points are refused on both sides alike.
    let denied = |log: &str| log.lines().filter(|line| line.contains("Operation not permitted")).count();
    ensure!(denied(&journal) <= denied(&site.sensor_log()), "a call was denied: {journal}");

    let verdict = container.says(&["systemd-analyze", "security", "--no-pager", UNIT])?;
    let last = verdict.lines().rfind(|line| line.contains("Overall exposure")).context("no verdict")?;
    let score: f64 = last.split_whitespace().find_map(|word| word.parse().ok()).context("no score")?;
    ensure!(score <= SCORE_MAX, "{last}");
    drop(container);
    site.end()
}
