//! Incidents: findings that belong together, under a number that people can say.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    str::FromStr,
};

use bongsu_api::ScorePart;
use bongsu_detection::FindingId;
use bongsu_event::{SensorId, Severity, Timestamp};
use bstr::BString;
use sqlx::{FromRow, QueryBuilder, Sqlite};

use super::{ReadError, Store, Write, WriteError, from_json, parsed, severity, unsigned};

const WHAT: &str = "incidents";
/// The most one page of a list holds.
const PAGE_MAX: u32 = 200;

/// The number of an incident, counted from 1. Text form `BGS-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct IncidentNumber(pub(crate) i64);

impl fmt::Display for IncidentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BGS-{}", self.0)
    }
}

/// Text that names no incident.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not the id of an incident (BGS-1)")]
pub(crate) struct ParseNumberError(String);

impl FromStr for IncidentNumber {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("BGS-")
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| ParseNumberError(text.chars().take(40).collect()))
    }
}

/// Whether somebody still has to care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IncidentStatus {
    /// Yes.
    Open,
    /// No.
    Closed,
}

impl IncidentStatus {
    /// Its word in the API and the store.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Which incidents a list shows: those that meet every condition that is set, newest first.
#[derive(Debug, Clone)]
pub(crate) struct IncidentFilter {
    pub(crate) status: Option<IncidentStatus>,
    pub(crate) severity_min: Option<Severity>,
    /// Only those that touch a host that claims this name.
    pub(crate) host: Option<BString>,
    /// Only older than this one: the next page.
    pub(crate) before: Option<IncidentNumber>,
    pub(crate) limit: u32,
}

impl Default for IncidentFilter {
    fn default() -> Self {
        Self { status: None, severity_min: None, host: None, before: None, limit: 50 }
    }
}

/// An incident as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IncidentRow {
    pub(crate) number: IncidentNumber,
    pub(crate) title: String,
    pub(crate) severity: Severity,
    pub(crate) score: u32,
    pub(crate) score_parts: Vec<ScorePart>,
    pub(crate) status: IncidentStatus,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Grows with every change.
    pub(crate) revision: i64,
    pub(crate) finding_count: u64,
    /// ATT&CK technique ids, in order, each once.
    pub(crate) techniques: Vec<String>,
    /// The sensors it touches, with the names they claim.
    pub(crate) hosts: Vec<(SensorId, BString)>,
}

/// An incident as detection sees it now.
#[derive(Debug, Clone)]
pub(crate) struct NewIncident {
    pub(crate) number: IncidentNumber,
    pub(crate) title: String,
    pub(crate) severity: Severity,
    pub(crate) score: u32,
    pub(crate) score_parts: Vec<ScorePart>,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Findings that joined it, stored already.
    pub(crate) joined: Vec<FindingId>,
}

#[derive(FromRow)]
struct Raw {
    number: i64,
    title: String,
    severity: i64,
    score: i64,
    score_parts: String,
    status: String,
    first_seen: i64,
    last_seen: i64,
    created_at: i64,
    updated_at: i64,
    revision: i64,
}

/// What the findings of an incident say together.
#[derive(Default)]
struct Summary {
    findings: u64,
    techniques: BTreeSet<String>,
    hosts: Vec<(SensorId, BString)>,
}

impl Raw {
    fn row(self, summary: Summary) -> Result<IncidentRow, ReadError> {
        let damaged = |detail: &str| ReadError::damaged("incident", &format!("BGS-{}: {detail}", self.number));
        Ok(IncidentRow {
            number: IncidentNumber(self.number),
            severity: severity("incident", self.severity)?,
            score: u32::try_from(self.score).map_err(|_negative| damaged("score"))?,
            score_parts: from_json("incident", &self.score_parts)?,
            status: match self.status.as_str() {
                "open" => IncidentStatus::Open,
                "closed" => IncidentStatus::Closed,
                _ => return Err(damaged("status")),
            },
            title: self.title,
            first: Timestamp(self.first_seen),
            last: Timestamp(self.last_seen),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
            revision: self.revision,
            finding_count: summary.findings,
            techniques: summary.techniques.into_iter().collect(),
            hosts: summary.hosts,
        })
    }
}

impl Store {
    /// The incidents that the filter lets through, newest first.
    pub(crate) async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<IncidentRow>, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM incident WHERE merged_into IS NULL");
        if let Some(status) = filter.status {
            query.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(severity) = filter.severity_min {
            query.push(" AND severity >= ").push_bind(i64::from(severity.fires()));
        }
        if let Some(before) = filter.before {
            query.push(" AND number < ").push_bind(before.0);
        }
        if let Some(host) = &filter.host {
            query.push(
                " AND number IN (SELECT m.incident FROM sensor s JOIN finding f ON f.sensor = s.id
                 JOIN incident_finding m ON m.finding = f.id WHERE s.host = ",
            );
            query.push_bind(host.to_vec()).push(")");
        }
        query.push(" ORDER BY number DESC LIMIT ").push_bind(filter.limit.min(PAGE_MAX));
        let rows: Vec<Raw> = query.build_query_as().fetch_all(&self.readers).await.map_err(ReadError::sql(WHAT))?;
        let numbers: Vec<i64> = rows.iter().map(|raw| raw.number).collect();
        let mut summaries = self.summaries(&numbers).await?;
        rows.into_iter()
            .map(|raw| {
                let summary = summaries.remove(&raw.number).unwrap_or_default();
                raw.row(summary)
            })
            .collect()
    }

