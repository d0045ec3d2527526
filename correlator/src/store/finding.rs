//! Findings, with the events they speak of and the entities they involve.

mod repeat;

use std::collections::{BTreeSet, HashMap};

use bongsu_detection::{Entity, EvidenceWish, Finding, FindingId};
use bongsu_event::{EventId, SensorId, Timestamp};
use bstr::{BString, ByteSlice};
use sqlx::{FromRow, SqliteConnection};

pub(crate) use repeat::Repeats;

use super::{IncidentNumber, ReadError, Store, Write, WriteError, from_json, parsed, severity, signed, unsigned};

const WHAT: &str = "findings";

/// A finding that is kept whole, with those of its rule that are only counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptFinding {
    pub(crate) finding: Finding,
    /// How many more findings of its rule said nothing else.
    pub(crate) repeats: u64,
    /// Time of the last event of those.
    pub(crate) repeated_until: Option<Timestamp>,
}

impl KeptFinding {
    /// Time of the last event, of those that are only counted as well.
    pub(crate) fn last(&self) -> Timestamp {
        self.repeated_until.map_or(self.finding.last, |until| until.max(self.finding.last))
    }
}

#[derive(FromRow)]
struct Raw {
    id: String,
    rule: String,
    title: String,
    detector: String,
    severity: i64,
    confidence: i64,
    techniques: String,
    sensor: String,
    first_seen: i64,
    last_seen: i64,
    reasons: String,
    wish_process: Option<String>,
    wish_path: Option<Vec<u8>>,
    repeats: i64,
    repeated_until: Option<i64>,
}

impl Raw {
    fn kept(self, events: Vec<EventId>, entities: BTreeSet<Entity>) -> Result<KeptFinding, ReadError> {
        let (repeats, until) = (unsigned("finding", self.repeats)?, self.repeated_until);
        Ok(KeptFinding { finding: self.finding(events, entities)?, repeats, repeated_until: until.map(Timestamp) })
    }

    fn finding(self, events: Vec<EventId>, entities: BTreeSet<Entity>) -> Result<Finding, ReadError> {
        let wants_evidence = match (self.wish_process, self.wish_path) {
            (Some(process), Some(path)) => {
                Some(EvidenceWish { process: parsed("finding", &process)?, path: path.into() })
            }
            _ => None,
        };
        Ok(Finding {
            id: finding_id(&self.id)?,
            rule: self.rule,
            title: self.title,
            detector: parsed("finding", &self.detector)?,
            severity: severity("finding", self.severity)?,
            confidence: u8::try_from(self.confidence).map_err(|error| ReadError::damaged("finding", &error))?,
            techniques: from_json("finding", &self.techniques)?,
            sensor: parsed("finding", &self.sensor)?,
            first: Timestamp(self.first_seen),
            last: Timestamp(self.last_seen),
            events,
            entities,
            reasons: from_json("finding", &self.reasons)?,
            wants_evidence,
        })
    }
}

pub(super) fn finding_id(text: &str) -> Result<FindingId, ReadError> {
    let damaged = || ReadError::damaged("finding", &format!("{text:?} is no finding id"));
    let number = u128::from_str_radix(text, 16).map_err(|_not_hexadecimal| damaged())?;
    (text.len() == 32).then_some(FindingId(number.to_be_bytes())).ok_or_else(damaged)
}

/// An entity's kind and value, as two columns.
fn columns(entity: &Entity) -> (&'static str, Vec<u8>) {
    match entity {
        Entity::Process(key) => ("process", key.to_string().into_bytes()),
        Entity::Ancestor(key) => ("ancestor", key.to_string().into_bytes()),
        Entity::User(name) => ("user", name.to_vec()),
        Entity::Address(address) => ("address", address.to_string().into_bytes()),
        Entity::File(path) => ("file", path.to_vec()),
        Entity::Evidence(id) => ("evidence", id.to_string().into_bytes()),
    }
}

fn entity(kind: &str, value: Vec<u8>) -> Result<Entity, ReadError> {
    let text = || value.to_str().map_err(|error| ReadError::damaged("entity", &error));
    Ok(match kind {
        "process" => Entity::Process(parsed("entity", text()?)?),
        "ancestor" => Entity::Ancestor(parsed("entity", text()?)?),
        "user" => Entity::User(BString::from(value)),
        "address" => Entity::Address(parsed("entity", text()?)?),
        "file" => Entity::File(BString::from(value)),
        "evidence" => Entity::Evidence(parsed("entity", text()?)?),
        _ => return Err(ReadError::damaged("entity", &format!("kind {kind:?}"))),
    })
}

