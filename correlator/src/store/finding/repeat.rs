//! Findings that are counted at another of their rule instead of being kept whole.

use std::collections::BTreeMap;

use bongsu_detection::{Finding, FindingId};
use bongsu_event::Timestamp;
use sqlx::{QueryBuilder, Sqlite};

use super::WHAT;
use crate::store::{Write, WriteError, signed};

/// Rows of one statement; five values each, of the 32,766 that SQLite takes.
const ROWS_MAX: usize = 500;

/// Findings of one transaction that are only counted.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    rows: Vec<Row>,
    /// How many at each kept one, and the time of their last event.
    at: BTreeMap<FindingId, (i64, Timestamp)>,
}

#[derive(Debug)]
struct Row {
    id: FindingId,
    of: FindingId,
    sensor: String,
    epoch: i64,
    seq: i64,
}

impl Repeats {
    /// Counts a finding at `of`, which is stored.
    pub(crate) fn count(&mut self, finding: &Finding, of: FindingId) -> Result<(), WriteError> {
        let first = finding.events.first().expect("a finding speaks of events");
        self.rows.push(Row {
            id: finding.id,
            of,
            sensor: first.sensor.to_string(),
            epoch: signed(WHAT, first.epoch)?,
            seq: signed(WHAT, first.seq)?,
        });
        let (count, until) = self.at.entry(of).or_default();
        *count += 1;
        *until = finding.last.max(*until);
        Ok(())
    }

    /// Stores them in the caller's transaction.
    pub(crate) async fn insert(self, write: &mut Write) -> Result<(), WriteError> {
        for rows in self.rows.chunks(ROWS_MAX) {
            let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO finding_repeat (id, of, sensor, epoch, seq) ");
            query.push_values(rows, |mut values, row| {
                values.push_bind(row.id.to_string()).push_bind(row.of.to_string());
                values.push("(SELECT no FROM sensor WHERE id = ").push_bind_unseparated(&row.sensor);
                values.push_unseparated(")").push_bind(row.epoch).push_bind(row.seq);
            });
            query.build().persistent(false).execute(&mut **write).await.map_err(WriteError::sql(WHAT))?;
        }
        for (of, (count, until)) in self.at {
            sqlx::query(
                "UPDATE finding SET repeats = repeats + ?2, repeated_until = max(coalesce(repeated_until, ?3), ?3)
                 WHERE id = ?1",
            )
            .bind(of.to_string())
            .bind(count)
            .bind(until.0)
            .execute(&mut **write)
            .await
            .map_err(WriteError::sql(WHAT))?;
        }
        Ok(())
    }
}
