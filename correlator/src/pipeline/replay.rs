//! Where reading stands, and how the engines come by what they knew.
//!
//! Sequences and open windows live in memory. After a restart they are made again from the stored events of the engines' lookback before
//! the cursor; what the anomaly detector learned over days comes from a snapshot, which is taken now and then, and the events since.

use std::time::Duration;

use bongsu_detection::Finding;
use bongsu_event::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::block_in_place;

use super::{ROUND_EVENTS, RunError, engines::Engines};
use crate::store::{Position, ReadError, Store, Write, WriteError, set_meta};

const CURSOR: &str = "detection.cursor";
const SNAPSHOT: &str = "detection.snapshot";
const SNAPSHOT_CURSOR: &str = "detection.snapshot-cursor";
/// Events between two snapshots.
const SNAPSHOT_EVERY: i64 = 50_000;
/// The most events that are read again at a start; a minute's work. Sequences that began before are forgotten.
const REPLAY_EVENTS_MAX: i64 = 1_000_000;
/// Hosts' clocks and arrivals differ; that many events before the cursor tell how far back "now" was.
const NEAR_CURSOR: i64 = 2_000;
const SLACK: Duration = Duration::from_secs(60);

/// When the engines' state is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Snapshot {
    /// After so many events.
    WhenDue,
    /// The process is about to end.
    Now,
}

/// Where reading stood when a transaction committed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Place {
    position: i64,
    /// By our clock.
    at: Timestamp,
}

/// Brings the engines to where they were at the cursor. Gives the cursor, and the findings that came up on the way.
pub(super) async fn resume(store: &Store, engines: &mut Engines) -> Result<(Position, Vec<Finding>), RunError> {
    let Some(place) = read(store, CURSOR).await? else { return Ok((Position::default(), Vec::new())) };
    let cursor = Position(place.position);
    let near = store.earliest_near(cursor, NEAR_CURSOR).await?;
    let start = near.map_or(place.at, |near| near.min(place.at)).saturating_sub(engines.lookback() + SLACK);
    let mut begin = store.position_before(start, cursor).await?;
    // Without a snapshot the baselines are learned again from whatever is stored.
    begin = begin.min(restore(store, engines).await?.unwrap_or_default());
    begin = begin.max(Position(cursor.0.saturating_sub(REPLAY_EVENTS_MAX)));
    engines.advance(place.at, &mut Vec::new());
    if begin > Position::default() {
        engines.resume_from(start);
    }
    let findings = observe_again(store, engines, begin, cursor).await?;
    tracing::info!(cursor = cursor.0, events = cursor.0 - begin.0, "detection goes on where it was");
    Ok((cursor, findings))
}

async fn observe_again(
    store: &Store,
    engines: &mut Engines,
    mut position: Position,
    cursor: Position,
) -> Result<Vec<Finding>, RunError> {
    let mut findings = Vec::new();
    while position < cursor {
        let events = store.events_after(position, ROUND_EVENTS).await?;
        let Some((last, _)) = events.last() else { break };
        position = *last;
        let seen = events.iter().take_while(|(position, _)| *position <= cursor);
        block_in_place(|| {
            for event in seen.filter_map(|(_, event)| event.as_ref().ok()) {
                engines.observe(event, &mut findings);
            }
        });
    }
    Ok(findings)
}

/// Takes up the snapshot, if there is one that fits; gives from where on events are needed after it.
async fn restore(store: &Store, engines: &mut Engines) -> Result<Option<Position>, RunError> {
    let (Some(snapshot), Some(place)) = (store.meta(SNAPSHOT).await?, read(store, SNAPSHOT_CURSOR).await?) else {
        return Ok(None);
    };
    match engines.restore(place.position, &snapshot) {
        Ok(true) => {
            let taken = Position(place.position);
            let near = store.earliest_near(taken, NEAR_CURSOR).await?;
            let start = near.map_or(place.at, |near| near.min(place.at)).saturating_sub(engines.lookback() + SLACK);
            Ok(Some(store.position_before(start, taken).await?))
        }
        Ok(false) => {
            tracing::warn!("the windows of the anomaly detector have another length now: it learns anew");
            Ok(None)
        }
        Err(error) => Err(ReadError::damaged("snapshot of the anomaly detector", &error).into()),
    }
}

async fn read(store: &Store, key: &str) -> Result<Option<Place>, ReadError> {
    let Some(bytes) = store.meta(key).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| ReadError::damaged("place of detection", &error))
}

/// Notes how far reading got, in the transaction that stores what was found there, and takes a snapshot when it is time.
pub(super) async fn save(
    write: &mut Write,
    engines: &mut Engines,
    cursor: Position,
    now: Timestamp,
    snapshot: Snapshot,
) -> Result<(), WriteError> {
    let place = serde_json::to_vec(&Place { position: cursor.0, at: now }).expect("two numbers are JSON");
    set_meta(write, CURSOR, &place).await?;
    if let Some(snapshot) = engines.snapshot(cursor.0, if snapshot == Snapshot::Now { 0 } else { SNAPSHOT_EVERY }) {
        set_meta(write, SNAPSHOT, &snapshot).await?;
        set_meta(write, SNAPSHOT_CURSOR, &place).await?;
    }
    Ok(())
}
