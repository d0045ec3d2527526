//! Events.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use bongsu_api::{EventQuery, Page, TimelineEntry};
use bongsu_event::{Timestamp, catalogue::Action};

use super::{Desk, Refusal};
use crate::{
    store::{EventFilter, Position},
    view::{self, EventSearch},
};

const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1_000;

pub(super) async fn list(
    State(desk): State<Desk>,
    query: Result<Query<EventQuery>, QueryRejection>,
) -> Result<Json<Page<TimelineEntry>>, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::malformed(&rejection.body_text()))?;
    Ok(Json(view::events(&desk.store, &search(query)?).await?))
}

/// A query as the store takes it.
fn search(query: EventQuery) -> Result<EventSearch, Refusal> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refusal::malformed(&format!("limit {limit} is not within 1 to {PAGE_MAX}")));
    }
    if let Some(word) = query.action.as_deref().filter(|word| Action::by_word(word).is_none()) {
        let known: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        return Err(Refusal::malformed(&format!("no event is called {word:?}; there are {}", known.join(", "))));
    }
    let place = |place: String| match place.parse() {
        Ok(place) => Ok(Position(place)),
        Err(_) => Err(Refusal::malformed(&format!("after: {place:?} is no place in this list"))),
    };
    Ok(EventSearch {
        filter: EventFilter {
            host: query.host.map(Into::into),
            action: query.action,
            since: query.since.map(|text| time("since", &text)).transpose()?,
            until: query.until.map(|text| time("until", &text)).transpose()?,
        },
        contains: query.contains,
        before: query.after.map(place).transpose()?,
        limit,
    })
}

fn time(what: &str, text: &str) -> Result<Timestamp, Refusal> {
    let time: jiff::Timestamp =
        text.parse().map_err(|error| Refusal::malformed(&format!("{what}: {text:?} is no RFC 3339 time: {error}")))?;
    // Outside of what nanoseconds in 64 bits can say nothing happened.
    let clamped = time.as_nanosecond().clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    Ok(Timestamp(i64::try_from(clamped).expect("clamped to it")))
}
