//! Epochs: the high-water mark of what a sensor sent, and its ledger, which must balance (promises 1 to 3).

use bongsu_event::{SensorId, Timestamp};
use sqlx::FromRow;

use super::{
    ReadError, Store, Write, WriteError,
    complaint::{self, ComplaintKind},
    event::{self, NewEvent},
    sensor, signed, unsigned,
};

/// Events of one sensor and epoch that follow each other, and the numbers among them that it gave up.
#[derive(Debug, Clone)]
pub(crate) struct NewBatch {
    /// The sensor's number in the store.
    pub(crate) sensor: i64,
    pub(crate) epoch: u64,
    /// The first number it covers, stored or shed.
    pub(crate) first_seq: u64,
    /// The last one.
    pub(crate) last_seq: u64,
    /// In order of number; the numbers in between that are missing here were shed.
    pub(crate) events: Vec<NewEvent>,
    pub(crate) received_at: Timestamp,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// The high-water mark after it: what to acknowledge once the transaction commits.
    pub(crate) stored_up_to: u64,
    /// How many events it added; none when all of it was a replay.
    pub(crate) added: usize,
}

/// Why a batch is not stored. Nothing of it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    #[error("the batch begins at {first_seq}, but nothing is known of {missing} and what follows", missing = stored_up_to + 1)]
    Gap { first_seq: u64, stored_up_to: u64 },
    #[error("sequence number {seq} was used before for another event")]
    NumberReused { seq: u64 },
    #[error(transparent)]
    Store(#[from] WriteError),
}

/// A sensor's word on where every event of an epoch went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LedgerFigures {
    pub(crate) kernel_emitted: u64,
    pub(crate) read: u64,
    pub(crate) ring_lost: u64,
    /// Beside the others: what their processes had no budget for.
    pub(crate) suppressed: u64,
    pub(crate) last_seq: u64,
    pub(crate) spooled: u64,
    pub(crate) acked: u64,
    pub(crate) shed: Vec<ShedRow>,
    pub(crate) as_of: Timestamp,
}

/// Events given up for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShedRow {
    pub(crate) class: String,
    pub(crate) reason: String,
    pub(crate) count: u64,
}

/// The ledger of one epoch: what the sensor says and what the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerRow {
    pub(crate) epoch: u64,
    pub(crate) stored_up_to: u64,
    /// How many events of the epoch were stored at the moment of the figures, so that they add up; how many are, while there are none.
    pub(crate) stored: u64,
    pub(crate) figures: LedgerFigures,
    /// Whether the sensor sent figures yet.
    pub(crate) reported: bool,
    /// Why they do not add up; `None` when they do.
    pub(crate) imbalance: Option<String>,
}

#[derive(FromRow)]
struct Raw {
    epoch: i64,
    stored_up_to: i64,
    stored: i64,
    kernel_emitted: i64,
    read: i64,
    ring_lost: i64,
    suppressed: i64,
    last_seq: i64,
    spooled: i64,
    acked: i64,
    stored_then: i64,
    as_of: Option<i64>,
    imbalance: Option<String>,
}

impl Raw {
    fn row(self, shed: Vec<ShedRow>) -> Result<LedgerRow, ReadError> {
        let number = |value| unsigned("ledger", value);
        Ok(LedgerRow {
            epoch: number(self.epoch)?,
            stored_up_to: number(self.stored_up_to)?,
            stored: number(if self.as_of.is_some() { self.stored_then } else { self.stored })?,
            figures: LedgerFigures {
                kernel_emitted: number(self.kernel_emitted)?,
                read: number(self.read)?,
                ring_lost: number(self.ring_lost)?,
                suppressed: number(self.suppressed)?,
                last_seq: number(self.last_seq)?,
                spooled: number(self.spooled)?,
                acked: number(self.acked)?,
                shed,
                as_of: Timestamp(self.as_of.unwrap_or_default()),
            },
            reported: self.as_of.is_some(),
            imbalance: self.imbalance,
        })
    }
}

/// How many ledgers a sensor's page shows; older epochs stay in the table.
const LEDGERS_MAX: u32 = 50;

