//! The store: the only room with SQL. One SQLite database, written by one connection and read by several.
//!
//! Owns the schema (`migrations/sqlite`), every query, and the promise that what was committed stays: WAL, `synchronous=FULL`, and
//! a SQLite that has the WAL-reset fix, asserted at start. Refuses to hand out rows that do not read back as what they should be:
//! a damaged row is an error that names it, never a default.
//!
//! Bounded by: one writer at a time (`Store::write` waits its turn), `READERS_MAX` readers, and a limit in every query that lists.

mod advice;
mod anomaly;
mod complaint;
mod epoch;
mod event;
mod event_page;
pub(crate) mod evidence;
pub(crate) mod finding;
pub(crate) mod incident;
mod meta;
mod outbox;
mod sensor;
mod token;

use std::{path::Path, time::Duration};

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(crate) use anomaly::{AnomalyRow, put_anomaly};
pub(crate) use complaint::{Complaint, ComplaintKind, settle};
pub(crate) use epoch::{AppendError, Appended, LedgerFigures, LedgerRow, NewBatch, ShedRow, append};
#[cfg(test)]
pub(crate) use event::EventRange;
pub(crate) use event::{NewEvent, Position};
pub(crate) use event_page::EventFilter;
pub(crate) use incident::{IncidentFilter, IncidentNumber, IncidentRow, IncidentStatus, NewIncident};
pub(crate) use meta::set_meta;
pub(crate) use outbox::{Begin, Due, Ending};
pub(crate) use sensor::{HookRow, ProgramRow, SensorRow, SensorSelf};
pub(crate) use token::{ApiTokenKind, JoinRefusal};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");

const READERS_MAX: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// 3.51.2 and older can lose committed transactions when a WAL is reset while it is being read.
const SQLITE_VERSION_MIN: i64 = 3_051_003;

/// The database. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// A write in progress. Nothing of it is seen by anyone before `commit`; dropped, it never was.
pub(crate) type Write = Transaction<'static, Sqlite>;

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("cannot open the database {path}")]
    Open { path: String, source: sqlx::Error },
    #[error("cannot bring the database {path} up to this version's schema")]
    Migrate { path: String, source: MigrateError },
    #[error("SQLite is version {found}, which can lose committed data; at least {SQLITE_VERSION_MIN} is needed")]
    TooOld { found: i64 },
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("cannot read {what} from the store")]
    Sql { what: &'static str, source: sqlx::Error },
    #[error("the stored {what} is damaged: {detail}")]
    Damaged { what: &'static str, detail: String },
}

impl ReadError {
    pub(crate) fn sql(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Sql { what, source }
    }

    pub(crate) fn damaged(what: &'static str, detail: &impl ToString) -> Self {
        Self::Damaged { what, detail: detail.to_string() }
    }
}

/// Why a write failed. Nothing of the transaction was stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("cannot write {what} to the store")]
    Sql { what: &'static str, source: sqlx::Error },
    #[error("cannot write {what} to the store: {number} does not fit")]
    TooLarge { what: &'static str, number: u64 },
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl WriteError {
    pub(crate) fn sql(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Sql { what, source }
    }
}

impl Store {
    /// Opens the database, makes it when it is not there, and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        let shown = || path.display().to_string();
        let open = |source| OpenError::Open { path: shown(), source };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(60))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone().create_if_missing(true))
            .await
            .map_err(open)?;
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&writer).await.map_err(open)?;
        let found = version_number(&version);
        if found < SQLITE_VERSION_MIN {
            return Err(OpenError::TooOld { found });
        }
        MIGRATIONS.run(&writer).await.map_err(|source| OpenError::Migrate { path: shown(), source })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.read_only(true))
            .await
            .map_err(open)?;
        Ok(Self { writer, readers })
    }

    /// Begins a write; waits for the one before. End it with [`commit`].
    pub(crate) async fn write(&self) -> Result<Write, WriteError> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(WriteError::sql("anything"))
    }

    /// Closes all connections after what they are doing.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Ends a write: after this returns `Ok`, it survives a power cut.
pub(crate) async fn commit(write: Write) -> Result<(), WriteError> {
    write.commit().await.map_err(WriteError::sql("a transaction"))
}

/// `3.51.3` as SQLite counts it: 3051003.
fn version_number(version: &str) -> i64 {
    version.split('.').take(3).fold(0, |sum, part| sum * 1000 + part.parse::<i64>().unwrap_or(0))
}

/// SQLite's integers are signed; ours that are not are stored only when they fit.
fn signed(what: &'static str, number: u64) -> Result<i64, WriteError> {
    i64::try_from(number).map_err(|_does_not_fit| WriteError::TooLarge { what, number })
}

fn unsigned(what: &'static str, number: i64) -> Result<u64, ReadError> {
    u64::try_from(number).map_err(|_negative| ReadError::damaged(what, &number))
}

/// Reads a text column back into what it was written from.
fn parsed<T: std::str::FromStr<Err: ToString>>(what: &'static str, text: &str) -> Result<T, ReadError> {
    text.parse().map_err(|error: T::Err| ReadError::damaged(what, &error))
}

fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| ReadError::damaged(what, &error))
}

fn severity(what: &'static str, fires: i64) -> Result<bongsu_event::Severity, ReadError> {
    u8::try_from(fires)
        .ok()
        .and_then(bongsu_event::Severity::from_fires)
        .ok_or_else(|| ReadError::damaged(what, &format!("severity {fires}")))
}

#[cfg(test)]
mod tests;
