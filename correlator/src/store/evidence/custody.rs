//! The custody log: each entry bears a hash over itself and the entry before.
//!
//! This shows changes to what somebody forgot, or did not know, to make consistent. Whoever can write the database and knows this file can
//! forge the whole chain; the answer to that is a signature by a key the database's owner lacks, which is not built yet.

use bongsu_event::{EvidenceId, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::FromRow;

use super::WHAT;
use crate::store::{ReadError, Store, Write, WriteError};

/// The most entries of one piece of evidence that are shown; `verify` walks all of them.
const SHOWN_MAX: u32 = 1000;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CustodyRow {
    pub(crate) time: Timestamp,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) detail: String,
}

/// An entry to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewCustody<'a> {
    pub(crate) time: Timestamp,
    /// `correlator`, a sensor's id, or the name of an API token.
    pub(crate) actor: &'a str,
    /// `requested`, `received`, `stored`, `scanned`, `fetched`, `verified`.
    pub(crate) action: &'a str,
    /// More, in words. Bytes of a host are escaped in it.
    pub(crate) detail: &'a str,
}

/// Whether a custody log is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChainState {
    /// So many entries, all as they were written.
    Whole(usize),
    /// The entry at this place (counted from 1) does not follow from the one before; one past the last when the end is missing.
    BrokenAt(usize),
}

#[derive(FromRow)]
struct Raw {
    time: i64,
    actor: String,
    action: String,
    detail: String,
    link: Vec<u8>,
}

impl Store {
    /// What was done with evidence, oldest first.
    pub(crate) async fn custody(&self, id: EvidenceId) -> Result<Vec<CustodyRow>, ReadError> {
        let rows: Vec<Raw> = sqlx::query_as(
            "SELECT time, actor, action, detail, link FROM custody WHERE evidence = ? ORDER BY id LIMIT ?",
        )
        .bind(id.to_string())
        .bind(SHOWN_MAX)
        .fetch_all(&self.readers)
        .await
        .map_err(ReadError::sql("custody"))?;
        let row = |raw: Raw| CustodyRow {
            time: Timestamp(raw.time),
            actor: raw.actor,
            action: raw.action,
            detail: raw.detail,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Walks the chain of evidence from its first entry to the last one the evidence knows of.
    pub(crate) async fn custody_chain(&self, id: EvidenceId) -> Result<ChainState, ReadError> {
        let mut connection = self.readers.acquire().await.map_err(ReadError::sql("custody"))?;
        // One transaction: the entries and the head must be of one moment.
        let mut read = sqlx::Connection::begin(&mut *connection).await.map_err(ReadError::sql("custody"))?;
        let rows: Vec<Raw> =
            sqlx::query_as("SELECT time, actor, action, detail, link FROM custody WHERE evidence = ? ORDER BY id")
                .bind(id.to_string())
                .fetch_all(&mut *read)
                .await
                .map_err(ReadError::sql("custody"))?;
        let head: Option<Vec<u8>> = sqlx::query_scalar("SELECT custody_head FROM evidence WHERE sha256 = ?")
            .bind(id.to_string())
            .fetch_optional(&mut *read)
            .await
            .map_err(ReadError::sql(WHAT))?;
        let mut previous = Vec::new();
        for (place, row) in (1..).zip(&rows) {
            let entry =
                NewCustody { time: Timestamp(row.time), actor: &row.actor, action: &row.action, detail: &row.detail };
            if row.link != link(&previous, id, &entry) {
                return Ok(ChainState::BrokenAt(place));
            }
            previous.clone_from(&row.link);
        }
        let whole = head.unwrap_or_default() == previous;
        Ok(if whole { ChainState::Whole(rows.len()) } else { ChainState::BrokenAt(rows.len() + 1) })
    }
}

#[cfg(test)]
impl Store {
    /// What somebody with the database in hand could do.
    pub(crate) async fn tamper(&self, statement: &'static str) {
        let mut write = self.write().await.unwrap();
        sqlx::query(statement).execute(&mut *write).await.unwrap();
        crate::store::commit(write).await.unwrap();
    }
}

/// Adds an entry to the chain of stored evidence.
pub(crate) async fn append(write: &mut Write, id: EvidenceId, entry: &NewCustody<'_>) -> Result<(), WriteError> {
    let name = id.to_string();
    let head: Vec<u8> = sqlx::query_scalar("SELECT custody_head FROM evidence WHERE sha256 = ?")
        .bind(&name)
        .fetch_one(&mut **write)
        .await
        .map_err(WriteError::sql("custody"))?;
    let link = link(&head, id, entry);
    sqlx::query("INSERT INTO custody (evidence, time, actor, action, detail, link) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(&name)
        .bind(entry.time.0)
        .bind(entry.actor)
        .bind(entry.action)
        .bind(entry.detail)
        .bind(&link)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql("custody"))?;
    sqlx::query("UPDATE evidence SET custody_head = ? WHERE sha256 = ?")
        .bind(&link)
        .bind(&name)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql("custody"))?;
    Ok(())
}

/// SHA-256 over the link before and every part of the entry, each with its length before it.
fn link(previous: &[u8], id: EvidenceId, entry: &NewCustody<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    let time = entry.time.0.to_be_bytes();
    let parts: [&[u8]; 6] =
        [previous, &id.0, &time, entry.actor.as_bytes(), entry.action.as_bytes(), entry.detail.as_bytes()];
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}