impl Store {
    /// The ledgers of a sensor, newest epoch first.
    pub(crate) async fn ledgers(&self, sensor: SensorId) -> Result<Vec<LedgerRow>, ReadError> {
        let what = "the ledgers of a sensor";
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT e.* FROM epoch e JOIN sensor s ON s.no = e.sensor WHERE s.id = ? ORDER BY e.epoch DESC LIMIT ?",
        )
        .bind(sensor.to_string())
        .bind(LEDGERS_MAX)
        .fetch_all(&self.readers)
        .await
        .map_err(ReadError::sql(what))?;
        let mut ledgers = Vec::with_capacity(rows.len());
        for raw in rows {
            let shed: Vec<(String, String, i64)> = sqlx::query_as(
                "SELECT d.class, d.reason, d.count FROM shed d JOIN sensor s ON s.no = d.sensor
                 WHERE s.id = ? AND d.epoch = ? ORDER BY d.class, d.reason",
            )
            .bind(sensor.to_string())
            .bind(raw.epoch)
            .fetch_all(&self.readers)
            .await
            .map_err(ReadError::sql(what))?;
            let shed = shed
                .into_iter()
                .map(|(class, reason, count)| Ok(ShedRow { class, reason, count: unsigned("ledger", count)? }));
            ledgers.push(raw.row(shed.collect::<Result<_, ReadError>>()?)?);
        }
        Ok(ledgers)
    }

    /// The high-water mark of an epoch; 0 for one that was never heard of.
    pub(crate) async fn stored_up_to(&self, sensor: i64, epoch: u64) -> Result<u64, ReadError> {
        let mark: Option<i64> = sqlx::query_scalar("SELECT stored_up_to FROM epoch WHERE sensor = ? AND epoch = ?")
            .bind(sensor)
            .bind(i64::try_from(epoch).unwrap_or(i64::MAX))
            .fetch_optional(&self.readers)
            .await
            .map_err(ReadError::sql("a high-water mark"))?;
        unsigned("high-water mark", mark.unwrap_or_default())
    }

    /// Stores a sensor's figures and whether they add up; a ledger that stops adding up leaves a complaint behind. Returns why it
    /// does not.
    pub(crate) async fn record_ledger(
        &self,
        sensor: i64,
        epoch: u64,
        figures: &LedgerFigures,
        at: Timestamp,
    ) -> Result<Option<String>, WriteError> {
        let mut write = self.write().await?;
        let signed_epoch = signed("an epoch", epoch)?;
        let mark = mark(&mut write, sensor, signed_epoch).await?;
        let beyond: i64 = sqlx::query_scalar("SELECT count(*) FROM event WHERE sensor = ? AND epoch = ? AND seq > ?")
            .bind(sensor)
            .bind(signed_epoch)
            .bind(signed("a ledger", figures.acked)?)
            .fetch_one(&mut *write)
            .await
            .map_err(WriteError::sql("a ledger"))?;
        let stored = mark.stored.saturating_sub(unsigned("ledger", beyond)?);
        let imbalance = imbalance(figures, mark.stored_up_to, stored);
        let was: Option<String> = sqlx::query_scalar("SELECT imbalance FROM epoch WHERE sensor = ? AND epoch = ?")
            .bind(sensor)
            .bind(signed_epoch)
            .fetch_one(&mut *write)
            .await
            .map_err(WriteError::sql("a ledger"))?;
        let found = Found { stored, imbalance: imbalance.as_deref() };
        put_figures(&mut write, sensor, signed_epoch, figures, found).await?;
        sensor::seen(&mut write, sensor, at).await?;
        if let (Some(detail), None) = (&imbalance, was) {
            let last: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM event WHERE sensor = ? AND epoch = ?")
                .bind(sensor)
                .bind(signed_epoch)
                .fetch_one(&mut *write)
                .await
                .map_err(WriteError::sql("a ledger"))?;
            // A finding speaks of events. Where none is stored, the ledger itself says what is wrong.
            if let Some(last) = last {
                complaint::insert(&mut write, ComplaintKind::LedgerImbalance, sensor, signed_epoch, last, at, detail)
                    .await?;
            }
        }
        super::commit(write).await?;
        Ok(imbalance)
    }
}

/// Why the figures do not add up, given the high-water mark and how many events up to `acked` are stored.
fn imbalance(figures: &LedgerFigures, stored_up_to: u64, stored: u64) -> Option<String> {
    let LedgerFigures { kernel_emitted, read, ring_lost, last_seq, spooled, acked, .. } = *figures;
    let sum = |parts: &[u64]| parts.iter().fold(0_u64, |sum, part| sum.saturating_add(*part));
    let shed = figures.shed.iter().fold(0_u64, |sum, shed| sum.saturating_add(shed.count));
    if acked > stored_up_to {
        return Some(format!(
            "the sensor was told that events up to {acked} are stored, but they are only up to {stored_up_to}"
        ));
    }
    if kernel_emitted != sum(&[read, ring_lost]) {
        return Some(format!("the kernel made {kernel_emitted} events, but {read} were read and {ring_lost} lost"));
    }
    if last_seq != sum(&[stored, spooled, shed]) {
        return Some(format!(
            "{last_seq} events were numbered, but {stored} are stored, {spooled} spooled and {shed} shed"
        ));
    }
    None
}

