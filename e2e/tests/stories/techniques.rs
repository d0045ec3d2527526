//! What attackers do on Linux, really done, one thing after the other: each must leave the event that somebody would look for.

mod list;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bongsu_api::TimelineEntry;
use bongsu_e2e::{
    programs,
    site::{Site, SiteOptions},
    turn,
};
use list::{TECHNIQUES, Technique};

/// A private key that lay there before anybody looked.
const KEY: &str = "/root/.ssh/id_bongsu_technique";

/// Takes the key away again.
struct Key;

impl Key {
    fn lay() -> Result<Self> {
        fs::create_dir_all("/root/.ssh")?;
        fs::write(KEY, "no key")?;
        Ok(Self)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        drop(fs::remove_file(KEY));
    }
}

#[test]
fn each_technique_leaves_the_event_that_one_would_look_for() -> Result<()> {
    let _turn = turn::take();
    let _key = Key::lay()?;
    let mut site = Site::start(SiteOptions::default())?;
    let sensor = site.wait_for_sensor()?;
    let blind: Vec<_> = sensor.hooks.iter().filter(|hook| hook.rung == "none").collect();
    ensure!(blind.is_empty(), "these hooks stand nowhere: {blind:?}");
    let folder = programs::folder_beside()?;
    let marker = folder.path().file_name().context("a folder has a name")?.to_string_lossy().into_owned();

    for technique in TECHNIQUES {
        perform(technique, folder.path()).with_context(|| technique.name)?;
    }

    site.until("each technique has left its event", Duration::from_secs(60), |site| {
        let events: Vec<TimelineEntry> =
            site.console().json(&["event", "list", "--contains", &marker, "--limit", "100000"])?;
        let missed: Vec<String> =
            TECHNIQUES.iter().filter_map(|technique| missed(technique, &events, folder.path())).collect();
        ensure!(
            missed.is_empty(),
            "{} of {} left no such event:\n{}",
            missed.len(),
            TECHNIQUES.len(),
            missed.join("\n")
        );
        Ok(())
    })?;
    site.end()
}

/// Does it, in a shell whose arguments name the folder, as then do the events of what it starts.
fn perform(technique: &Technique, folder: &Path) -> Result<()> {
    let output = Command::new("bash")
        .args(["-c", technique.script, "technique"])
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .context("cannot start bash")?;
    if !output.status.success() {
        bail!("ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Nothing when one of the events is what the technique should leave; else what there is of that kind.
fn missed(technique: &Technique, events: &[TimelineEntry], folder: &Path) -> Option<String> {
    let expected: BTreeMap<&str, String> =
        technique.fields.iter().map(|(name, value)| (*name, value.replace("$1", &folder.to_string_lossy()))).collect();
    let of_action = || events.iter().filter(|event| event.action == technique.action);
    let is_it = |event: &TimelineEntry| {
        expected.iter().all(|(name, value)| match (event.fields.get(*name), value.strip_prefix('~')) {
            (Some(found), Some(part)) => found.contains(part),
            (Some(found), None) => found == value,
            (None, _) => false,
        })
    };
    if of_action().any(is_it) {
        return None;
    }
    let near: Vec<&str> = of_action().map(|event| event.text.as_str()).take(8).collect();
    Some(format!("{}: no {} with {expected:?}; there are {near:?}", technique.name, technique.action))
}
