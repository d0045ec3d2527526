//! Requests: from a finding's wish for the image of a process to the sensor's answer.
//!
//! ```text
//!   wish --settle--> waiting --ask--> asked --answer--> stored --scan--> judged
//!     \-> refused       ^               |  \-> gone, too-large, failed
//!                       \---session over, stalled, restart
//! ```

use std::time::Duration;

use bongsu_detection::FindingId;
use bongsu_event::{EvidenceId, ProcessKey, SensorId, Timestamp};
use bstr::BString;
use sqlx::FromRow;

use super::super::finding::finding_id;
use crate::store::{IncidentNumber, ReadError, Store, Write, WriteError, commit, parsed, signed, unsigned};

const WHAT: &str = "evidence requests";
/// Wishes settled in one transaction.
const SETTLE_MAX: u32 = 100;
/// Requests read at a time.
const LIST_MAX: u32 = 200;

/// How much is asked for at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewWishLimits {
    /// Requests of one sensor that have no answer yet.
    pub(crate) open_per_sensor: i64,
    /// Requests to one sensor in an hour.
    pub(crate) per_sensor_and_hour: i64,
    /// Requests for one incident.
    pub(crate) per_incident: i64,
}

/// How wishes were settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// By a new request.
    pub(crate) requested: u64,
    /// By a request that was there already.
    pub(crate) shared: u64,
    /// By a refusal.
    pub(crate) refused: u64,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestState {
    /// To be sent when the sensor is there.
    Waiting,
    /// Sent.
    Asked,
    /// The bytes are in the store.
    Stored,
    /// The sensor says that the bytes are gone.
    Gone,
    /// The sensor says that they are too many.
    TooLarge,
    /// The sensor could not read them, or what it sent was refused.
    Failed,
}

impl RequestState {
    const ALL: [Self; 6] = [Self::Waiting, Self::Asked, Self::Stored, Self::Gone, Self::TooLarge, Self::Failed];

    /// Its word in the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Asked => "asked",
            Self::Stored => "stored",
            Self::Gone => "gone",
            Self::TooLarge => "too-large",
            Self::Failed => "failed",
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestRow {
    pub(crate) request: u64,
    pub(crate) sensor: SensorId,
    /// The finding that asked first.
    pub(crate) finding: FindingId,
    pub(crate) process: ProcessKey,
    pub(crate) path: BString,
    pub(crate) state: RequestState,
    pub(crate) evidence: Option<EvidenceId>,
    pub(crate) detail: Option<String>,
    pub(crate) attempts: u64,
    pub(crate) requested_at: Timestamp,
}

#[derive(FromRow)]
struct Raw {
    request: i64,
    sensor: String,
    finding: String,
    process: String,
    path: Vec<u8>,
    state: String,
    evidence: Option<String>,
    detail: Option<String>,
    attempts: i64,
    requested_at: i64,
}

impl TryFrom<Raw> for RequestRow {
    type Error = ReadError;

    fn try_from(raw: Raw) -> Result<Self, ReadError> {
        let state = RequestState::ALL.into_iter().find(|known| known.as_str() == raw.state);
        Ok(Self {
            request: unsigned(WHAT, raw.request)?,
            sensor: parsed(WHAT, &raw.sensor)?,
            finding: finding_id(&raw.finding)?,
            process: parsed(WHAT, &raw.process)?,
            path: raw.path.into(),
            state: state.ok_or_else(|| ReadError::damaged(WHAT, &format!("state {:?}", raw.state)))?,
            evidence: raw.evidence.map(|id| parsed(WHAT, &id)).transpose()?,
            detail: raw.detail,
            attempts: unsigned(WHAT, raw.attempts)?,
            requested_at: Timestamp(raw.requested_at),
        })
    }
}

#[derive(FromRow)]
struct Wish {
    id: String,
    sensor: String,
    wish_process: String,
    wish_path: Vec<u8>,
}

const UNSETTLED: &str = "FROM finding f WHERE f.wish_process IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM evidence_wish w WHERE w.finding = f.id)";

impl Store {
    /// Settles the oldest wishes that are not settled yet. Called again until it settles none.
    pub(crate) async fn settle_wishes(&self, limits: NewWishLimits, at: Timestamp) -> Result<Settled, WriteError> {
        let query =
            format!("SELECT f.id, f.sensor, f.wish_process, f.wish_path {UNSETTLED} ORDER BY f.stored_at LIMIT ?");
        let wishes: Vec<Wish> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(SETTLE_MAX)
            .fetch_all(&self.readers)
            .await
            .map_err(ReadError::sql(WHAT))?;
        let mut settled = Settled::default();
        if wishes.is_empty() {
            return Ok(settled);
        }
        let mut write = self.write().await?;
        for wish in &wishes {
            settle(&mut write, wish, limits, at, &mut settled).await?;
        }
        commit(write).await?;
        Ok(settled)
    }

