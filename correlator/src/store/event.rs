//! Events: stored once each, in order of commit, and read back typed.

use std::{collections::HashMap, sync::Arc};

use bongsu_event::{EventId, ProcessKey, SensorId, StoredEvent, Timestamp};
use bstr::BString;
use bytes::Bytes;
use sqlx::{AssertSqlSafe, FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::{ReadError, Store, Write, WriteError, parsed, signed, unsigned};

/// SQLite's parse of a statement costs more than a row; four fifths of that are saved at this size (measured: 4x at 200 rows).
const INSERT_ROWS: usize = 200;
/// How many events one query names.
pub(super) const IN_LIST_MAX: usize = 500;
pub(super) const COLUMNS: &str = "SELECT position, sensor, epoch, seq, body FROM event ";

/// The place of an event in the order of commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Position(pub(crate) i64);

/// An event to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    /// The catalogue's word.
    pub(crate) action: &'static str,
    pub(crate) process: Option<ProcessKey>,
    /// As the sensor sent it.
    pub(crate) body: Bytes,
}

/// Events of one sensor that lie together.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum EventRange {
    /// Sequence numbers of one epoch, both ends included.
    Seqs { epoch: u64, first: u64, last: u64 },
    /// A span of time, both ends included.
    Times { first: Timestamp, last: Timestamp },
}

#[derive(FromRow)]
pub(super) struct Raw {
    pub(super) position: i64,
    sensor: i64,
    epoch: i64,
    seq: i64,
    body: Vec<u8>,
}

/// The names of sensors by their number.
pub(super) struct Names(HashMap<i64, (SensorId, Arc<BString>)>);

impl Names {
    pub(super) fn typed(&self, raw: &Raw) -> Result<StoredEvent, ReadError> {
        let (sensor, host) =
            self.0.get(&raw.sensor).ok_or_else(|| ReadError::damaged("event", &"its sensor is unknown"))?;
        let id = EventId { sensor: *sensor, epoch: unsigned("event", raw.epoch)?, seq: unsigned("event", raw.seq)? };
        let event = bongsu_proto::convert::from_bytes(&raw.body)
            .map_err(|error| ReadError::damaged("event", &format!("{id}: {error}")))?;
        Ok(StoredEvent { id, host: Arc::clone(host), event })
    }

    fn number(&self, id: SensorId) -> Option<i64> {
        self.0.iter().find(|(_, (known, _))| *known == id).map(|(no, _)| *no)
    }

    /// The numbers of all sensors whose hosts claim that name.
    pub(super) fn of_host(&self, host: &[u8]) -> Vec<i64> {
        self.0.iter().filter(|(_, (_, name))| name.as_slice() == host).map(|(no, _)| *no).collect()
    }
}

impl Store {
    pub(super) async fn names(&self) -> Result<Names, ReadError> {
        let rows: Vec<(i64, String, Vec<u8>)> = sqlx::query_as("SELECT no, id, host FROM sensor")
            .fetch_all(&self.readers)
            .await
            .map_err(ReadError::sql("the sensors"))?;
        let named = rows.into_iter().map(|(no, id, host)| Ok((no, (parsed("sensor", &id)?, Arc::new(host.into())))));
        named.collect::<Result<_, _>>().map(Names)
    }

    /// The events of those ids, in order of (time, id), each once. Ids that are not in the store are left out.
    pub(crate) async fn events(&self, ids: &[EventId]) -> Result<Vec<StoredEvent>, ReadError> {
        let names = self.names().await?;
        let mut by_epoch: HashMap<(SensorId, u64), Vec<u64>> = HashMap::new();
        for id in ids {
            by_epoch.entry((id.sensor, id.epoch)).or_default().push(id.seq);
        }
        let mut events = Vec::with_capacity(ids.len());
        for ((sensor, epoch), mut seqs) in by_epoch {
            let (Some(no), Ok(epoch)) = (names.number(sensor), i64::try_from(epoch)) else { continue };
            seqs.sort_unstable();
            seqs.dedup();
            for seqs in seqs.chunks(IN_LIST_MAX) {
                let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
                query
                    .push("WHERE sensor = ")
                    .push_bind(no)
                    .push(" AND epoch = ")
                    .push_bind(epoch)
                    .push(" AND seq IN (");
                let mut list = query.separated(", ");
                for seq in seqs.iter().filter_map(|seq| i64::try_from(*seq).ok()) {
                    list.push_bind(seq);
                }
                query.push(")");
                let rows: Vec<Raw> = query
                    .build_query_as()
                    .persistent(false)
                    .fetch_all(&self.readers)
                    .await
                    .map_err(ReadError::sql("events"))?;
                for raw in &rows {
                    events.push(names.typed(raw)?);
                }
            }
        }
        events.sort_by_key(|event| (event.event.time, event.id));
        Ok(events)
    }

