//! Advice: what was last written for an incident, and for which of its revisions.

use bongsu_api::Advice;
use bongsu_event::Timestamp;

use super::{IncidentNumber, ReadError, Store, WriteError, from_json};

const WHAT: &str = "advice";

impl Store {
    /// The advice of an incident, and the revision it was written for; `None` until some is.
    pub(crate) async fn advice(&self, incident: IncidentNumber) -> Result<Option<(i64, Advice)>, ReadError> {
        let row: Option<(i64, String)> = sqlx::query_as("SELECT revision, body FROM advice WHERE incident = ?")
            .bind(incident.0)
            .fetch_optional(&self.readers)
            .await
            .map_err(ReadError::sql(WHAT))?;
        row.map(|(revision, body)| Ok((revision, from_json(WHAT, &body)?))).transpose()
    }

    /// Keeps advice in place of older advice; what was written for an older revision than what is there is dropped.
    pub(crate) async fn put_advice(
        &self,
        incident: IncidentNumber,
        revision: i64,
        advice: &Advice,
        at: Timestamp,
    ) -> Result<(), WriteError> {
        let body = serde_json::to_string(advice).expect("advice is made of strings");
        let mut write = self.write().await?;
        sqlx::query(
            "INSERT INTO advice (incident, revision, body, made_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET revision = ?2, body = ?3, made_at = ?4 WHERE revision <= ?2",
        )
        .bind(incident.0)
        .bind(revision)
        .bind(body)
        .bind(at.0)
        .execute(&mut *write)
        .await
        .map_err(WriteError::sql(WHAT))?;
        super::commit(write).await
    }
}