    /// One incident. Asked for one that turned out to be another, it gives the other, under its own number.
    pub(crate) async fn incident(&self, number: IncidentNumber) -> Result<Option<IncidentRow>, ReadError> {
        let raw: Option<Raw> = sqlx::query_as(
            "SELECT * FROM incident WHERE number = coalesce((SELECT merged_into FROM incident WHERE number = ?1), ?1)",
        )
        .bind(number.0)
        .fetch_optional(&self.readers)
        .await
        .map_err(ReadError::sql(WHAT))?;
        let Some(raw) = raw else { return Ok(None) };
        let summary = self.summaries(&[raw.number]).await?.remove(&raw.number).unwrap_or_default();
        raw.row(summary).map(Some)
    }

    async fn summaries(&self, numbers: &[i64]) -> Result<HashMap<i64, Summary>, ReadError> {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT m.incident, f.repeats, f.techniques, f.sensor, s.host FROM incident_finding m
             JOIN finding f ON f.id = m.finding JOIN sensor s ON s.id = f.sensor WHERE m.incident IN (",
        );
        let mut list = query.separated(", ");
        for number in numbers {
            list.push_bind(*number);
        }
        query.push(") ORDER BY f.first_seen, f.id");
        let rows: Vec<(i64, i64, String, String, Vec<u8>)> =
            query.build_query_as().persistent(false).fetch_all(&self.readers).await.map_err(ReadError::sql(WHAT))?;
        let mut summaries: HashMap<i64, Summary> = HashMap::new();
        for (number, repeats, techniques, sensor, host) in rows {
            let summary = summaries.entry(number).or_default();
            summary.findings += 1 + unsigned("finding", repeats)?;
            summary.techniques.extend(from_json::<Vec<String>>("finding", &techniques)?);
            let sensor: SensorId = parsed("finding", &sensor)?;
            if !summary.hosts.iter().any(|(known, _)| *known == sensor) {
                summary.hosts.push((sensor, host.into()));
            }
        }
        Ok(summaries)
    }
}

/// The number that the next new incident gets.
pub(crate) async fn next_number(write: &mut Write) -> Result<IncidentNumber, WriteError> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(number) FROM incident")
        .fetch_one(&mut **write)
        .await
        .map_err(WriteError::sql(WHAT))?;
    Ok(IncidentNumber(last.unwrap_or_default() + 1))
}

/// Gives all findings of one incident to another, and its number with them. The other may be stored later in the same transaction.
pub(crate) async fn merge(
    write: &mut Write,
    gone: IncidentNumber,
    into: IncidentNumber,
    at: Timestamp,
) -> Result<(), WriteError> {
    sqlx::query("PRAGMA defer_foreign_keys = ON").execute(&mut **write).await.map_err(WriteError::sql(WHAT))?;
    sqlx::query("UPDATE incident_finding SET incident = ? WHERE incident = ?")
        .bind(into.0)
        .bind(gone.0)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql(WHAT))?;
    sqlx::query(
        "UPDATE incident SET merged_into = ?1, status = 'closed', updated_at = ?3, revision = revision + 1
         WHERE number = ?2 OR merged_into = ?2",
    )
    .bind(into.0)
    .bind(gone.0)
    .bind(at.0)
    .execute(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))?;
    Ok(())
}

/// Stores an incident as it is now, with who joined it, and tells those who wait for changes, in the caller's transaction.
pub(crate) async fn put(write: &mut Write, incident: &NewIncident, at: Timestamp) -> Result<(), WriteError> {
    let number = incident.number.0;
    let parts = serde_json::to_string(&incident.score_parts).expect("words and numbers are JSON");
    let revision: i64 = sqlx::query_scalar(
        "INSERT INTO incident (number, title, severity, score, score_parts, status, first_seen, last_seen, created_at,
         updated_at, revision) VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6, ?7, ?8, ?8, 1)
         ON CONFLICT DO UPDATE SET title = ?2, severity = ?3, score = ?4, score_parts = ?5, first_seen = ?6, last_seen = ?7,
         updated_at = ?8, revision = revision + 1
         RETURNING revision",
    )
    .bind(number)
    .bind(&incident.title)
    .bind(i64::from(incident.severity.fires()))
    .bind(i64::from(incident.score.min(100)))
    .bind(parts)
    .bind(incident.first.0)
    .bind(incident.last.0)
    .bind(at.0)
    .fetch_one(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))?;
    for finding in &incident.joined {
        sqlx::query(
            "INSERT INTO incident_finding (finding, incident) VALUES (?, ?)
             ON CONFLICT DO UPDATE SET incident = excluded.incident",
        )
        .bind(finding.to_string())
        .bind(number)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql(WHAT))?;
    }
    sqlx::query("INSERT INTO outbox (incident, revision, at) VALUES (?, ?, ?)")
        .bind(number)
        .bind(revision)
        .bind(at.0)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql("the outbox"))?;
    Ok(())
}
