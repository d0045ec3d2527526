//! The task that has evidence scanned and turns what was found into findings.
//!
//! A request is judged when every finding that came of it is in the store, not when it was handed over: after a crash it is scanned
//! again and gives the same findings under the same ids. Scans are one after the other; what waits, waits in the store.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bongsu_detection::{Finding, FindingId};
use bongsu_event::EvidenceId;
use tokio::{
    sync::{Notify, mpsc},
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    counts::Counts,
    room::logged,
    scanner::{Report, Scanner},
    vault::{Opened, Vault},
    verdict,
};
use crate::{
    clock,
    store::{
        Store, WriteError, commit,
        evidence::{EvidenceRow, NewCustody, NewVerdict, RequestRow, ScanOutcome, append_custody, judge},
    },
};

/// How often findings that were handed over are looked for in the store.
const ROUND: Duration = Duration::from_secs(2);
/// Findings that are not there after so long are made again.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// After a worker could not be started, the next try waits for so long.
const START_PAUSE: Duration = Duration::from_secs(15);

/// See the module.
pub(crate) struct Judge {
    pub(super) store: Store,
    pub(super) vault: Arc<Vault>,
    pub(super) counts: Arc<Counts>,
    pub(super) stored: Arc<Notify>,
    pub(super) scanner: Scanner,
    /// Requests whose findings were handed over, and when.
    pub(super) handed: HashMap<u64, (Vec<FindingId>, Instant)>,
    pub(super) not_before: Option<Instant>,
}

/// The pipeline takes no findings any more.
#[derive(Debug)]
pub(super) struct Closed;

impl Judge {
    /// Works until `stop`, or until nobody takes findings any more.
    pub(crate) async fn run(mut self, findings: mpsc::Sender<Finding>, stop: CancellationToken) {
        let mut tick = interval(ROUND);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stored = Arc::clone(&self.stored);
        loop {
            let round = async {
                tokio::select! {
                    () = stored.notified() => {}
                    _ = tick.tick() => {}
                }
                self.round(&findings).await
            };
            // Dropped in the middle of a scan, the worker is killed, and the request is judged after the next start.
            tokio::select! {
                () = stop.cancelled() => return,
                done = round => if done.is_err() { return },
            }
        }
    }

    /// Judges what waits.
    pub(super) async fn round(&mut self, findings: &mpsc::Sender<Finding>) -> Result<(), Closed> {
        let Some(requests) = logged("read requests to judge", self.store.unjudged_requests().await) else {
            return Ok(());
        };
        for request in requests {
            if self.handed.contains_key(&request.request) {
                self.look_for(&request).await;
            } else if self.not_before.is_none_or(|time| Instant::now() >= time) {
                self.judge(&request, findings).await?;
            }
        }
        Ok(())
    }

    /// Whether the findings handed over are in the store by now.
    async fn look_for(&mut self, request: &RequestRow) {
        let Some((ids, since)) = self.handed.get(&request.request) else { return };
        for id in ids {
            match logged("look for a finding", self.store.finding(*id).await) {
                Some(Some(_)) => {}
                None => return,
                Some(None) => {
                    if since.elapsed() > SETTLE_MAX {
                        tracing::warn!(finding = %id, "a yara finding did not reach the store; it is made again");
                        self.handed.remove(&request.request);
                    }
                    return;
                }
            }
        }
        self.handed.remove(&request.request);
        logged("note a verdict", self.store.request_judged(request.request, clock::now()).await);
    }

    async fn judge(&mut self, request: &RequestRow, findings: &mpsc::Sender<Finding>) -> Result<(), Closed> {
        let Some(id) = request.evidence else { return Ok(()) };
        let Some(Some(evidence)) = logged("read evidence", self.store.evidence(id).await) else { return Ok(()) };
        let Some(Some(asking)) = logged("read a finding", self.store.finding(request.finding).await) else {
            return Ok(());
        };
        let Some(report) = self.scan(&evidence).await else { return Ok(()) };
        if logged("store a verdict", record(&self.store, id, &report).await).is_none() {
            return Ok(());
        }
        let mut ids = Vec::new();
        for finding in verdict::findings(&report, request, &evidence, &asking) {
            ids.push(finding.id);
            findings.send(finding).await.map_err(|_closed| Closed)?;
            self.counts.findings.add(1);
        }
        self.handed.insert(request.request, (ids, Instant::now()));
        self.look_for(request).await;
        Ok(())
    }

    /// `None` when no worker could be started; the evidence stays pending.
    async fn scan(&mut self, evidence: &EvidenceRow) -> Option<Report> {
        let (vault, id) = (Arc::clone(&self.vault), evidence.id);
        let opened = match spawn_blocking(move || vault.fetch(id)).await {
            Ok(Ok(Opened { file, .. })) => file,
            Ok(Err(error)) => return Some(unreadable(&error.to_string())),
            Err(error) => return Some(unreadable(&error.to_string())),
        };
        match self.scanner.scan(&opened).await {
            Ok(report) => {
                self.counts.scanned.add(1);
                let rules: Vec<&str> = report.rules.iter().map(|rule| rule.name.as_str()).collect();
                tracing::info!(evidence = %id, outcome = report.outcome.as_str(), ?rules, elapsed = ?report.elapsed, "scanned");
                Some(report)
            }
            Err(error) => {
                self.not_before = Some(Instant::now() + START_PAUSE);
                let detail = chain(&error);
                tracing::error!(%detail, "evidence cannot be scanned; trying again in {START_PAUSE:?}");
                logged("note why evidence is not scanned", pending(&self.store, id, detail).await);
                None
            }
        }
    }
}

fn unreadable(detail: &str) -> Report {
    tracing::error!(detail, "stored evidence cannot be scanned");
    Report {
        outcome: ScanOutcome::Failed,
        rules: Vec::new(),
        rules_dropped: 0,
        detail: Some(detail.to_owned()),
        elapsed: Duration::ZERO,
    }
}

async fn record(store: &Store, id: EvidenceId, report: &Report) -> Result<(), WriteError> {
    let now = clock::now();
    let verdict = verdict::verdict(report);
    let mut words = vec![format!("{} in {} ms", verdict.outcome.as_str(), report.elapsed.as_millis())];
    words.extend((!verdict.yara_rules.is_empty()).then(|| verdict.yara_rules.join(", ")));
    words.extend(verdict.detail.clone());
    let entry = NewCustody { time: now, actor: "correlator", action: "scanned", detail: &words.join("; ") };
    let mut write = store.write().await?;
    judge(&mut write, id, &verdict, now).await?;
    append_custody(&mut write, id, &entry).await?;
    commit(write).await
}

async fn pending(store: &Store, id: EvidenceId, detail: String) -> Result<(), WriteError> {
    let verdict = NewVerdict { outcome: ScanOutcome::Pending, yara_rules: Vec::new(), detail: Some(detail) };
    let mut write = store.write().await?;
    judge(&mut write, id, &verdict, clock::now()).await?;
    commit(write).await
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words = format!("{words}: {cause}");
        next = cause.source();
    }
    words
}
