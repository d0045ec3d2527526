//! A sentence cannot be made without an event of the incident's timeline: the types here see to it.

use bongsu_api::{Claim, TimelineEntry};

/// How many event ids a sentence carries at most: the first and the last of a long row say enough, the timeline shows the rest.
pub(crate) const EVENTS_PER_SENTENCE_MAX: usize = 50;

/// One or more events of a timeline, in order of time.
#[derive(Debug, Clone)]
pub(crate) struct Cited<'a> {
    first: &'a TimelineEntry,
    rest: Vec<&'a TimelineEntry>,
}

impl<'a> Cited<'a> {
    /// Begins with one event.
    pub(crate) fn new(first: &'a TimelineEntry) -> Self {
        Self { first, rest: Vec::new() }
    }

    /// All of them, when there is at least one.
    pub(crate) fn all(entries: impl IntoIterator<Item = &'a TimelineEntry>) -> Option<Self> {
        let mut entries = entries.into_iter();
        Some(Self { first: entries.next()?, rest: entries.collect() })
    }

    /// Adds a later one.
    pub(crate) fn push(&mut self, entry: &'a TimelineEntry) {
        self.rest.push(entry);
    }

    /// The earliest.
    pub(crate) fn first(&self) -> &'a TimelineEntry {
        self.first
    }

    /// The latest.
    pub(crate) fn last(&self) -> &'a TimelineEntry {
        self.rest.last().copied().unwrap_or(self.first)
    }

    /// How many; never zero.
    pub(crate) fn count(&self) -> usize {
        1 + self.rest.len()
    }

    /// Each, earliest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a TimelineEntry> {
        std::iter::once(self.first).chain(self.rest.iter().copied())
    }

    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.iter().map(|entry| entry.event_id.clone()).collect();
        if ids.len() > EVENTS_PER_SENTENCE_MAX {
            let half = EVENTS_PER_SENTENCE_MAX / 2;
            ids.drain(half..ids.len() - half);
        }
        ids
    }
}

/// A sentence of a story together with the events it rests on. There is no way to make one without an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sentence {
    text: String,
    event_ids: Vec<String>,
}

impl Sentence {
    /// Says something about events of the timeline.
    pub(crate) fn new(text: String, cited: &Cited<'_>) -> Self {
        Self { text, event_ids: cited.ids() }
    }

    /// Says in other words what other sentences say, and rests on what they rest on.
    pub(crate) fn retelling(text: String, first: &Self, rest: &[&Self]) -> Self {
        let mut event_ids = first.event_ids.clone();
        for id in rest.iter().flat_map(|sentence| &sentence.event_ids) {
            if event_ids.len() < EVENTS_PER_SENTENCE_MAX && !event_ids.contains(id) {
                event_ids.push(id.clone());
            }
        }
        Self { text, event_ids }
    }

    /// The words.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The ids of the events; never empty.
    #[cfg(test)]
    pub(crate) fn event_ids(&self) -> &[String] {
        &self.event_ids
    }
}

impl From<Sentence> for Claim {
    fn from(Sentence { text, event_ids }: Sentence) -> Self {
        Self { text, event_ids }
    }
}