impl Store {
    /// The findings of an incident, in order of time.
    pub(crate) async fn findings_of(&self, incident: IncidentNumber) -> Result<Vec<KeptFinding>, ReadError> {
        let mut connection = self.readers.acquire().await.map_err(ReadError::sql(WHAT))?;
        // One transaction: the queries must see the same findings.
        let mut read = sqlx::Connection::begin(&mut *connection).await.map_err(ReadError::sql(WHAT))?;
        of_incident(&mut read, incident).await
    }

    /// The findings stored since then, in order of arrival, with their incidents.
    pub(crate) async fn findings_since(
        &self,
        time: Timestamp,
    ) -> Result<Vec<(Finding, Option<IncidentNumber>)>, ReadError> {
        let ids: Vec<(String, Option<i64>)> = sqlx::query_as(
            "SELECT f.id, m.incident FROM finding f LEFT JOIN incident_finding m ON m.finding = f.id
             WHERE f.stored_at >= ? ORDER BY f.stored_at, f.last_seen, f.id",
        )
        .bind(time.0)
        .fetch_all(&self.readers)
        .await
        .map_err(ReadError::sql(WHAT))?;
        let mut findings = Vec::with_capacity(ids.len());
        for (id, incident) in ids {
            if let Some(finding) = self.finding(finding_id(&id)?).await? {
                findings.push((finding, incident.map(IncidentNumber)));
            }
        }
        Ok(findings)
    }

    /// One finding.
    pub(crate) async fn finding(&self, id: FindingId) -> Result<Option<Finding>, ReadError> {
        let mut connection = self.readers.acquire().await.map_err(ReadError::sql(WHAT))?;
        Ok(one(&mut connection, id).await?.map(|kept| kept.finding))
    }
}

/// The findings of an incident, in order of time, as this connection sees them.
pub(crate) async fn of_incident(
    connection: &mut SqliteConnection,
    incident: IncidentNumber,
) -> Result<Vec<KeptFinding>, ReadError> {
    let number: i64 = sqlx::query_scalar("SELECT coalesce((SELECT merged_into FROM incident WHERE number = ?1), ?1)")
        .bind(incident.0)
        .fetch_one(&mut *connection)
        .await
        .map_err(ReadError::sql(WHAT))?;
    let rows: Vec<Raw> = sqlx::query_as(
        "SELECT f.* FROM incident_finding m JOIN finding f ON f.id = m.finding
         WHERE m.incident = ? ORDER BY f.first_seen, f.id",
    )
    .bind(number)
    .fetch_all(&mut *connection)
    .await
    .map_err(ReadError::sql(WHAT))?;
    let which = Which::Incident(number);
    let mut events = events_of(&mut *connection, &which).await?;
    let mut entities = entities_of(&mut *connection, &which).await?;
    rows.into_iter()
        .map(|raw| {
            let (events, entities) = (events.remove(&raw.id), entities.remove(&raw.id));
            raw.kept(events.unwrap_or_default(), entities.unwrap_or_default())
        })
        .collect()
}

/// Findings by their ids.
pub(crate) async fn by_ids(write: &mut Write, ids: &[FindingId]) -> Result<Vec<KeptFinding>, ReadError> {
    let mut findings = Vec::with_capacity(ids.len());
    for id in ids {
        findings.extend(one(&mut *write, *id).await?);
    }
    Ok(findings)
}

