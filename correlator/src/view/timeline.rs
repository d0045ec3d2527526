//! Events as lines of a timeline.

use std::collections::{BTreeMap, HashMap};

use bongsu_api::TimelineEntry;
use bongsu_detection::Finding;
use bongsu_event::{EventId, Shown, StoredEvent, catalogue};

use super::sentence::{User, cut, sentence};

/// How many bytes of a field's value an entry carries.
const FIELD_BYTES_MAX: usize = 40 * 1024;

/// Which findings speak of an event, in the order of the findings.
pub(crate) struct Speakers<'a>(HashMap<EventId, Vec<&'a Finding>>);

impl<'a> Speakers<'a> {
    pub(crate) fn of(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut speakers: HashMap<EventId, Vec<&'a Finding>> = HashMap::new();
        for finding in findings {
            for event in &finding.events {
                let heard = speakers.entry(*event).or_default();
                if !heard.iter().any(|other| other.id == finding.id) {
                    heard.push(finding);
                }
            }
        }
        Self(speakers)
    }

    pub(crate) fn ids(&self, event: EventId) -> Vec<String> {
        self.0.get(&event).into_iter().flatten().map(|finding| finding.id.to_string()).collect()
    }
}

/// The events in order of time, each once.
pub(crate) fn entries(events: &[StoredEvent], speakers: &Speakers<'_>) -> Vec<TimelineEntry> {
    in_order(events).into_iter().map(|event| entry(event, speakers.ids(event.id))).collect()
}

/// The events in order of (time, id), each once.
pub(super) fn in_order(events: &[StoredEvent]) -> Vec<&StoredEvent> {
    let mut events: Vec<_> = events.iter().collect();
    events.sort_unstable_by_key(|event| (event.event.time, event.id));
    events.dedup_by_key(|event| event.id);
    events
}

/// One event as a line.
pub(crate) fn entry(event: &StoredEvent, finding_ids: Vec<String>) -> TimelineEntry {
    let process = event.event.process.as_deref();
    TimelineEntry {
        event_id: event.id.to_string(),
        time: event.event.time.to_string(),
        host: Shown(&event.host).to_string(),
        action: catalogue::Action::of(&event.event.activity).as_str().to_owned(),
        text: sentence(event),
        user: user(event),
        process_key: process.map(|process| process.key.to_string()),
        finding_ids,
        fields: fields(event),
    }
}

/// The account by the catalogue's name for it, else by its number.
fn user(event: &StoredEvent) -> Option<String> {
    let by_name = catalogue::FieldId::by_name("user.name")
        .and_then(|field| field.read(event).to_bytes().map(|name| shown(&name)));
    by_name.or_else(|| event.event.process.as_deref().map(|process| User(&process.credentials.real).to_string()))
}

/// Every catalogue field that the event has.
fn fields(event: &StoredEvent) -> BTreeMap<String, String> {
    let read = |field: &catalogue::Field| {
        let value = (field.read)(event);
        value.to_bytes().map(|bytes| (field.ecs.to_owned(), shown(&bytes)))
    };
    catalogue::FIELDS.iter().filter_map(read).collect()
}

fn shown(bytes: &[u8]) -> String {
    match cut(bytes, FIELD_BYTES_MAX) {
        (head, 0) => Shown(head).to_string(),
        (head, rest) => format!("{}… ({rest} bytes more)", Shown(head)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{exec, finding, login, stored};

    #[test]
    fn each_event_once_in_order_of_time_with_the_findings_that_speak_of_it() {
        let events = [stored(3, 30, exec("/bin/sh")), stored(1, 10, login("backup")), stored(3, 30, exec("/bin/sh"))];
        let findings = [finding("first", &events[..1]), finding("second", &events[..2])];
        let lines = entries(&events, &Speakers::of(&findings));
        let found: Vec<_> = lines.iter().map(|line| (line.action.as_str(), line.finding_ids.len())).collect();
        assert_eq!(found, [("login-failure", 1), ("exec", 2)]);
        assert_eq!(lines[1].finding_ids, [findings[0].id.to_string(), findings[1].id.to_string()]);
        assert_eq!(lines[0].user.as_deref(), Some("backup"));
    }

    #[test]
    fn fields_are_those_of_the_catalogue_and_bounded() {
        let mut long = exec("/bin/sh");
        let process = std::sync::Arc::make_mut(long.process.as_mut().unwrap());
        process.args = vec![vec![b'a'; 100_000].into()];
        let line = entry(&stored(1, 10, long), Vec::new());
        assert_eq!(line.fields["event.action"], "exec");
        assert_eq!(line.fields["process.executable"], "/bin/sh");
        assert!(line.fields["process.command_line"].ends_with("… (59040 bytes more)"));
        assert!(!line.fields.contains_key("message"));
        assert!(line.text.len() < 1_000, "{}", line.text);
    }
}
