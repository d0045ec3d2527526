//! How unusual a host was, window by window, as the anomaly detector saw it.

use bongsu_event::{SensorId, Timestamp};

use super::{ReadError, Store, Write, WriteError, from_json};

const WHAT: &str = "an anomaly score";

/// One window of one host.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AnomalyRow {
    pub(crate) sensor: SensorId,
    pub(crate) window_start: Timestamp,
    pub(crate) window_end: Timestamp,
    /// 0 to 100: the share of the host's own baseline that was less unusual.
    pub(crate) score: f64,
    /// In words, most important first.
    pub(crate) reasons: Vec<String>,
}

impl Store {
    /// The most unusual window of that host that has a part in the time from `first` to `last`.
    pub(crate) async fn worst_anomaly(
        &self,
        sensor: SensorId,
        first: Timestamp,
        last: Timestamp,
    ) -> Result<Option<AnomalyRow>, ReadError> {
        let row: Option<(i64, i64, f64, String)> = sqlx::query_as(
            "SELECT window_start, window_end, score, reasons FROM anomaly
             WHERE sensor = ? AND window_start <= ? AND window_end >= ? ORDER BY score DESC, window_start LIMIT 1",
        )
        .bind(sensor.to_string())
        .bind(last.0)
        .bind(first.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(ReadError::sql(WHAT))?;
        let read = |(start, end, score, reasons): (i64, i64, f64, String)| {
            let (window_start, window_end) = (Timestamp(start), Timestamp(end));
            Ok(AnomalyRow { sensor, window_start, window_end, score, reasons: from_json(WHAT, &reasons)? })
        };
        row.map(read).transpose()
    }
}

/// Keeps the score of a window, in place of one from before.
pub(crate) async fn put_anomaly(write: &mut Write, row: &AnomalyRow) -> Result<(), WriteError> {
    let reasons = serde_json::to_string(&row.reasons).expect("a list of strings is JSON");
    sqlx::query(
        "INSERT INTO anomaly (sensor, window_start, window_end, score, reasons) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET window_end = ?3, score = ?4, reasons = ?5",
    )
    .bind(row.sensor.to_string())
    .bind(row.window_start.0)
    .bind(row.window_end.0)
    .bind(row.score)
    .bind(reasons)
    .execute(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))?;
    Ok(())
}