async fn one(connection: &mut SqliteConnection, id: FindingId) -> Result<Option<KeptFinding>, ReadError> {
    let raw: Option<Raw> = sqlx::query_as("SELECT * FROM finding WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(&mut *connection)
        .await
        .map_err(ReadError::sql(WHAT))?;
    let Some(raw) = raw else { return Ok(None) };
    let mut events = events_of(&mut *connection, &Which::Finding(&raw.id)).await?;
    let mut entities = entities_of(&mut *connection, &Which::Finding(&raw.id)).await?;
    let (events, entities) = (events.remove(&raw.id), entities.remove(&raw.id));
    raw.kept(events.unwrap_or_default(), entities.unwrap_or_default()).map(Some)
}

/// Whose events and entities are wanted.
enum Which<'a> {
    Incident(i64),
    Finding(&'a str),
}

async fn events_of(
    connection: &mut SqliteConnection,
    which: &Which<'_>,
) -> Result<HashMap<String, Vec<EventId>>, ReadError> {
    let query = match which {
        Which::Incident(number) => sqlx::query_as(
            "SELECT e.finding, s.id, e.epoch, e.seq FROM incident_finding m JOIN finding_event e ON e.finding = m.finding
             JOIN sensor s ON s.no = e.sensor WHERE m.incident = ? ORDER BY e.finding, e.ordinal",
        )
        .bind(*number),
        Which::Finding(id) => sqlx::query_as(
            "SELECT e.finding, s.id, e.epoch, e.seq FROM finding_event e JOIN sensor s ON s.no = e.sensor
             WHERE e.finding = ? ORDER BY e.ordinal",
        )
        .bind((*id).to_owned()),
    };
    let rows: Vec<(String, String, i64, i64)> = query.fetch_all(connection).await.map_err(ReadError::sql(WHAT))?;
    let mut events: HashMap<String, Vec<EventId>> = HashMap::new();
    for (finding, sensor, epoch, seq) in rows {
        let sensor: SensorId = parsed("finding", &sensor)?;
        let id = EventId { sensor, epoch: unsigned("finding", epoch)?, seq: unsigned("finding", seq)? };
        events.entry(finding).or_default().push(id);
    }
    Ok(events)
}

async fn entities_of(
    connection: &mut SqliteConnection,
    which: &Which<'_>,
) -> Result<HashMap<String, BTreeSet<Entity>>, ReadError> {
    let query = match which {
        Which::Incident(number) => sqlx::query_as(
            "SELECT e.finding, e.kind, e.value FROM incident_finding m JOIN finding_entity e ON e.finding = m.finding
             WHERE m.incident = ?",
        )
        .bind(*number),
        Which::Finding(id) => {
            sqlx::query_as("SELECT finding, kind, value FROM finding_entity WHERE finding = ?").bind((*id).to_owned())
        }
    };
    let rows: Vec<(String, String, Vec<u8>)> = query.fetch_all(connection).await.map_err(ReadError::sql(WHAT))?;
    let mut entities: HashMap<String, BTreeSet<Entity>> = HashMap::new();
    for (finding, kind, value) in rows {
        entities.entry(finding).or_default().insert(entity(&kind, value)?);
    }
    Ok(entities)
}

/// Whether a finding is stored, whole or counted.
pub(crate) async fn is_stored(write: &mut Write, id: FindingId) -> Result<bool, WriteError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM finding WHERE id = ?1) OR EXISTS (SELECT 1 FROM finding_repeat WHERE id = ?1)",
    )
    .bind(id.to_string())
    .fetch_one(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))
}

/// Stores a finding that is not stored yet.
pub(crate) async fn insert(write: &mut Write, finding: &Finding, at: Timestamp) -> Result<(), WriteError> {
    let json = |words: &[String]| serde_json::to_string(words).expect("a list of strings is JSON");
    let id = finding.id.to_string();
    let wish = finding.wants_evidence.as_ref();
    sqlx::query(
        "INSERT INTO finding (id, rule, title, detector, severity, confidence, techniques, sensor, first_seen, last_seen,
         reasons, wish_process, wish_path, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&id)
    .bind(&finding.rule)
    .bind(&finding.title)
    .bind(finding.detector.as_str())
    .bind(i64::from(finding.severity.fires()))
    .bind(i64::from(finding.confidence.min(100)))
    .bind(json(&finding.techniques))
    .bind(finding.sensor.to_string())
    .bind(finding.first.0)
    .bind(finding.last.0)
    .bind(json(&finding.reasons))
    .bind(wish.map(|wish| wish.process.to_string()))
    .bind(wish.map(|wish| wish.path.to_vec()))
    .bind(at.0)
    .execute(&mut **write)
    .await
    .map_err(WriteError::sql(WHAT))?;
    for (ordinal, event) in (0_i64..).zip(&finding.events) {
        sqlx::query(
            "INSERT INTO finding_event (finding, ordinal, sensor, epoch, seq)
             VALUES (?, ?, (SELECT no FROM sensor WHERE id = ?), ?, ?)",
        )
        .bind(&id)
        .bind(ordinal)
        .bind(event.sensor.to_string())
        .bind(signed(WHAT, event.epoch)?)
        .bind(signed(WHAT, event.seq)?)
        .execute(&mut **write)
        .await
        .map_err(WriteError::sql(WHAT))?;
    }
    for entity in &finding.entities {
        let (kind, value) = columns(entity);
        sqlx::query("INSERT INTO finding_entity (finding, kind, value) VALUES (?, ?, ?)")
            .bind(&id)
            .bind(kind)
            .bind(value)
            .execute(&mut **write)
            .await
            .map_err(WriteError::sql(WHAT))?;
    }
    Ok(())
}
