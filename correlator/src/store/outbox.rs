//! The outbox: which changes of incidents each consumer has still to carry out. A change is a row written in the transaction that made
//! it, so none is lost between the two; a consumer's place moves only over what is done, so each is carried out at least once.

use bongsu_event::Timestamp;

use super::{IncidentNumber, ReadError, Store, Write, WriteError, commit};

const WHAT: &str = "the outbox";

/// Where a consumer that was never here before begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With the oldest change there is.
    AtTheOldest,
    /// With what happens from now on: nobody wants a message about last month's incidents.
    FromNowOn,
}

/// An incident that changed since the consumer last carried it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) incident: IncidentNumber,
    /// Its newest revision.
    pub(crate) revision: i64,
    /// When the first of the changes was made.
    pub(crate) first_at: Timestamp,
    /// When the last of them was.
    pub(crate) last_at: Timestamp,
    /// How often it failed since it last worked.
    pub(crate) attempts: u32,
    /// What the consumer noted when it last worked.
    pub(crate) note: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending<'a> {
    /// It worked; what to note for the next time.
    Done {
        /// The note.
        note: Option<&'a str>,
    },
    /// It is to be tried again then.
    Again {
        /// When.
        at: Timestamp,
        /// What went wrong.
        error: &'a str,
    },
    /// It is not to be tried again.
    GivenUp {
        /// What went wrong.
        error: &'a str,
    },
}

impl Store {
    /// Makes the consumer known. Does nothing when it is.
    pub(crate) async fn begin_consumer(&self, consumer: &str, begin: Begin) -> Result<(), WriteError> {
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO outbox_consumer (name, position)
             VALUES (?1, CASE WHEN ?2 THEN (SELECT coalesce(max(position), 0) FROM outbox) ELSE 0 END) ON CONFLICT DO NOTHING",
        )
        .bind(consumer)
        .bind(begin == Begin::FromNowOn)
        .execute(&mut *write)
        .await
        .map_err(WriteError::sql(WHAT))?;
        commit(write).await
    }

    /// At most `limit` incidents that the consumer has to carry out and may try now, longest waiting first.
    pub(crate) async fn due(&self, consumer: &str, now: Timestamp, limit: u32) -> Result<Vec<Due>, ReadError> {
        type Row = (i64, i64, i64, i64, Option<u32>, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT o.incident, max(o.revision), min(o.at), max(o.at), d.attempts, d.remote
             FROM outbox o LEFT JOIN delivery d ON d.consumer = ?1 AND d.incident = o.incident
             WHERE o.position > (SELECT position FROM outbox_consumer WHERE name = ?1)
               AND (d.revision IS NULL OR d.revision < o.revision) AND (d.next_at IS NULL OR d.next_at <= ?2)
             GROUP BY o.incident ORDER BY min(o.position) LIMIT ?3",
        )
        .bind(consumer)
        .bind(now.0)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(ReadError::sql(WHAT))?;
        let due = |(incident, revision, first_at, last_at, attempts, note): Row| Due {
            incident: IncidentNumber(incident),
            revision,
            first_at: Timestamp(first_at),
            last_at: Timestamp(last_at),
            attempts: attempts.unwrap_or_default(),
            note,
        };
        Ok(rows.into_iter().map(due).collect())
    }

    /// Notes how an attempt ended, and moves the consumer's place over what is done.
    pub(crate) async fn end_attempt(&self, consumer: &str, due: &Due, ending: Ending<'_>) -> Result<(), WriteError> {
        let (revision, attempts, next_at, error, note) = match ending {
            Ending::Done { note } => (due.revision, 0, None, None, note),
            Ending::Again { at, error } => (0, due.attempts.saturating_add(1), Some(at.0), Some(error), None),
            Ending::GivenUp { error } => (due.revision, 0, None, Some(error), None),
        };
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO delivery (consumer, incident, revision, attempts, next_at, last_error, remote) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET revision = max(revision, ?3), attempts = ?4, next_at = ?5, last_error = ?6, remote = coalesce(?7, remote)",
        )
        .bind(consumer)
        .bind(due.incident.0)
        .bind(revision)
        .bind(attempts)
        .bind(next_at)
        .bind(error)
        .bind(note)
        .execute(&mut *write)
        .await
        .map_err(WriteError::sql(WHAT))?;
        advance(&mut write, consumer).await?;
        commit(write).await
    }

    /// How many incidents the consumer has given up in their last revision, for those who watch it.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "counted and tested; the page of figures that shows it is not there yet")
    )]
    pub(crate) async fn given_up(&self, consumer: &str) -> Result<u64, ReadError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM delivery WHERE consumer = ? AND last_error IS NOT NULL AND next_at IS NULL",
        )
        .bind(consumer)
        .fetch_one(&self.readers)
        .await
        .map_err(ReadError::sql(WHAT))?;
        super::unsigned(WHAT, count)
    }
}

/// Moves the consumer's place to just before its oldest change that is not carried out.
async fn advance(write: &mut Write, consumer: &str) -> Result<(), WriteError> {
    sqlx::query(
        "UPDATE outbox_consumer SET position = coalesce(
             (SELECT min(o.position) - 1 FROM outbox o LEFT JOIN delivery d ON d.consumer = ?1 AND d.incident = o.incident
              WHERE o.position > outbox_consumer.position AND (d.revision IS NULL OR d.revision < o.revision)),
             (SELECT max(position) FROM outbox), position)
         WHERE name = ?1",
    )
    .bind(consumer)
    .execute(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))?;
    Ok(())
}
