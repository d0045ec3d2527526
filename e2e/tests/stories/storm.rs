//! As many execs as the cores can start.

use std::{collections::HashMap, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use bongsu_e2e::{
    noop, programs,
    site::{Site, SiteOptions},
    storm::{self, Storm},
    turn,
};

#[test]
fn ten_thousand_execs_are_stored_with_their_arguments_and_none_is_lost() -> Result<()> {
    let _turn = turn::take();
    let mut site = Site::start(SiteOptions::default())?;
    site.wait_for_sensor()?;
    let folder = programs::folder_beside()?;
    let program = folder.path().join("noop");
    noop::write(&program)?;

    let storm = storm::run(&program, 10_000, "unique-")?;

    all_stored_once(&mut site, &program, &storm)?;
    ledger_shows_no_loss(&mut site)?;
    site.end()
}

#[test]
fn ten_thousand_findings_of_one_rule_are_one_incident_that_can_be_read() -> Result<()> {
    let _turn = turn::take();
    let mut site = Site::start(SiteOptions::default())?;
    site.wait_for_sensor()?;
    // Below /tmp every start is a finding.
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("noop");
    noop::write(&program)?;

    let storm = storm::run(&program, 10_000, "unique-")?;

    all_stored_once(&mut site, &program, &storm)?;
    ledger_shows_no_loss(&mut site)?;
    let incident = site.until("every start is counted", Duration::from_secs(60), |site| {
        // Others may do suspicious things on this machine meanwhile; the storm is one incident, whichever.
        let mut counts = Vec::new();
        for summary in site.console().incidents()? {
            let incident = site.console().incident(&summary.id)?;
            let temporary = incident.findings.iter().filter(|finding| finding.title.contains("temporary files"));
            let count: u64 = temporary.map(|finding| 1 + finding.repeats).sum();
            counts.push((count, incident));
        }
        let (count, incident) = counts.into_iter().max_by_key(|(count, _)| *count).context("there is no incident")?;
        ensure!(count >= u64::from(storm.execs), "{count} starts are counted");
        ensure!(
            incident.advice.story.iter().any(|claim| claim.text.contains("more times")),
            "the story is not told yet"
        );
        Ok(incident)
    })?;
    assert!(incident.findings.len() < 100, "{} findings are shown", incident.findings.len());
    assert!(incident.timeline.len() < 500, "{} events are shown", incident.timeline.len());
    // Not before the correlator has ended well: a flood must not hold it.
    site.end()
}

/// Waits until each program of the storm is stored as one exec, with the arguments it was started with.
fn all_stored_once(site: &mut Site, program: &Path, storm: &Storm) -> Result<()> {
    let path = program.as_os_str().as_encoded_bytes();
    site.until("the storm is stored", Duration::from_secs(90), |site| {
        let mut seen: HashMap<Vec<Vec<u8>>, u32> = HashMap::new();
        for stored in site.database()?.events("exec")? {
            let process = stored.event.process.unwrap_or_default();
            if process.executable == path {
                *seen.entry(process.args.iter().map(|arg| arg.to_vec()).collect()).or_default() += 1;
            }
        }
        for number in 0..storm.execs {
            let args = vec![path.to_vec(), storm.argument(number).into_bytes()];
            ensure!(seen.get(&args) == Some(&1), "number {number} is stored {:?} times", seen.get(&args));
        }
        Ok(())
    })
}

fn ledger_shows_no_loss(site: &mut Site) -> Result<()> {
    let stored = jiff::Timestamp::now();
    let ledger = site.until("the ledger adds up", Duration::from_secs(30), |site| site.ledger_after(stored))?;
    assert_eq!(ledger.ring_lost, 0);
    assert_eq!(ledger.kernel_emitted, ledger.read);
    assert_eq!(ledger.shed, []);
    assert_eq!(ledger.last_seq, ledger.stored + ledger.spooled);
    Ok(())
}
