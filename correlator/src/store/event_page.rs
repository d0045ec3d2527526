//! Events as a list that is paged through backwards, from what came last.

use std::collections::HashMap;

use bongsu_event::{StoredEvent, Timestamp};
use bstr::BString;
use sqlx::{QueryBuilder, Sqlite};

use super::{
    Position, ReadError, Store,
    event::{self, IN_LIST_MAX},
};

/// So many places are looked at for one page: a filter that lets little through must not read the whole database for one answer.
const LOOKED_AT_MAX: i64 = 200_000;

/// Which events a list shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventFilter {
    /// The name the host claims.
    pub(crate) host: Option<BString>,
    /// The catalogue's word.
    pub(crate) action: Option<String>,
    /// This time and later ones.
    pub(crate) since: Option<Timestamp>,
    /// This time and earlier ones.
    pub(crate) until: Option<Timestamp>,
}

/// A part of the list.
#[derive(Debug)]
pub(crate) struct EventPage {
    /// Latest first.
    pub(crate) events: Vec<(Position, StoredEvent)>,
    /// From here on nothing was looked at; `None` at the end of the list.
    pub(crate) next: Option<Position>,
}

impl Store {
    /// At most `limit` events before that place in the order of commit (from the end, without one), latest first.
    pub(crate) async fn events_before(
        &self,
        filter: &EventFilter,
        before: Option<Position>,
        limit: u32,
    ) -> Result<EventPage, ReadError> {
        let end = match before {
            Some(Position(place)) => place,
            None => self.end_of_events().await?.saturating_add(1),
        };
        let start = end.saturating_sub(LOOKED_AT_MAX);
        let names = self.names().await?;
        let mut query = QueryBuilder::<Sqlite>::new(event::COLUMNS);
        query.push("WHERE position < ").push_bind(end).push(" AND position >= ").push_bind(start);
        if let Some(host) = &filter.host {
            query.push(" AND sensor IN (");
            let mut list = query.separated(", ");
            for no in names.of_host(host) {
                list.push_bind(no);
            }
            query.push(")");
        }
        if let Some(action) = &filter.action {
            query.push(" AND action = ").push_bind(action);
        }
        if let Some(since) = filter.since {
            query.push(" AND time >= ").push_bind(since.0);
        }
        if let Some(until) = filter.until {
            query.push(" AND time <= ").push_bind(until.0);
        }
        query.push(" ORDER BY position DESC LIMIT ").push_bind(limit);
        let rows: Vec<event::Raw> = query
            .build_query_as()
            .persistent(false)
            .fetch_all(&self.readers)
            .await
            .map_err(ReadError::sql("events"))?;
        let full = rows.last().filter(|_| rows.len() == limit as usize).map(|row| row.position);
        // Places are numbered from 1.
        let next = full.or((start > 1).then_some(start)).map(Position);
        let events = rows.iter().map(|raw| Ok((Position(raw.position), names.typed(raw)?)));
        Ok(EventPage { events: events.collect::<Result<_, ReadError>>()?, next })
    }

    async fn end_of_events(&self) -> Result<i64, ReadError> {
        let end: Option<i64> = sqlx::query_scalar("SELECT max(position) FROM event")
            .fetch_one(&self.readers)
            .await
            .map_err(ReadError::sql("events"))?;
        Ok(end.unwrap_or(0))
    }

    /// The findings that speak of the events at those places; none has no entry.
    pub(crate) async fn findings_about(
        &self,
        places: &[Position],
    ) -> Result<HashMap<Position, Vec<String>>, ReadError> {
        let mut findings: HashMap<Position, Vec<String>> = HashMap::new();
        for places in places.chunks(IN_LIST_MAX) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "SELECT DISTINCT e.position, f.finding FROM event e
                 JOIN finding_event f ON f.sensor = e.sensor AND f.epoch = e.epoch AND f.seq = e.seq
                 WHERE e.position IN (",
            );
            let mut list = query.separated(", ");
            for Position(place) in places {
                list.push_bind(place);
            }
            query.push(") ORDER BY f.finding");
            let rows: Vec<(i64, String)> = query
                .build_query_as()
                .persistent(false)
                .fetch_all(&self.readers)
                .await
                .map_err(ReadError::sql("the findings about events"))?;
            for (place, finding) in rows {
                findings.entry(Position(place)).or_default().push(finding);
            }
        }
        Ok(findings)
    }
}
