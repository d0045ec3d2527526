//! The pipeline: from stored events to findings and incidents, each exactly once.
//!
//! The table of events is the queue: this task reads on after its cursor, woken by each commit, and stores findings, incidents and the
//! new cursor in one transaction. Killed at any moment, it begins at the cursor again; what the engines had in memory comes back from
//! the stored events before it ([`replay`]), and a finding that is stored already is known by its id. Here alone incidents change.
//!
//! Refuses to go on when a transaction fails: memory would be ahead of the store. The process ends, and begins again from the store.
//! Bounded by: `ROUND_EVENTS` events a round, the bounds of the engines, a short queue of findings from the evidence room.

mod complaint;
mod engines;
mod judge;
mod replay;
mod rules;

use std::{path::PathBuf, time::Duration};

use bongsu_detection::{Finding, anomaly};
use tokio::{
    sync::{mpsc, watch},
    task::block_in_place,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    store::{Position, ReadError, Store, WriteError},
};
use engines::Engines;
use judge::Judge;
use replay::Snapshot;

pub(crate) use rules::LoadedRules;

/// Events read at a time: a few hundred milliseconds of detection, and one transaction.
const ROUND_EVENTS: u32 = 4_096;
const COMPLAINTS_MAX: u32 = 100;
/// Sequences wait for late events and for deadlines; this is how often they are told the time.
const TICK: Duration = Duration::from_secs(1);

/// How detection is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// A directory with rules besides the shipped ones.
    pub(crate) rules_dir: Option<PathBuf>,
    pub(crate) anomaly: anomaly::Settings,
}

/// What the pipeline needs from the rest of the house.
pub(crate) struct Deps {
    /// Changes after each commit of intake.
    pub(crate) committed: watch::Receiver<u64>,
    /// Findings from outside the event stream. One that is stored already changes nothing.
    pub(crate) submitted: mpsc::Receiver<Finding>,
    /// Told after each transaction that changed an incident.
    pub(crate) changed: watch::Sender<u64>,
}

/// Why the pipeline ended by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("detection cannot read the store")]
    Read(#[from] ReadError),
    #[error("detection cannot store what it found")]
    Write(#[from] WriteError),
}

/// The one owner of detection and incidents.
pub(crate) struct Pipeline {
    store: Store,
    engines: Engines,
    judge: Judge,
    /// Everything up to here is taken account of, in a committed transaction.
    cursor: Position,
}

impl Pipeline {
    /// Takes up work where the last transaction left it.
    async fn resume(store: Store, rules: LoadedRules, config: &Config) -> Result<Self, RunError> {
        let mut engines = Engines::new(rules.engine, config.anomaly);
        let judge = Judge::resume(&store).await?;
        let (cursor, findings) = replay::resume(&store, &mut engines).await?;
        let mut pipeline = Self { store, engines, judge, cursor };
        // All of these are known but what a deadline made due in the moment of the end.
        pipeline.commit(findings, cursor, &[]).await?;
        Ok(pipeline)
    }

    /// Takes up work where the last transaction left it, and works until `stop`. Taking up can mean reading a million events again, and
    /// nobody has to wait for it: what comes in meanwhile is stored and read afterwards.
    pub(crate) async fn start(
        store: Store,
        rules: LoadedRules,
        config: Config,
        deps: Deps,
        stop: CancellationToken,
    ) -> Result<(), RunError> {
        let pipeline = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            pipeline = Self::resume(store, rules, &config) => pipeline?,
        };
        pipeline.run(deps, stop).await
    }

    async fn run(mut self, deps: Deps, stop: CancellationToken) -> Result<(), RunError> {
        let Deps { mut committed, mut submitted, changed } = deps;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Before looking, so that a commit during the round wakes us again.
            committed.mark_unchanged();
            let (more, any) = self.round().await?;
            if any {
                changed.send_modify(|changes| *changes += 1);
            }
            let finding = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(finding) = submitted.recv() => Some(finding),
                () = std::future::ready(()), if more => None,
                Ok(()) = committed.changed() => None,
                _ = tick.tick() => None,
            };
            if let Some(finding) = finding
                && self.commit(vec![finding], self.cursor, &[]).await?
            {
                changed.send_modify(|changes| *changes += 1);
            }
        }
        // The next start begins here instead of replaying what this one has seen.
        let mut write = self.store.write().await?;
        replay::save(&mut write, &mut self.engines, self.cursor, clock::now(), Snapshot::Now).await?;
        crate::store::commit(write).await?;
        Ok(())
    }

    /// One round: new events, complaints, the time. Tells whether there is more to read, and whether an incident changed.
    async fn round(&mut self) -> Result<(bool, bool), RunError> {
        let events = self.store.events_after(self.cursor, ROUND_EVENTS).await?;
        let complaints = self.store.complaints(COMPLAINTS_MAX).await?;
        let more = events.len() == ROUND_EVENTS as usize || complaints.len() == COMPLAINTS_MAX as usize;
        let cursor = events.last().map_or(self.cursor, |(position, _)| *position);
        let mut findings = Vec::new();
        block_in_place(|| {
            for (position, event) in &events {
                match event {
                    Ok(event) => self.engines.observe(event, &mut findings),
                    // Skipped for good: it will not read better the next time.
                    Err(error) => {
                        tracing::error!(position = position.0, %error, "an event cannot be read and is left out");
                    }
                }
            }
            if !more {
                self.engines.advance(clock::now(), &mut findings);
            }
        });
        let mut settled = Vec::with_capacity(complaints.len());
        for complaint in complaints {
            findings.extend(complaint::finding(&self.store, &complaint).await?);
            settled.push(complaint.id);
        }
        if cursor == self.cursor && findings.is_empty() && settled.is_empty() {
            return Ok((more, false));
        }
        let any = self.commit(findings, cursor, &settled).await?;
        Ok((more, any))
    }

    /// Stores findings, what they do to incidents, and how far we have read, all or nothing. Tells whether an incident changed.
    async fn commit(&mut self, findings: Vec<Finding>, cursor: Position, settled: &[i64]) -> Result<bool, RunError> {
        let now = clock::now();
        let mut write = self.store.write().await?;
        let any = self.judge.take(&mut write, findings, now).await?;
        crate::store::settle(&mut write, settled).await?;
        replay::save(&mut write, &mut self.engines, cursor, now, Snapshot::WhenDue).await?;
        crate::store::commit(write).await?;
        self.cursor = cursor;
        Ok(any)
    }
}

#[cfg(test)]
mod tests;
