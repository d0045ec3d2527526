//! Sensors: who was enrolled, with which key, and what they say about themselves.

use bongsu_event::{SensorId, Timestamp};
use bstr::BString;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{ReadError, Store, Write, WriteError, from_json, parsed};

/// A sensor as the store knows it. Whether it is online, only intake knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SensorRow {
    pub(crate) no: i64,
    pub(crate) id: SensorId,
    pub(crate) public_key: Vec<u8>,
    /// The name it claims.
    pub(crate) host: BString,
    pub(crate) version: String,
    pub(crate) kernel: String,
    pub(crate) hooks: Vec<HookRow>,
    pub(crate) enrolled_at: Timestamp,
    pub(crate) last_seen: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

/// Which rung one hook of a sensor stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HookRow {
    pub(crate) name: String,
    pub(crate) rung: String,
    pub(crate) detail: String,
    /// Absent in what was stored before sensors said it.
    #[serde(default)]
    pub(crate) programs: Vec<ProgramRow>,
}

/// A kernel program of a hook, and what the kernel counted of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProgramRow {
    pub(crate) name: String,
    pub(crate) runs: u64,
    /// All runs together.
    pub(crate) run_ns: u64,
    /// Times the kernel passed it over.
    pub(crate) missed: u64,
}

/// What a sensor says about itself when a session begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SensorSelf {
    pub(crate) host: BString,
    pub(crate) version: String,
    pub(crate) kernel: String,
    pub(crate) hooks: Vec<HookRow>,
}

#[derive(FromRow)]
struct Raw {
    no: i64,
    id: String,
    public_key: Vec<u8>,
    host: Vec<u8>,
    version: String,
    kernel: String,
    hooks: String,
    enrolled_at: i64,
    last_seen: Option<i64>,
    revoked_at: Option<i64>,
}

impl TryFrom<Raw> for SensorRow {
    type Error = ReadError;

    fn try_from(raw: Raw) -> Result<Self, ReadError> {
        Ok(Self {
            no: raw.no,
            id: parsed("sensor", &raw.id)?,
            public_key: raw.public_key,
            host: raw.host.into(),
            version: raw.version,
            kernel: raw.kernel,
            hooks: from_json("hooks of a sensor", &raw.hooks)?,
            enrolled_at: Timestamp(raw.enrolled_at),
            last_seen: raw.last_seen.map(Timestamp),
            revoked_at: raw.revoked_at.map(Timestamp),
        })
    }
}

impl Store {
    /// All sensors, newest first.
    pub(crate) async fn sensors(&self) -> Result<Vec<SensorRow>, ReadError> {
        let rows: Vec<Raw> = sqlx::query_as("SELECT * FROM sensor ORDER BY no DESC")
            .fetch_all(&self.readers)
            .await
            .map_err(ReadError::sql("the sensors"))?;
        rows.into_iter().map(SensorRow::try_from).collect()
    }

    /// One sensor.
    pub(crate) async fn sensor(&self, id: SensorId) -> Result<Option<SensorRow>, ReadError> {
        let row: Option<Raw> = sqlx::query_as("SELECT * FROM sensor WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(ReadError::sql("a sensor"))?;
        row.map(SensorRow::try_from).transpose()
    }

    /// Notes what a sensor says about itself, and that it spoke.
    pub(crate) async fn describe_sensor(&self, no: i64, says: &SensorSelf, at: Timestamp) -> Result<(), WriteError> {
        let hooks = as_json(&says.hooks);
        let mut write = self.write().await?;
        sqlx::query("UPDATE sensor SET host = ?, version = ?, kernel = ?, hooks = ?, last_seen = ? WHERE no = ?")
            .bind(says.host.as_slice())
            .bind(&says.version)
            .bind(&says.kernel)
            .bind(hooks)
            .bind(at.0)
            .bind(no)
            .execute(&mut *write)
            .await
            .map_err(WriteError::sql("a sensor"))?;
        super::commit(write).await
    }

    /// Notes where a sensor's hooks stand now.
    pub(crate) async fn describe_hooks(&self, no: i64, hooks: &[HookRow], at: Timestamp) -> Result<(), WriteError> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE sensor SET hooks = ?, last_seen = ? WHERE no = ?")
            .bind(as_json(hooks))
            .bind(at.0)
            .bind(no)
            .execute(&mut *write)
            .await
            .map_err(WriteError::sql("the hooks of a sensor"))?;
        super::commit(write).await
    }
}

fn as_json(hooks: &[HookRow]) -> String {
    serde_json::to_string(hooks).expect("strings and numbers are JSON")
}

/// Adds a sensor. Its public key must be new: two identities never share one.
pub(super) async fn insert(
    write: &mut Write,
    id: SensorId,
    public_key: &[u8],
    host: &[u8],
    at: Timestamp,
) -> Result<(), WriteError> {
    sqlx::query("INSERT INTO sensor (id, public_key, host, enrolled_at) VALUES (?, ?, ?, ?)")
        .bind(id.to_string())
        .bind(public_key)
        .bind(host)
        .bind(at.0)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql("a sensor"))?;
    Ok(())
}

/// Notes that a sensor spoke.
pub(super) async fn seen(write: &mut Write, no: i64, at: Timestamp) -> Result<(), WriteError> {
    sqlx::query("UPDATE sensor SET last_seen = max(?, coalesce(last_seen, 0)) WHERE no = ?")
        .bind(at.0)
        .bind(no)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql("a sensor"))?;
    Ok(())
}
