//! Single values under a name: detection's cursor, the anomaly detector's snapshot.

use super::{ReadError, Store, Write, WriteError};

impl Store {
    /// The value under that name.
    pub(crate) async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        sqlx::query_scalar("SELECT value FROM meta WHERE key = ?")
            .bind(key)
            .fetch_optional(&self.readers)
            .await
            .map_err(ReadError::sql("a setting"))
    }
}

/// Puts a value under that name, in place of the one before.
pub(crate) async fn set_meta(write: &mut Write, key: &str, value: &[u8]) -> Result<(), WriteError> {
    sqlx::query("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(value)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql("a setting"))?;
    Ok(())
}