    /// At most `limit` events of one sensor, oldest first.
    #[cfg(test)]
    pub(crate) async fn events_of(
        &self,
        sensor: SensorId,
        range: EventRange,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let names = self.names().await?;
        let Some(no) = names.number(sensor) else { return Ok(Vec::new()) };
        let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
        query.push("WHERE sensor = ").push_bind(no);
        match range {
            EventRange::Seqs { epoch, first, last } => {
                let [epoch, first, last] = [epoch, first, last].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
                query.push(" AND epoch = ").push_bind(epoch);
                query.push(" AND seq BETWEEN ").push_bind(first).push(" AND ").push_bind(last).push(" ORDER BY seq");
            }
            EventRange::Times { first, last } => {
                query.push(" AND time BETWEEN ").push_bind(first.0).push(" AND ").push_bind(last.0);
                query.push(" ORDER BY time, epoch, seq");
            }
        }
        query.push(" LIMIT ").push_bind(limit);
        let rows: Vec<Raw> = query.build_query_as().fetch_all(&self.readers).await.map_err(ReadError::sql("events"))?;
        rows.iter().map(|raw| names.typed(raw)).collect()
    }

    /// At most `limit` events after that place, in order of commit. One that is damaged is an error in its place, so that a
    /// reader can go on after it.
    pub(crate) async fn events_after(
        &self,
        position: Position,
        limit: u32,
    ) -> Result<Vec<(Position, Result<StoredEvent, ReadError>)>, ReadError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT position, sensor, epoch, seq, body FROM event WHERE position > ? ORDER BY position LIMIT ?",
        )
        .bind(position.0)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(ReadError::sql("events"))?;
        // After the rows: a sensor is there before its first event is.
        let names = self.names().await?;
        Ok(rows.iter().map(|raw| (Position(raw.position), names.typed(raw))).collect())
    }

    /// The place before the first event that is not older than `time`; `end` when there is none before it.
    pub(crate) async fn position_before(&self, time: Timestamp, end: Position) -> Result<Position, ReadError> {
        let mut start = end.0;
        for no in self.names().await?.0.into_keys() {
            let first: Option<i64> =
                sqlx::query_scalar("SELECT min(position) FROM event WHERE sensor = ? AND time >= ?")
                    .bind(no)
                    .bind(time.0)
                    .fetch_one(&self.readers)
                    .await
                    .map_err(ReadError::sql("events"))?;
            start = start.min(first.map_or(start, |first| first - 1));
        }
        Ok(Position(start))
    }

    /// The earliest time among the last `count` events up to that place.
    pub(crate) async fn earliest_near(&self, position: Position, count: i64) -> Result<Option<Timestamp>, ReadError> {
        let time: Option<i64> = sqlx::query_scalar("SELECT min(time) FROM event WHERE position BETWEEN ? AND ?")
            .bind(position.0.saturating_sub(count))
            .bind(position.0)
            .fetch_one(&self.readers)
            .await
            .map_err(ReadError::sql("events"))?;
        Ok(time.map(Timestamp))
    }
}

/// The first of `events` that is in the store as another event.
pub(super) async fn compare(
    connection: &mut SqliteConnection,
    sensor: i64,
    epoch: i64,
    events: &[NewEvent],
) -> Result<Option<u64>, WriteError> {
    for events in events.chunks(IN_LIST_MAX) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT seq, body FROM event WHERE sensor = ");
        query.push_bind(sensor).push(" AND epoch = ").push_bind(epoch).push(" AND seq IN (");
        let mut list = query.separated(", ");
        for event in events {
            list.push_bind(signed("an event's number", event.seq)?);
        }
        query.push(")");
        let stored: Vec<(i64, Vec<u8>)> = query
            .build_query_as()
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
            .map_err(WriteError::sql("events"))?;
        let stored: HashMap<i64, Vec<u8>> = stored.into_iter().collect();
        for event in events {
            if stored.get(&signed("an event's number", event.seq)?).is_some_and(|body| !same(body, &event.body)) {
                return Ok(Some(event.seq));
            }
        }
    }
    Ok(None)
}

/// Two encodings of one event are the same event.
fn same(stored: &[u8], sent: &[u8]) -> bool {
    let decoded = |bytes| bongsu_proto::convert::from_bytes(bytes).ok();
    stored == sent || decoded(stored).is_some_and(|stored| Some(stored) == decoded(sent))
}

/// Stores events that are known to be new.
pub(super) async fn insert(write: &mut Write, sensor: i64, epoch: i64, events: &[NewEvent]) -> Result<(), WriteError> {
    for events in events.chunks(INSERT_ROWS) {
        let mut sql = String::with_capacity(128 + events.len() * 18);
        sql.push_str("INSERT INTO event (sensor, epoch, seq, time, action, process, body) VALUES (?,?,?,?,?,?,?)");
        for _ in 1..events.len() {
            sql.push_str(",(?,?,?,?,?,?,?)");
        }
        // Only full chunks are worth a place among the prepared statements.
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(events.len() == INSERT_ROWS);
        for event in events {
            query = query
                .bind(sensor)
                .bind(epoch)
                .bind(signed("an event's number", event.seq)?)
                .bind(event.time.0)
                .bind(event.action)
                .bind(event.process.map(|key| key.to_string()))
                .bind(event.body.as_ref());
        }
        query.execute(&mut **write).await.map_err(WriteError::sql("events"))?;
    }
    Ok(())
}
