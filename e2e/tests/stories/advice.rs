//! What a model makes of an incident, and what becomes of the incident when the model is bad: nothing.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bongsu_api::Incident;
use bongsu_e2e::{
    attack::AuthLog,
    llm::LlamaServer,
    site::{Site, SiteOptions},
    turn, verdict,
};

const ACCOUNT: &str = "backup";
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

/// A site that only follows a log, with a model at that address, after somebody guessed a password there.
fn broken_into(endpoint: &str, timeout: Duration) -> Result<(Site, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let mut log = AuthLog::open(&folder.path().join("auth.log"))?;
    let advise =
        format!("[advise]\nendpoint = \"{endpoint}\"\nmodel = \"smollm2\"\ntimeout_seconds = {}\n", timeout.as_secs());
    let mut site = Site::start(SiteOptions::default().follow(log.path()).without_probes().correlator(&advise))?;
    site.wait_for_sensor()?;
    for _ in 0..6 {
        log.failed_password(ACCOUNT, STRANGER)?;
    }
    log.accepted_password(ACCOUNT, STRANGER)?;
    log.line("sudo", 4711, "  backup : TTY=pts/0 ; PWD=/home/backup ; USER=root ; COMMAND=/bin/bash")?;
    Ok((site, folder))
}

/// The incident once `told` says its advice is there.
fn advised(site: &mut Site, within: Duration, told: impl Fn(&Incident) -> bool) -> Result<Incident> {
    site.until("the incident has its advice", within, |site| {
        let incident = verdict::the_incident_of(site.console(), ACCOUNT)?;
        ensure!(told(&incident), "its advice is {:?}", incident.advice);
        Ok(incident)
    })
}

fn every_sentence_cites(incident: &Incident, site: &Site) -> Result<()> {
    ensure!(!incident.advice.story.is_empty() && !incident.advice.next_steps.is_empty(), "no story or no steps");
    ensure!(incident.advice.story.iter().all(|claim| !claim.event_ids.is_empty()), "a sentence cites nothing");
    verdict::citations_exist(incident, &mut site.database()?)
}

#[test]
fn a_real_model_retells_the_story_or_the_template_says_why_not() -> Result<()> {
    let _turn = turn::take();
    let model = LlamaServer::start()?;
    let (mut site, _folder) = broken_into(&model.endpoint(), Duration::from_secs(120))?;
    let heard = |incident: &Incident| incident.advice.source == "model" || !incident.advice.notes.is_empty();
    let incident = advised(&mut site, Duration::from_secs(180), heard)?;
    every_sentence_cites(&incident, &site)?;
    if incident.advice.source == "template" {
        let note = incident.advice.notes.first().context("no note")?;
        ensure!(note.contains("The model smollm2 was asked"), "{note}");
    }
    site.end()
}

#[test]
fn with_a_model_that_hangs_the_story_is_there_within_ten_seconds() -> Result<()> {
    let _turn = turn::take();
    // It takes connections, because the kernel does, and never says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let endpoint = format!("http://{}/v1/chat/completions", silent.local_addr()?);
    let (mut site, _folder) = broken_into(&endpoint, Duration::from_secs(3))?;
    advised(&mut site, Duration::from_secs(60), |_| true)?;
    let seen = Instant::now();
    let incident = advised(&mut site, Duration::from_secs(10), |incident| !incident.advice.story.is_empty())?;
    ensure!(seen.elapsed() < Duration::from_secs(10), "the story came after {:?}", seen.elapsed());
    every_sentence_cites(&incident, &site)?;
    let incident = advised(&mut site, Duration::from_secs(60), |incident| !incident.advice.notes.is_empty())?;
    ensure!(incident.advice.source == "template", "{:?}", incident.advice);
    ensure!(incident.advice.notes[0].contains("no whole answer within 3 s"), "{:?}", incident.advice.notes);
    site.end()
}
