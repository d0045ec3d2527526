//! Giving events up when there is not room for all: the least worth first, the oldest of them first, a segment at a time.

use std::fs;

use super::{
    Spool, SpoolError,
    count::{Class, Reason},
    io_error,
    record::{Record, Run},
    segment::{self, HEADER, Segment, Summary},
};

impl Spool {
    /// Sheds until the spool is within its cap, or nothing is left that may be shed; in that case closes the door.
    pub(super) fn keep_within_cap(&mut self) -> Result<(), SpoolError> {
        let bytes_max = self.config.bytes_max;
        if self.bytes() < bytes_max - bytes_max / 16 {
            self.door = None;
        }
        for class in Class::ALL {
            while self.bytes() > bytes_max {
                // What may have been sent may be stored already: counting it as shed would count it twice.
                let sent = self.sent;
                let sheddable = |segment: &Segment| segment.class_bytes[class as usize] > 0 && segment.first_seq > sent;
                let Some(index) = self.sealed.iter().position(sheddable) else {
                    self.door = self.door.max(Some(class));
                    break;
                };
                self.shed_class(index, class)?;
            }
        }
        Ok(())
    }

    /// Rewrites a segment without the events of one class.
    fn shed_class(&mut self, index: usize, class: Class) -> Result<(), SpoolError> {
        let segment = &self.sealed[index];
        let bytes = segment::read(&segment.view(), HEADER as u64, usize::MAX)?;
        let mut draft = Draft::new(self.epoch, segment.first_seq);
        let mut rest = bytes.as_slice();
        while let Ok((record, length)) = Record::decode(rest) {
            rest = &rest[length..];
            match record {
                Record::Event { seq, class: found, .. } if found == class => {
                    draft.run(Run::one(seq, class, Reason::Cap));
                }
                Record::Event { .. } => draft.event(&record),
                Record::Shed(run) => draft.run(run),
                // The active segment says these better.
                Record::Mark { .. } | Record::Settled { .. } | Record::Sent { .. } | Record::Commit => {}
            }
        }
        self.cursor = None;
        self.sealed[index] = self.put(index, draft, self.sealed[index].last_seq)?;
        if self.sealed[index].events == 0 {
            self.merge_empty(index)?;
        }
        Ok(())
    }

    /// Joins a segment without events to a neighbour without events, so that a long outage does not fill the disk with files.
    fn merge_empty(&mut self, index: usize) -> Result<(), SpoolError> {
        let empty = |index: usize| self.sealed.get(index).is_some_and(|segment| segment.events == 0);
        let (left, right) = match index {
            index if index > 0 && empty(index - 1) => (index - 1, index),
            index if empty(index + 1) => (index, index + 1),
            _ => return Ok(()),
        };
        let mut draft = Draft::new(self.epoch, self.sealed[left].first_seq);
        for index in [left, right] {
            let bytes = segment::read(&self.sealed[index].view(), HEADER as u64, usize::MAX)?;
            let mut rest = bytes.as_slice();
            while let Ok((record, length)) = Record::decode(rest) {
                rest = &rest[length..];
                if let Record::Shed(run) = record {
                    draft.run(run);
                }
            }
        }
        // Between these two steps both files name the right one's numbers; recovery deletes the one that starts too early.
        self.sealed[left] = self.put(left, draft, self.sealed[right].last_seq)?;
        self.sealed.remove(right).delete()
    }

    fn put(&self, index: usize, draft: Draft, last_seq: u64) -> Result<Segment, SpoolError> {
        let (content, summary) = draft.finish();
        let Segment { path, first_seq, .. } = &self.sealed[index];
        segment::replace(&self.config.dir, path, &content)?;
        let bytes = fs::metadata(path).map_err(io_error("look at", path))?.len();
        Ok(Segment::new(path.clone(), *first_seq, last_seq, bytes, summary))
    }
}

/// A segment being written anew.
struct Draft {
    content: Vec<u8>,
    summary: Summary,
    run: Option<Run>,
}

impl Draft {
    fn new(epoch: u64, first_seq: u64) -> Self {
        Self { content: segment::header(epoch, first_seq), summary: Summary::default(), run: None }
    }

    fn event(&mut self, record: &Record<'_>) {
        self.close_run();
        record.encode(&mut self.content);
        self.summary.note(record);
    }

    fn run(&mut self, run: Run) {
        let rest = match &mut self.run {
            Some(open) => open.join(run),
            None => Some(run),
        };
        if let Some(run) = rest {
            self.close_run();
            self.run = Some(run);
        }
    }

    fn close_run(&mut self) {
        if let Some(run) = self.run.take() {
            let record = Record::Shed(run);
            record.encode(&mut self.content);
            self.summary.note(&record);
        }
    }

    fn finish(mut self) -> (Vec<u8>, Summary) {
        self.close_run();
        (self.content, self.summary)
    }
}