    /// Requests in a state, oldest first.
    pub(crate) async fn requests_in(&self, state: RequestState) -> Result<Vec<RequestRow>, ReadError> {
        self.requests("state = ? ORDER BY request LIMIT ?", state.as_str()).await
    }

    /// Answered requests whose bytes still have to be scanned for them.
    pub(crate) async fn unjudged_requests(&self) -> Result<Vec<RequestRow>, ReadError> {
        self.requests("state = ? AND judged_at IS NULL ORDER BY request LIMIT ?", RequestState::Stored.as_str()).await
    }

    /// The requests for an incident that brought nothing, or nothing yet.
    pub(crate) async fn unmet_requests_of(&self, number: IncidentNumber) -> Result<Vec<RequestRow>, ReadError> {
        let query = "state <> 'stored' AND request IN (SELECT w.request FROM evidence_wish w
            JOIN incident_finding m ON m.finding = w.finding WHERE m.incident = CAST(? AS INTEGER)) ORDER BY request LIMIT ?";
        self.requests(query, &number.0.to_string()).await
    }

    /// The paths of programs that findings of an incident asked for and nobody was asked for, with the reason and how many findings.
    pub(crate) async fn refused_wishes_of(
        &self,
        number: IncidentNumber,
    ) -> Result<Vec<(BString, String, u64)>, ReadError> {
        let rows: Vec<(Vec<u8>, String, i64)> = sqlx::query_as(
            "SELECT f.wish_path, w.refused, count(*) FROM incident_finding m JOIN finding f ON f.id = m.finding
             JOIN evidence_wish w ON w.finding = f.id
             WHERE m.incident = ? AND w.refused IS NOT NULL GROUP BY f.wish_path, w.refused ORDER BY f.wish_path LIMIT ?",
        )
        .bind(number.0)
        .bind(LIST_MAX)
        .fetch_all(&self.readers)
        .await
        .map_err(ReadError::sql(WHAT))?;
        rows.into_iter().map(|(path, why, count)| Ok((path.into(), why, unsigned(WHAT, count)?))).collect()
    }

    async fn requests(&self, condition: &str, value: &str) -> Result<Vec<RequestRow>, ReadError> {
        let query = format!(
            "SELECT request, sensor, finding, process, path, state, evidence, detail, attempts, requested_at
             FROM evidence_request WHERE {condition}"
        );
        let rows: Vec<Raw> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(value.to_owned())
            .bind(LIST_MAX)
            .fetch_all(&self.readers)
            .await
            .map_err(ReadError::sql(WHAT))?;
        rows.into_iter().map(RequestRow::try_from).collect()
    }

    /// Notes that the sensor was asked.
    pub(crate) async fn request_asked(&self, request: u64) -> Result<(), WriteError> {
        let set = "state = 'asked', attempts = attempts + 1 WHERE request = ? AND state = 'waiting'";
        self.change(set, Some(request)).await
    }

    /// Puts a request that was asked back, to be asked again.
    pub(crate) async fn request_waits(&self, request: u64) -> Result<(), WriteError> {
        self.change("state = 'waiting' WHERE request = ? AND state = 'asked'", Some(request)).await
    }

    /// Puts every request that was asked back: no session outlives the correlator.
    pub(crate) async fn all_requests_wait(&self) -> Result<(), WriteError> {
        self.change("state = 'waiting' WHERE state = 'asked'", None).await
    }

    async fn change(&self, set: &str, request: Option<u64>) -> Result<(), WriteError> {
        let mut write = self.write().await?;
        let mut query = sqlx::query(sqlx::AssertSqlSafe(format!("UPDATE evidence_request SET {set}")));
        if let Some(request) = request {
            query = query.bind(signed(WHAT, request)?);
        }
        query.execute(&mut *write).await.map_err(WriteError::sql(WHAT))?;
        commit(write).await
    }

