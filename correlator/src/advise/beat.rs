//! Beats: events that a person would tell in one breath, because the same happened again and again.

use std::{collections::HashMap, time::Duration};

use bongsu_api::TimelineEntry;
use jiff::Timestamp;

use super::sentence::Cited;

/// A quiet time after which the same thing is told as a new beat.
const GAP_MAX: Duration = Duration::from_secs(30 * 60);

/// The fields that make two events of one kind "the same again". Ports and arguments that change with each try are not among them.
const SUBJECT: &[&str] = &[
    "user.name",
    "user.effective.name",
    "source.ip",
    "destination.ip",
    "destination.port",
    "process.executable",
    "process.parent.executable",
    "file.path",
    "event.outcome",
    "bongsu.process.memfd",
    "bongsu.process.deleted",
];

#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    host: &'a str,
    action: &'a str,
    subject: Vec<Option<&'a str>>,
    /// Of a line without a known meaning, and of nothing else, the text is all there is to compare.
    text: Option<&'a str>,
}

fn key(entry: &TimelineEntry) -> Key<'_> {
    // The near end of an outgoing connection changes with each one.
    let is_relevant = |name: &str| entry.action != "connect" || name != "source.ip";
    let value = |name: &&str| entry.fields.get(*name).map(String::as_str).filter(|_| is_relevant(name));
    Key {
        host: &entry.host,
        action: &entry.action,
        subject: SUBJECT.iter().map(value).collect(),
        text: (entry.action == "log").then_some(entry.text.as_str()),
    }
}

/// When an event happened; events whose time cannot be read all happened at the beginning of time.
pub(crate) fn time(entry: &TimelineEntry) -> Timestamp {
    entry.time.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The timeline's events as beats, in order of their first events.
pub(crate) fn beats<'a>(timeline: impl IntoIterator<Item = &'a TimelineEntry>) -> Vec<Cited<'a>> {
    let mut entries: Vec<_> = timeline.into_iter().collect();
    entries.sort_by_key(|entry| time(entry));
    let mut beats: Vec<Cited<'a>> = Vec::new();
    let mut open: HashMap<Key<'a>, usize> = HashMap::new();
    for entry in entries {
        let next = beats.len();
        let index = *open.entry(key(entry)).or_insert(next);
        match beats.get_mut(index) {
            Some(beat) if time(entry).duration_since(time(beat.last())).unsigned_abs() <= GAP_MAX => beat.push(entry),
            _ => {
                open.insert(key(entry), next);
                beats.push(Cited::new(entry));
            }
        }
    }
    beats
}

#[cfg(test)]
mod tests {
    use super::{super::example, *};

    #[test]
    fn repeated_logins_are_one_beat_although_their_ports_differ() {
        let incident = example::brute_force();
        let beats = beats(&incident.timeline);
        assert_eq!(beats[0].count(), 5);
        assert_eq!(beats.len(), incident.timeline.len() - 4);
    }

    #[test]
    fn the_same_after_a_long_quiet_time_is_another_beat() {
        let mut incident = example::brute_force();
        incident.timeline.truncate(5);
        incident.timeline[4].time = "2026-11-22T11:00:00Z".to_owned();
        let counts: Vec<_> = beats(&incident.timeline).iter().map(Cited::count).collect();
        assert_eq!(counts, [4, 1]);
    }

    #[test]
    fn no_event_is_lost_or_doubled() {
        for incident in [example::brute_force(), example::web_shell()] {
            let total: usize = beats(&incident.timeline).iter().map(Cited::count).sum();
            assert_eq!(total, incident.timeline.len());
        }
    }
}
