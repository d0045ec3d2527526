//! What leaves the correlator is what its readers take: Slack's blocks, Elasticsearch's documents, ECS in a file.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bongsu_e2e::{
    attack::AuthLog,
    ecs,
    elasticsearch::ElasticsearchReceiver,
    site::{Site, SiteOptions},
    slack::SlackReceiver,
    turn, verdict,
};
use serde_json::Value;

const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10));
const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn an_incident_reaches_slack_once_and_elasticsearch_and_a_file_as_valid_ecs() -> Result<()> {
    let _turn = turn::take();
    let (slack, elasticsearch) = (SlackReceiver::start()?, ElasticsearchReceiver::start()?);
    // The cluster is busy at first; nothing may be lost or doubled for it.
    elasticsearch.trouble([503, 429]);
    elasticsearch.push_back(3);
    let folder = tempfile::tempdir()?;
    let files = folder.path().join("incidents");
    let mut log = AuthLog::open(&folder.path().join("auth.log"))?;
    let correlator = format!(
        "[slack]\nwebhook_url = \"{}\"\nsettle_seconds = 2\nseverity_min = \"low\"\n\n[elasticsearch]\nurl = \"{}\"\n\n[ndjson]\nfolder = \"{}\"\n",
        slack.url(),
        elasticsearch.url(),
        files.display()
    );
    let mut site = Site::start(SiteOptions::default().follow(log.path()).without_probes().correlator(&correlator))?;
    site.wait_for_sensor()?;
    for _ in 0..6 {
        log.failed_password("backup", STRANGER)?;
    }
    log.accepted_password("backup", STRANGER)?;
    log.line("sudo", 4711, "  backup : TTY=pts/0 ; PWD=/home/backup ; USER=root ; COMMAND=/bin/bash")?;

    let incident = site.until("everything is exported", WITHIN, |site| {
        let incident = verdict::the_incident_of(site.console(), "backup")?;
        let wanted =
            incident.timeline.iter().map(|entry| &entry.event_id).chain(incident.findings.iter().map(|it| &it.id));
        let stored = elasticsearch.documents();
        let missing = wanted.filter(|id| !stored.contains_key(*id)).count();
        ensure!(
            incident.timeline.len() >= 7 && missing == 0,
            "{missing} of {} events are missing; five guesses, a login and a sudo are to be told",
            incident.timeline.len()
        );
        let text = fs::read_to_string(files.join(format!("{}.ndjson", incident.summary.id)))?;
        ensure!(text.lines().count() == incident.timeline.len() + incident.findings.len(), "the file is not whole yet");
        Ok(incident)
    })?;
    slack.message_about(&incident.summary.id)?;
    ensure!(slack.refusals().is_empty(), "Slack refused: {:?}", slack.refusals());

    let text = fs::read_to_string(files.join(format!("{}.ndjson", incident.summary.id)))?;
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).context("a line is not JSON")).collect::<Result<_>>()?;
    for document in lines.iter().chain(elasticsearch.documents().values()) {
        let problems = ecs::check(document);
        ensure!(problems.is_empty(), "{problems:?} in {document:#}");
    }
    site.end()
}