    /// Ends a request without bytes.
    pub(crate) async fn request_ended(
        &self,
        request: u64,
        state: RequestState,
        detail: &str,
        at: Timestamp,
    ) -> Result<(), WriteError> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE evidence_request SET state = ?, detail = ?, ended_at = ? WHERE request = ?")
            .bind(state.as_str())
            .bind(detail)
            .bind(at.0)
            .bind(signed(WHAT, request)?)
            .execute(&mut *write)
            .await
            .map_err(WriteError::sql(WHAT))?;
        commit(write).await
    }

    /// Notes that every yara finding that came of a request is in the store.
    pub(crate) async fn request_judged(&self, request: u64, at: Timestamp) -> Result<(), WriteError> {
        let mut write = self.write().await?;
        sqlx::query("UPDATE evidence_request SET judged_at = ? WHERE request = ?")
            .bind(at.0)
            .bind(signed(WHAT, request)?)
            .execute(&mut *write)
            .await
            .map_err(WriteError::sql(WHAT))?;
        commit(write).await
    }
}

/// Notes that a request brought these bytes.
pub(crate) async fn answered(
    write: &mut Write,
    request: u64,
    evidence: EvidenceId,
    at: Timestamp,
) -> Result<(), WriteError> {
    sqlx::query("UPDATE evidence_request SET state = 'stored', evidence = ?, ended_at = ? WHERE request = ?")
        .bind(evidence.to_string())
        .bind(at.0)
        .bind(signed(WHAT, request)?)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql(WHAT))?;
    Ok(())
}

async fn settle(
    write: &mut Write,
    wish: &Wish,
    limits: NewWishLimits,
    at: Timestamp,
    settled: &mut Settled,
) -> Result<(), WriteError> {
    let same: Option<i64> = sqlx::query_scalar(
        "SELECT request FROM evidence_request WHERE sensor = ? AND process = ? AND path = ? ORDER BY request DESC LIMIT 1",
    )
    .bind(&wish.sensor)
    .bind(&wish.wish_process)
    .bind(&wish.wish_path)
    .fetch_optional(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))?;
    let (request, refused) = match same {
        Some(request) => {
            settled.shared += 1;
            (Some(request), None)
        }
        None => match over_limit(write, wish, limits, at).await? {
            Some(why) => {
                settled.refused += 1;
                (None, Some(why))
            }
            None => {
                settled.requested += 1;
                (Some(insert(write, wish, at).await?), None)
            }
        },
    };
    sqlx::query("INSERT INTO evidence_wish (finding, request, refused) VALUES (?, ?, ?)")
        .bind(&wish.id)
        .bind(request)
        .bind(refused)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql(WHAT))?;
    Ok(())
}

async fn insert(write: &mut Write, wish: &Wish, at: Timestamp) -> Result<i64, WriteError> {
    sqlx::query_scalar(
        "INSERT INTO evidence_request (sensor, finding, process, path, requested_at) VALUES (?, ?, ?, ?, ?)
         RETURNING request",
    )
    .bind(&wish.sensor)
    .bind(&wish.id)
    .bind(&wish.wish_process)
    .bind(&wish.wish_path)
    .bind(at.0)
    .fetch_one(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))
}

/// Which limit a new request would break, in words.
async fn over_limit(
    write: &mut Write,
    wish: &Wish,
    limits: NewWishLimits,
    at: Timestamp,
) -> Result<Option<String>, WriteError> {
    let open: i64 =
        sqlx::query_scalar("SELECT count(*) FROM evidence_request WHERE sensor = ? AND state IN ('waiting', 'asked')")
            .bind(&wish.sensor)
            .fetch_one(&mut **write)
            .await
            .map_err(WriteError::sql(WHAT))?;
    if open >= limits.open_per_sensor {
        return Ok(Some(format!("{open} requests of this sensor have no answer yet")));
    }
    let hour: i64 = sqlx::query_scalar("SELECT count(*) FROM evidence_request WHERE sensor = ? AND requested_at > ?")
        .bind(&wish.sensor)
        .bind(at.saturating_sub(Duration::from_secs(3600)).0)
        .fetch_one(&mut **write)
        .await
        .map_err(WriteError::sql(WHAT))?;
    if hour >= limits.per_sensor_and_hour {
        return Ok(Some(format!("{hour} requests went to this sensor within an hour")));
    }
    let incident: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT w.request) FROM incident_finding m
         JOIN incident_finding o ON o.incident = m.incident JOIN evidence_wish w ON w.finding = o.finding
         WHERE m.finding = ? AND w.request IS NOT NULL",
    )
    .bind(&wish.id)
    .fetch_one(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))?;
    Ok((incident >= limits.per_incident).then(|| format!("{incident} requests were made for this incident")))
}
