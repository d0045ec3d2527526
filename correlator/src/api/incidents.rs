//! Incidents.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use bongsu_api::{Incident, IncidentQuery, IncidentSummary, Page};
use bongsu_event::Severity;

use super::{Desk, Refusal};
use crate::{
    store::{IncidentFilter, IncidentNumber, IncidentStatus},
    view,
};

const PAGE: u32 = 50;
const PAGE_MAX: u32 = 200;

pub(super) async fn list(
    State(desk): State<Desk>,
    query: Result<Query<IncidentQuery>, QueryRejection>,
) -> Result<Json<Page<IncidentSummary>>, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::malformed(&rejection.body_text()))?;
    page(&desk, &query).await.map(Json)
}

pub(super) async fn one(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<Incident>, Refusal> {
    whole(&desk, &id).await.map(Json)
}

/// The incidents that a query asks for.
pub(crate) async fn page(desk: &Desk, query: &IncidentQuery) -> Result<Page<IncidentSummary>, Refusal> {
    let filter = filter(query)?;
    let rows = desk.store.incidents(&filter).await?;
    let full = rows.len() == filter.limit as usize;
    let next = rows.last().filter(|_| full).map(|row| row.number.to_string());
    Ok(Page { items: rows.iter().map(view::summary).collect(), next })
}

/// The incident of that id.
pub(crate) async fn whole(desk: &Desk, id: &str) -> Result<Incident, Refusal> {
    let absent = || Refusal::not_found("incident", id);
    let number: IncidentNumber = id.parse().ok().ok_or_else(absent)?;
    view::incident(&desk.store, number, &*desk.presence).await?.ok_or_else(absent)
}

/// A query as the store takes it.
fn filter(query: &IncidentQuery) -> Result<IncidentFilter, Refusal> {
    let status = match query.status.as_deref() {
        None => None,
        Some("open") => Some(IncidentStatus::Open),
        Some("closed") => Some(IncidentStatus::Closed),
        Some(other) => return Err(Refusal::malformed(&format!("status {other:?} is neither open nor closed"))),
    };
    let severity = query.severity.as_deref().map(str::parse::<Severity>).transpose();
    let before = query.after.as_deref().map(str::parse::<IncidentNumber>).transpose();
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refusal::malformed(&format!("limit {limit} is not within 1 to {PAGE_MAX}")));
    }
    Ok(IncidentFilter {
        status,
        severity_min: severity.map_err(|error| Refusal::malformed(&error))?,
        host: query.host.as_ref().map(|host| host.as_str().into()),
        before: before.map_err(|error| Refusal::malformed(&error))?,
        limit,
    })
}
