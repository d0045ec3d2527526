//! Events on their way to the sensor, in batches that are bounded in number and in bytes.

use bongsu_event::{Activity, Event};
use bstr::BString;

/// Events in one batch at most.
pub(super) const EVENTS_MAX: usize = 512;
/// Bytes of one batch, but for its last event, which may be an exec with arguments and environment of 32 KiB each.
pub(super) const BYTES_MAX: usize = 512 * 1024;

/// What an event weighs beside its texts; its process is shared with other events and the table.
const EVENT: usize = size_of::<Event>();

/// A batch in the making.
#[derive(Debug, Default)]
pub(super) struct Batch {
    events: Vec<Event>,
    bytes: usize,
}

impl Batch {
    /// Takes an event in; gives the batch when it is full, and begins a new one.
    pub(super) fn push(&mut self, event: Event) -> Option<Vec<Event>> {
        self.bytes += weight(&event);
        self.events.push(event);
        (self.events.len() >= EVENTS_MAX || self.bytes >= BYTES_MAX).then(|| std::mem::take(self).events)
    }

    /// What there is; `None` when that is nothing.
    pub(super) fn rest(self) -> Option<Vec<Event>> {
        (!self.events.is_empty()).then_some(self.events)
    }
}

fn weight(event: &Event) -> usize {
    let texts = |texts: &[BString]| texts.iter().map(|text| text.len() + size_of::<BString>()).sum::<usize>();
    let said = match &event.activity {
        Activity::Exec(exec) => texts(&exec.environment) + event.process.as_ref().map_or(0, |who| texts(&who.args)),
        Activity::File(file) => file.path.len() + file.previous_path.as_ref().map_or(0, |path| path.len()),
        _ => 0,
    };
    EVENT + said
}

#[cfg(test)]
mod tests {
    use bongsu_event::{Exec, Timestamp};

    use super::*;

    fn exec(environment: usize) -> Event {
        let exec = Exec { environment: vec![vec![b'x'; environment].into()], ..Exec::default() };
        Event { time: Timestamp(0), process: None, activity: Activity::Exec(exec) }
    }

    #[test]
    fn a_batch_is_full_by_its_number_or_by_its_bytes() {
        let mut batch = Batch::default();
        let small = (1..).find_map(|_| batch.push(exec(8))).unwrap();
        assert_eq!(small.len(), EVENTS_MAX);
        let large = (1..).find_map(|_| batch.push(exec(32 * 1024))).unwrap();
        assert_eq!(large.len(), BYTES_MAX / (32 * 1024));
        assert!(batch.rest().is_none());
    }
}
