//! Complaints: what intake noticed about a sensor and detection has yet to make a finding of. They are rows, not messages, so that
//! none is lost between the transaction that noticed and the one that stores the finding.

use bongsu_event::{EventId, Timestamp};

use super::{ReadError, Store, Write, WriteError, parsed, signed, unsigned};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComplaintKind {
    /// A ledger stopped adding up.
    LedgerImbalance,
    /// A sequence number came again with another event.
    NumberReused,
}

impl ComplaintKind {
    const ALL: [Self; 2] = [Self::LedgerImbalance, Self::NumberReused];

    /// Its word in the store, and the end of its rule's id.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::LedgerImbalance => "ledger-imbalance",
            Self::NumberReused => "number-reused",
        }
    }
}

/// One complaint.
#[derive(Debug, Clone)]
pub(crate) struct Complaint {
    pub(crate) id: i64,
    pub(crate) kind: ComplaintKind,
    /// The stored event it is about.
    pub(crate) event: EventId,
    pub(crate) detail: String,
}

impl Store {
    /// At most `limit` complaints, oldest first.
    pub(crate) async fn complaints(&self, limit: u32) -> Result<Vec<Complaint>, ReadError> {
        let rows: Vec<(i64, String, String, i64, i64, String)> = sqlx::query_as(
            "SELECT c.id, c.kind, s.id, c.epoch, c.seq, c.detail
             FROM complaint c JOIN sensor s ON s.no = c.sensor ORDER BY c.id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(ReadError::sql("complaints"))?;
        rows.into_iter()
            .map(|(id, kind, sensor, epoch, seq, detail)| {
                let kind = ComplaintKind::ALL.into_iter().find(|known| known.as_str() == kind);
                let event = EventId {
                    sensor: parsed("complaint", &sensor)?,
                    epoch: unsigned("complaint", epoch)?,
                    seq: unsigned("complaint", seq)?,
                };
                let kind = kind.ok_or_else(|| ReadError::damaged("complaint", &"unknown kind"))?;
                Ok(Complaint { id, kind, event, detail })
            })
            .collect()
    }

    /// Complains that a number came again with another event.
    pub(crate) async fn complain_of_reuse(
        &self,
        sensor: i64,
        epoch: u64,
        seq: u64,
        at: Timestamp,
        detail: &str,
    ) -> Result<(), WriteError> {
        let mut write = self.write().await?;
        let (epoch, seq) = (signed("a complaint", epoch)?, signed("a complaint", seq)?);
        insert(&mut write, ComplaintKind::NumberReused, sensor, epoch, seq, at, detail).await?;
        super::commit(write).await
    }
}

pub(super) async fn insert(
    write: &mut Write,
    kind: ComplaintKind,
    sensor: i64,
    epoch: i64,
    seq: i64,
    at: Timestamp,
    detail: &str,
) -> Result<(), WriteError> {
    sqlx::query("INSERT INTO complaint (kind, sensor, epoch, seq, at, detail) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(kind.as_str())
        .bind(sensor)
        .bind(epoch)
        .bind(seq)
        .bind(at.0)
        .bind(detail)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql("a complaint"))?;
    Ok(())
}

/// Ends complaints that became findings.
pub(crate) async fn settle(write: &mut Write, ids: &[i64]) -> Result<(), WriteError> {
    for id in ids {
        sqlx::query("DELETE FROM complaint WHERE id = ?")
            .bind(id)
            .execute(&mut **write)
            .await
            .map_err(WriteError::sql("a complaint"))?;
    }
    Ok(())
}
