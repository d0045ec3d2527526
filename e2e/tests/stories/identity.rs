//! A sensor speaks only for itself: who it is stands in its certificate, which one authority made.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use bongsu_e2e::{
    site::{Site, SiteOptions},
    turn,
};
use serde_json::Value;

fn identity(path: &Path) -> Result<Value> {
    serde_json::from_slice(&fs::read(path)?).with_context(|| format!("{} is no identity", path.display()))
}

/// Gives the sensor of `site` this identity, starts it, and waits until its log says `words`.
fn refused_with(site: &mut Site, forged: &Value, words: &str) -> Result<()> {
    fs::write(site.path("sensor/identity.json"), serde_json::to_vec(forged)?)?;
    site.start_sensor()?;
    site.until("the sensor's log says why it is refused", Duration::from_secs(20), |site| {
        ensure!(site.sensor_log().contains(words), "its log does not say {words:?}");
        Ok(())
    })?;
    ensure!(site.sensor_record()?.status != "online", "it is online all the same");
    site.kill_sensor()
}

#[test]
fn a_certificate_of_another_authority_is_refused_and_both_logs_say_so() -> Result<()> {
    let _turn = turn::take();
    let mut site = Site::correlator_only(SiteOptions::default().without_probes())?;
    site.join_sensor()?;
    let other = Site::correlator_only(SiteOptions::default().without_probes())?;
    other.join_sensor()?;
    // It knows the right address and trusts the right authority, but what it shows is another authority's.
    let mut forged = identity(&site.path("sensor/identity.json"))?;
    let foreign = identity(&other.path("sensor/identity.json"))?;
    for part in ["certificate", "key"] {
        forged[part] = foreign[part].clone();
    }
    refused_with(&mut site, &forged, "certificate")?;
    ensure!(site.correlator_log().contains("refused"), "the correlator's log says nothing");
    other.end()?;
    site.end()
}

#[test]
fn a_sensor_that_calls_itself_by_anothers_id_is_known_by_its_certificate() -> Result<()> {
    let _turn = turn::take();
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("app.log");
    let mut site = Site::correlator_only(SiteOptions::default().follow(&log).without_probes())?;
    site.join_sensor()?;
    let mine = identity(&site.path("sensor/identity.json"))?;
    fs::rename(site.path("sensor"), site.path("first"))?;
    site.join_sensor()?;
    let mut forged = identity(&site.path("sensor/identity.json"))?;
    let own = forged["sensor_id"].as_str().context("no id")?.to_owned();
    forged["sensor_id"] = mine["sensor_id"].clone();
    fs::write(site.path("sensor/identity.json"), serde_json::to_vec(&forged)?)?;
    site.start_sensor()?;
    site.until("a line is stored", Duration::from_secs(20), |site| {
        fs::write(&log, "one line\n")?;
        let stored = site.database()?.events("log")?;
        let first = stored.first().context("nothing is stored")?;
        ensure!(first.id.starts_with(&own), "{} is stored under another's id", first.id);
        Ok(())
    })?;
    // With the other's certificate, but without its key, it cannot even begin.
    site.kill_sensor()?;
    let mut stolen = forged;
    stolen["certificate"] = mine["certificate"].clone();
    fs::write(site.path("sensor/identity.json"), serde_json::to_vec(&stolen)?)?;
    site.start_sensor()?;
    let why = site.sensor_ends(Duration::from_secs(20))?;
    ensure!(why.contains("key"), "its log does not speak of the key: {why}");
    site.end()
}
