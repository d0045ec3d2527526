//! What the store really holds, read from its file and not through the product.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use bongsu_proto::v1;
use prost::Message;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

/// One stored event.
#[derive(Debug)]
pub struct Stored {
    /// `SENSOR:EPOCH:SEQ`.
    pub id: String,
    /// The action word.
    pub action: String,
    /// What the sensor sent.
    pub event: v1::Event,
}

/// The correlator's database, opened for reading beside the running correlator.
pub struct Database {
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
}

impl Database {
    /// Opens it.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let connection = runtime
            .block_on(SqliteConnection::connect_with(&options))
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { runtime, connection })
    }

    /// How many events of that action there are.
    ///
    /// # Errors
    /// As reading a database.
    pub fn count(&mut self, action: &str) -> Result<u64> {
        let query = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM event WHERE action = ?").bind(action);
        Ok(u64::try_from(self.runtime.block_on(query.fetch_one(&mut self.connection))?)?)
    }

    /// How many events there are, and how many bytes they have.
    ///
    /// # Errors
    /// As reading a database.
    pub fn bytes(&mut self) -> Result<(u64, u64)> {
        let query = sqlx::query("SELECT count(*) AS events, coalesce(sum(length(body)), 0) AS bytes FROM event");
        let row = self.runtime.block_on(query.fetch_one(&mut self.connection))?;
        Ok((u64::try_from(row.try_get::<i64, _>("events")?)?, u64::try_from(row.try_get::<i64, _>("bytes")?)?))
    }

    /// All events of that action, in order of commit.
    ///
    /// # Errors
    /// As reading a database, and when a body is not an event.
    pub fn events(&mut self, action: &str) -> Result<Vec<Stored>> {
        let query = sqlx::query(
            "SELECT sensor.id || ':' || epoch || ':' || seq AS id, action, body \
             FROM event JOIN sensor ON sensor.no = event.sensor WHERE action = ? ORDER BY position",
        )
        .bind(action);
        let rows = self.runtime.block_on(query.fetch_all(&mut self.connection))?;
        rows.into_iter()
            .map(|row| {
                let body: Vec<u8> = row.try_get("body")?;
                let id: String = row.try_get("id")?;
                let event = v1::Event::decode(body.as_slice()).with_context(|| format!("event {id} cannot be read"))?;
                Ok(Stored { id, action: row.try_get("action")?, event })
            })
            .collect()
    }

    /// Whether an event of that id (`SENSOR:EPOCH:SEQ`) is stored.
    ///
    /// # Errors
    /// As reading a database.
    pub fn has(&mut self, id: &str) -> Result<bool> {
        let query = sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM event JOIN sensor ON sensor.no = event.sensor \
             WHERE sensor.id || ':' || epoch || ':' || seq = ? AND seq = ?",
        )
        .bind(id)
        .bind(id.rsplit(':').next().and_then(|seq| seq.parse::<i64>().ok()));
        Ok(self.runtime.block_on(query.fetch_one(&mut self.connection))? == 1)
    }

    /// The sequence numbers of each epoch, ascending.
    ///
    /// # Errors
    /// As reading a database.
    pub fn numbers(&mut self) -> Result<BTreeMap<i64, Vec<i64>>> {
        let query = sqlx::query("SELECT epoch, seq FROM event ORDER BY epoch, seq");
        let mut numbers: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for row in self.runtime.block_on(query.fetch_all(&mut self.connection))? {
            numbers.entry(row.try_get("epoch")?).or_default().push(row.try_get("seq")?);
        }
        Ok(numbers)
    }
}
