//! Whether an incident is what it should be. Each check says what is missing.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use bongsu_api::Incident;
use sha2::{Digest, Sha256};

use crate::{console::Console, stored::Database};

/// The one incident that tells of what `account` did. Two of them are an error: one attack is one story.
///
/// # Errors
/// When there is none, or more than one.
pub fn the_incident_of(console: &Console, account: &str) -> Result<Incident> {
    let mut told = Vec::new();
    for summary in console.incidents()? {
        let incident = console.incident(&summary.id)?;
        let concerns = |finding: &bongsu_api::Finding| {
            finding.entities.get("user").is_some_and(|users| users.iter().any(|user| user == account))
        };
        if incident.findings.iter().any(concerns) {
            told.push(incident);
        }
    }
    let count = told.len();
    match told.pop() {
        Some(incident) if count == 1 => Ok(incident),
        Some(_) => bail!("{count} incidents tell of {account}; it was one attack"),
        None => bail!("no incident tells of {account}"),
    }
}

/// Whether every detector has spoken, and the story is told.
///
/// # Errors
/// Says what is missing.
pub fn complete(incident: &Incident) -> Result<()> {
    let kernel_events =
        |finding: &&bongsu_api::Finding| finding.detector == "sigma" && finding.entities.contains_key("process");
    let from_kernel = incident.findings.iter().filter(kernel_events).count();
    ensure!(from_kernel >= 3, "only {from_kernel} findings on kernel events");
    ensure!(of_log_lines(incident), "no finding on log lines");
    for detector in ["sequence", "anomaly", "yara"] {
        ensure!(incident.findings.iter().any(|finding| finding.detector == detector), "no finding by {detector}");
    }
    let anomaly = incident.anomaly.as_ref().context("no anomaly score")?;
    ensure!(!anomaly.reasons.is_empty(), "an anomaly score without reasons");
    ensure!(!incident.advice.story.is_empty(), "no story");
    ensure!(incident.advice.story.iter().all(|claim| !claim.event_ids.is_empty()), "a sentence that cites nothing");
    ensure!(!incident.advice.next_steps.is_empty(), "no next steps");
    Ok(())
}

/// Whether a finding on single events speaks of a log line.
fn of_log_lines(incident: &Incident) -> bool {
    incident
        .timeline
        .iter()
        .filter(|entry| entry.fields.contains_key("log.file.path"))
        .flat_map(|entry| &entry.finding_ids)
        .any(|id| incident.findings.iter().any(|finding| finding.id == *id))
}

/// Whether every event that the story cites is in the store.
///
/// # Errors
/// Names the first that is not.
pub fn citations_exist(incident: &Incident, database: &mut Database) -> Result<()> {
    for claim in &incident.advice.story {
        for id in &claim.event_ids {
            ensure!(
                database.has(id)?,
                "the story says {:?} and cites event {id}, which is not in the store",
                claim.text
            );
        }
    }
    Ok(())
}

/// Whether the file's bytes are those of that name.
///
/// # Errors
/// When they are not.
pub fn sha256_is(file: &Path, sha256: &str) -> Result<()> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let actual: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(actual == sha256, "{} has SHA-256 {actual}, not {sha256}", file.display());
    Ok(())
}
