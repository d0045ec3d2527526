//! Evidence: what is kept, what was asked for, and who did what with it.

mod custody;
mod request;

use bongsu_event::{EvidenceId, ProcessKey, SensorId, Timestamp};
use bstr::BString;
use sqlx::FromRow;

pub(crate) use custody::{ChainState, CustodyRow, NewCustody, append as append_custody};
pub(crate) use request::{NewWishLimits, RequestRow, RequestState, answered};

use super::{IncidentNumber, ReadError, Store, Write, WriteError, from_json, parsed, signed, unsigned};

const WHAT: &str = "evidence";
/// The most one page of a list holds.
const PAGE_MAX: u32 = 200;

/// What a scan came to. There is no word for "clean".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanOutcome {
    /// Not scanned yet.
    Pending,
    /// At least one yara rule matched.
    Matched,
    /// The whole of it was scanned, and no rule matched.
    NoMatch,
    /// The deadline passed first.
    TimedOut,
    /// Larger than the scanner accepts.
    TooLarge,
    /// It could not be scanned.
    Failed,
}

impl ScanOutcome {
    const ALL: [Self; 6] = [Self::Pending, Self::Matched, Self::NoMatch, Self::TimedOut, Self::TooLarge, Self::Failed];

    /// Its word in the API and the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Matched => "matched",
            Self::NoMatch => "no-match",
            Self::TimedOut => "timed-out",
            Self::TooLarge => "too-large",
            Self::Failed => "failed",
        }
    }
}

/// Bytes taken from a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EvidenceRow {
    pub(crate) id: EvidenceId,
    pub(crate) size: u64,
    pub(crate) sensor: SensorId,
    /// The name the host claims.
    pub(crate) host: BString,
    /// The path the bytes were found under.
    pub(crate) path: BString,
    pub(crate) process: Option<ProcessKey>,
    pub(crate) stored_at: Timestamp,
    pub(crate) outcome: ScanOutcome,
    pub(crate) yara_rules: Vec<String>,
    /// What went wrong with the scan, where something did.
    pub(crate) detail: Option<String>,
}

/// Evidence that was just stored.
#[derive(Debug, Clone)]
pub(crate) struct NewEvidence {
    pub(crate) id: EvidenceId,
    pub(crate) size: u64,
    pub(crate) sensor: SensorId,
    pub(crate) path: BString,
    pub(crate) process: ProcessKey,
}

/// What a scan came to, to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewVerdict {
    pub(crate) outcome: ScanOutcome,
    pub(crate) yara_rules: Vec<String>,
    pub(crate) detail: Option<String>,
}

#[derive(FromRow)]
struct Raw {
    sha256: String,
    size: i64,
    sensor: String,
    host: Vec<u8>,
    path: Vec<u8>,
    process: Option<String>,
    stored_at: i64,
    outcome: String,
    yara_rules: String,
    detail: Option<String>,
}

impl TryFrom<Raw> for EvidenceRow {
    type Error = ReadError;

    fn try_from(raw: Raw) -> Result<Self, ReadError> {
        let outcome = ScanOutcome::ALL.into_iter().find(|known| known.as_str() == raw.outcome);
        Ok(Self {
            id: parsed(WHAT, &raw.sha256)?,
            size: unsigned(WHAT, raw.size)?,
            sensor: parsed(WHAT, &raw.sensor)?,
            host: raw.host.into(),
            path: raw.path.into(),
            process: raw.process.map(|key| parsed(WHAT, &key)).transpose()?,
            stored_at: Timestamp(raw.stored_at),
            outcome: outcome.ok_or_else(|| ReadError::damaged(WHAT, &format!("outcome {:?}", raw.outcome)))?,
            yara_rules: from_json("yara rules of evidence", &raw.yara_rules)?,
            detail: raw.detail,
        })
    }
}

const SELECT: &str =
    "SELECT e.sha256, e.size, e.sensor, s.host, e.path, e.process, e.stored_at, e.outcome, e.yara_rules, e.detail
    FROM evidence e JOIN sensor s ON s.id = e.sensor";

/// Every way from evidence to an incident: a finding wished for it, or speaks of it.
const FINDINGS_OF_EVIDENCE: &str = "SELECT r.evidence AS sha256, w.finding FROM evidence_request r
    JOIN evidence_wish w ON w.request = r.request WHERE r.evidence IS NOT NULL
    UNION SELECT CAST(n.value AS TEXT), n.finding FROM finding_entity n WHERE n.kind = 'evidence'";

