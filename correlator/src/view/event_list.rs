//! Events as a list for people who look for something.

use bongsu_api::{Page, TimelineEntry};

use super::timeline;
use crate::store::{EventFilter, Position, ReadError, Store};

/// Read from the store at once while looking for a text.
const PIECE: u32 = 1_000;
/// So many events are read for one part of a list; the next part goes on from there.
const READ_MAX: usize = 20_000;

/// What is looked for.
pub(crate) struct EventSearch {
    pub(crate) filter: EventFilter,
    /// In any field's value; upper and lower case are one.
    pub(crate) contains: Option<String>,
    pub(crate) before: Option<Position>,
    pub(crate) limit: u32,
}

/// The part of the list that follows `search.before`, latest first. It may hold fewer than the limit, or none, and still have a next.
pub(crate) async fn events(store: &Store, search: &EventSearch) -> Result<Page<TimelineEntry>, ReadError> {
    let (places, mut page) = found(store, search).await?;
    let mut findings = store.findings_about(&places).await?;
    for (place, entry) in places.iter().zip(&mut page.items) {
        entry.finding_ids = findings.remove(place).unwrap_or_default();
    }
    Ok(page)
}

/// The same without findings, and each event's place.
async fn found(store: &Store, search: &EventSearch) -> Result<(Vec<Position>, Page<TimelineEntry>), ReadError> {
    let needle = search.contains.as_ref().map(|text| text.to_lowercase());
    let (mut places, mut page) = (Vec::new(), Page { items: Vec::new(), next: None });
    let (mut before, mut read) = (search.before, 0);
    loop {
        let room = search.limit - u32::try_from(page.items.len()).unwrap_or(search.limit);
        let piece = if needle.is_some() { PIECE } else { room };
        let found = store.events_before(&search.filter, before, piece).await?;
        read += found.events.len();
        for (place, event) in &found.events {
            let entry = timeline::entry(event, Vec::new());
            if needle.as_ref().is_some_and(|needle| !has(&entry, needle)) {
                continue;
            }
            places.push(*place);
            page.items.push(entry);
            if page.items.len() == search.limit as usize {
                page.next = Some(place.0.to_string());
                return Ok((places, page));
            }
        }
        before = found.next;
        let looked_far = needle.is_none() || read >= READ_MAX || found.events.is_empty();
        if before.is_none() || looked_far {
            page.next = before.map(|Position(place)| place.to_string());
            return Ok((places, page));
        }
    }
}

fn has(entry: &TimelineEntry, needle: &str) -> bool {
    let mut texts = entry.fields.values().chain([&entry.text]);
    texts.any(|text| text.to_lowercase().contains(needle))
}