#[derive(Clone, Copy)]
struct Mark {
    stored_up_to: u64,
    stored: u64,
    shed: u64,
}

/// The mark of an epoch, which is made when it is not there.
async fn mark(write: &mut Write, sensor: i64, epoch: i64) -> Result<Mark, WriteError> {
    let (stored_up_to, stored, shed): (i64, i64, i64) = sqlx::query_as(
        "INSERT INTO epoch (sensor, epoch) VALUES (?, ?) ON CONFLICT DO UPDATE SET epoch = epoch
         RETURNING stored_up_to, stored, shed",
    )
    .bind(sensor)
    .bind(epoch)
    .fetch_one(&mut **write)
    .await
    .map_err(WriteError::sql("a high-water mark"))?;
    let number = |value| unsigned("high-water mark", value);
    Ok(Mark { stored_up_to: number(stored_up_to)?, stored: number(stored)?, shed: number(shed)? })
}

/// Stores what of a batch is new and moves the high-water mark, in the caller's transaction. A refused batch changes nothing and
/// leaves the transaction usable for others.
pub(crate) async fn append(write: &mut Write, batch: &NewBatch) -> Result<Appended, AppendError> {
    let NewBatch { sensor, first_seq, last_seq, ref events, .. } = *batch;
    let epoch = signed("an epoch", batch.epoch)?;
    let mark = mark(write, sensor, epoch).await?;
    if first_seq > mark.stored_up_to + 1 {
        return Err(AppendError::Gap { first_seq, stored_up_to: mark.stored_up_to });
    }
    let (replayed, new) = events.split_at(events.partition_point(|event| event.seq <= mark.stored_up_to));
    if let Some(seq) = event::compare(write, sensor, epoch, replayed).await? {
        return Err(AppendError::NumberReused { seq });
    }
    if last_seq <= mark.stored_up_to {
        return Ok(Appended { stored_up_to: mark.stored_up_to, added: 0 });
    }
    event::insert(write, sensor, epoch, new).await?;
    let shed = last_seq - mark.stored_up_to - new.len() as u64;
    sqlx::query("UPDATE epoch SET stored_up_to = ?, stored = ?, shed = ? WHERE sensor = ? AND epoch = ?")
        .bind(signed("a high-water mark", last_seq)?)
        .bind(signed("a high-water mark", mark.stored + new.len() as u64)?)
        .bind(signed("a high-water mark", mark.shed + shed)?)
        .bind(sensor)
        .bind(epoch)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql("a high-water mark"))?;
    sensor::seen(write, sensor, batch.received_at).await?;
    Ok(Appended { stored_up_to: last_seq, added: new.len() })
}

/// What the store has to say to a sensor's figures.
struct Found<'a> {
    stored: u64,
    imbalance: Option<&'a str>,
}

async fn put_figures(
    write: &mut Write,
    sensor: i64,
    epoch: i64,
    figures: &LedgerFigures,
    found: Found<'_>,
) -> Result<(), WriteError> {
    let number = |value| signed("a ledger", value);
    sqlx::query(
        "UPDATE epoch SET kernel_emitted = ?, read = ?, ring_lost = ?, suppressed = ?, last_seq = ?, spooled = ?, acked = ?,
         as_of = ?, stored_then = ?, imbalance = ? WHERE sensor = ? AND epoch = ?",
    )
    .bind(number(figures.kernel_emitted)?)
    .bind(number(figures.read)?)
    .bind(number(figures.ring_lost)?)
    .bind(number(figures.suppressed)?)
    .bind(number(figures.last_seq)?)
    .bind(number(figures.spooled)?)
    .bind(number(figures.acked)?)
    .bind(figures.as_of.0)
    .bind(number(found.stored)?)
    .bind(found.imbalance)
    .bind(sensor)
    .bind(epoch)
    .execute(&mut **write)
    .await
    .map_err(WriteError::sql("a ledger"))?;
    for shed in &figures.shed {
        sqlx::query(
            "INSERT INTO shed (sensor, epoch, class, reason, count) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET count = excluded.count",
        )
        .bind(sensor)
        .bind(epoch)
        .bind(&shed.class)
        .bind(&shed.reason)
        .bind(number(shed.count)?)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql("a ledger"))?;
    }
    Ok(())
}