impl Store {
    /// One piece of evidence.
    pub(crate) async fn evidence(&self, id: EvidenceId) -> Result<Option<EvidenceRow>, ReadError> {
        let raw: Option<Raw> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE e.sha256 = ?")))
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(ReadError::sql(WHAT))?;
        raw.map(EvidenceRow::try_from).transpose()
    }

    /// All evidence, newest first; `after` is the last one of the page before.
    pub(crate) async fn evidence_page(
        &self,
        after: Option<EvidenceId>,
        limit: u32,
    ) -> Result<Vec<EvidenceRow>, ReadError> {
        let query = format!(
            "{SELECT} WHERE ?1 IS NULL OR (e.stored_at, e.sha256) < (SELECT stored_at, sha256 FROM evidence WHERE sha256 = ?1)
             ORDER BY e.stored_at DESC, e.sha256 DESC LIMIT ?2"
        );
        let rows: Vec<Raw> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(after.map(|id| id.to_string()))
            .bind(limit.min(PAGE_MAX))
            .fetch_all(&self.readers)
            .await
            .map_err(ReadError::sql(WHAT))?;
        rows.into_iter().map(EvidenceRow::try_from).collect()
    }

    /// The evidence taken for an incident, oldest first.
    pub(crate) async fn evidence_of_incident(&self, number: IncidentNumber) -> Result<Vec<EvidenceRow>, ReadError> {
        let query = format!(
            "{SELECT} WHERE e.sha256 IN (SELECT x.sha256 FROM ({FINDINGS_OF_EVIDENCE}) x
             JOIN incident_finding m ON m.finding = x.finding WHERE m.incident = ?) ORDER BY e.stored_at, e.sha256 LIMIT ?"
        );
        let rows: Vec<Raw> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(number.0)
            .bind(PAGE_MAX)
            .fetch_all(&self.readers)
            .await
            .map_err(ReadError::sql(WHAT))?;
        rows.into_iter().map(EvidenceRow::try_from).collect()
    }

    /// The incidents that evidence was taken for.
    pub(crate) async fn incidents_of_evidence(&self, id: EvidenceId) -> Result<Vec<IncidentNumber>, ReadError> {
        let query = format!(
            "SELECT DISTINCT m.incident FROM ({FINDINGS_OF_EVIDENCE}) x JOIN incident_finding m ON m.finding = x.finding
             WHERE x.sha256 = ? ORDER BY m.incident"
        );
        let numbers: Vec<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .bind(id.to_string())
            .fetch_all(&self.readers)
            .await
            .map_err(ReadError::sql(WHAT))?;
        Ok(numbers.into_iter().map(IncidentNumber).collect())
    }

    /// How many bytes of evidence are kept.
    pub(crate) async fn evidence_bytes(&self) -> Result<u64, ReadError> {
        let sum: i64 = sqlx::query_scalar("SELECT coalesce(sum(size), 0) FROM evidence")
            .fetch_one(&self.readers)
            .await
            .map_err(ReadError::sql(WHAT))?;
        unsigned(WHAT, sum)
    }
}

/// Stores what evidence is; what is there already stays as it was first found.
pub(crate) async fn put(write: &mut Write, new: &NewEvidence, at: Timestamp) -> Result<(), WriteError> {
    sqlx::query(
        "INSERT INTO evidence (sha256, size, sensor, path, process, stored_at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(new.id.to_string())
    .bind(signed(WHAT, new.size)?)
    .bind(new.sensor.to_string())
    .bind(new.path.as_slice())
    .bind(new.process.to_string())
    .bind(at.0)
    .execute(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))?;
    Ok(())
}

/// Stores what a scan came to.
pub(crate) async fn judge(
    write: &mut Write,
    id: EvidenceId,
    verdict: &NewVerdict,
    at: Timestamp,
) -> Result<(), WriteError> {
    let rules = serde_json::to_string(&verdict.yara_rules).expect("a list of strings is JSON");
    sqlx::query("UPDATE evidence SET outcome = ?, yara_rules = ?, detail = ?, scanned_at = ? WHERE sha256 = ?")
        .bind(verdict.outcome.as_str())
        .bind(rules)
        .bind(&verdict.detail)
        .bind(at.0)
        .bind(id.to_string())
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql(WHAT))?;
    Ok(())
}
