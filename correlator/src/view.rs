//! The one place that turns what the store holds into the types of the REST API.
//!
//! Owns the words: the sentence of an event, the names of techniques, blind spots. All but the loading is pure: rows in, API types
//! out. Every text that came from a host is escaped here, once, so that the API, the pages, the notifications and the terminal show
//! the same. Bounded: host strings are cut, trees have a depth, a timeline has a length.

mod blind_spot;
mod event_list;
mod evidence;
mod finding;
mod incident;
mod process_tree;
mod sensor;
mod sentence;
mod technique;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;

use bongsu_api::{Anomaly, Evidence, Incident, Sensor};
use bongsu_event::SensorId;

pub(crate) use blind_spot::blind_spots;
pub(crate) use event_list::{EventSearch, events};
pub(crate) use incident::summary;
pub(crate) use sensor::Presence;

use crate::store::{IncidentNumber, IncidentRow, ReadError, SensorRow, Store, evidence::EvidenceRow};

/// The incident of that number, whole; `None` when there is none. `presence` tells which sensors have a session now.
pub(crate) async fn incident(
    store: &Store,
    number: IncidentNumber,
    presence: impl Fn(SensorId) -> Presence,
) -> Result<Option<Incident>, ReadError> {
    let Some(row) = store.incident(number).await? else { return Ok(None) };
    let findings = store.findings_of(number).await?;
    let chosen = incident::chosen_events(&findings);
    let events = store.events(&chosen).await?;
    let mut sensors = Vec::with_capacity(row.hosts.len());
    for (id, _) in &row.hosts {
        if let Some(known) = store.sensor(*id).await? {
            sensors.push(with_ledgers(store, &known, presence(*id)).await?);
        }
    }
    let advice = store.advice(number).await?.map(|(_, advice)| advice);
    let anomaly = worst_anomaly(store, &row).await?;
    let mut evidence = Vec::new();
    for row in store.evidence_of_incident(number).await? {
        evidence.push(self::evidence(store, &row).await?);
    }
    let parts = incident::Parts { row, findings, events, sensors, advice, evidence, anomaly };
    let mut incident = incident::compose(parts);
    let unmet = store.unmet_requests_of(number).await?;
    incident.blind_spots.extend(unmet.iter().map(evidence::unmet));
    let refused = store.refused_wishes_of(number).await?;
    incident.blind_spots.extend(refused.iter().map(|(path, why, count)| evidence::refused(path, why, *count)));
    Ok(Some(incident))
}

/// Evidence with the incidents it was taken for and its custody log.
pub(crate) async fn evidence(store: &Store, row: &EvidenceRow) -> Result<Evidence, ReadError> {
    let incidents = store.incidents_of_evidence(row.id).await?;
    Ok(evidence::shown(row, &incidents, &store.custody(row.id).await?))
}

/// All sensors with their ledgers, newest first.
pub(crate) async fn sensors(store: &Store, presence: impl Fn(SensorId) -> Presence) -> Result<Vec<Sensor>, ReadError> {
    let mut sensors = Vec::new();
    for row in store.sensors().await? {
        sensors.push(with_ledgers(store, &row, presence(row.id)).await?);
    }
    Ok(sensors)
}

async fn with_ledgers(store: &Store, row: &SensorRow, presence: Presence) -> Result<Sensor, ReadError> {
    Ok(sensor::sensor(row, presence, &store.ledgers(row.id).await?))
}

/// The most unusual window that any of the incident's hosts had in its time.
async fn worst_anomaly(store: &Store, row: &IncidentRow) -> Result<Option<Anomaly>, ReadError> {
    let mut worst: Option<Anomaly> = None;
    for (sensor, _) in &row.hosts {
        if let Some(found) = store.worst_anomaly(*sensor, row.first, row.last).await?
            && worst.as_ref().is_none_or(|worst| worst.score < found.score)
        {
            let reasons = found.reasons.iter().map(|reason| finding::text(reason)).collect();
            worst = Some(Anomaly { score: found.score, reasons });
        }
    }
    Ok(worst)
}
