//! Segment files: one that is written, others that are only read until they are deleted.
//!
//! A file is `magic | epoch: u64 | first number: u64 | crc32 of those` and then records. Its name is the first number.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{
    Page, PageMax, SpoolError,
    count::{Class, Counts},
    io_error,
    record::{Record, Run},
};
use bongsu_proto::{limits, v1};
use bytes::Bytes;

const MAGIC: &[u8; 8] = b"BGSSPOOL";
pub(super) const HEADER: usize = 28;
/// The length of a record's head and an event's number and class.
const EVENT_OVERHEAD: u64 = 18;

/// What is known of the records of a segment without reading it.
#[derive(Debug, Clone, Default)]
pub(super) struct Summary {
    pub(super) events: u64,
    /// Bytes of events by class.
    pub(super) class_bytes: [u64; Class::ALL.len()],
    pub(super) shed: Counts,
    /// The first runs, for the ledger.
    pub(super) runs: Vec<Run>,
}

impl Summary {
    pub(super) fn note(&mut self, record: &Record<'_>) {
        match record {
            Record::Event { class, bytes, .. } => {
                self.events += 1;
                self.class_bytes[*class as usize] += bytes.len() as u64 + EVENT_OVERHEAD;
            }
            Record::Shed(run) => {
                self.shed.add(&run.counts);
                if self.runs.len() < limits::LEDGER_RANGES_MAX {
                    self.runs.push(run.clone());
                }
            }
            Record::Mark { .. } | Record::Settled { .. } | Record::Sent { .. } | Record::Commit => {}
        }
    }
}

/// A closed segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) bytes: u64,
    pub(super) events: u64,
    pub(super) class_bytes: [u64; Class::ALL.len()],
    pub(super) shed: Counts,
    pub(super) runs: Vec<Run>,
}

impl Segment {
    pub(super) fn new(path: PathBuf, first_seq: u64, last_seq: u64, bytes: u64, summary: Summary) -> Self {
        let Summary { events, class_bytes, shed, runs } = summary;
        Self { path, first_seq, last_seq, bytes, events, class_bytes, shed, runs }
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            path: &self.path,
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            bytes: self.bytes,
            events: self.events,
            shed: &self.shed,
            runs: &self.runs,
        }
    }

    pub(super) fn delete(&self) -> Result<(), SpoolError> {
        fs::remove_file(&self.path).map_err(io_error("delete the segment", &self.path))
    }
}

/// The durable part of a segment, closed or active.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) path: &'a Path,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) bytes: u64,
    pub(super) events: u64,
    pub(super) shed: &'a Counts,
    pub(super) runs: &'a [Run],
}

/// What a segment says first, so that all older ones can be deleted.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    pub(super) settled_up_to: u64,
    pub(super) settled: &'a Counts,
    pub(super) sent: u64,
    pub(super) marks: &'a BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Snapshot<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        Record::Settled { up_to: self.settled_up_to, counts: self.settled.clone() }.encode(out);
        Record::Sent { up_to: self.sent }.encode(out);
        for (key, value) in self.marks {
            Record::Mark { key, value }.encode(out);
        }
        Record::Commit.encode(out);
    }
}

/// The segment that is written.
#[derive(Debug)]
pub(super) struct Active {
    path: PathBuf,
    file: File,
    first_seq: u64,
    durable_seq: u64,
    durable_bytes: u64,
    durable: Summary,
    buffer: Vec<u8>,
    waiting: Summary,
    waiting_seq: u64,
    /// The events in the buffer, should they have to be given up.
    waiting_events: Counts,
    /// The last run in the buffer, still open for more.
    open_run: Option<Run>,
}

impl Active {
    /// Makes a segment that holds the snapshot only, durable. It replaces one of the same name, which held no number either.
    pub(super) fn create(dir: &Path, epoch: u64, first_seq: u64, snapshot: &Snapshot<'_>) -> Result<Self, SpoolError> {
        let path = dir.join(format!("{first_seq:020}.seg"));
        let mut content = header(epoch, first_seq);
        snapshot.encode(&mut content);
        let file = replace(dir, &path, &content)?;
        Ok(Self {
            path,
            file,
            first_seq,
            durable_seq: first_seq - 1,
            durable_bytes: content.len() as u64,
            durable: Summary::default(),
            buffer: Vec::new(),
            waiting: Summary::default(),
            waiting_seq: first_seq - 1,
            waiting_events: Counts::default(),
            open_run: None,
        })
    }

    pub(super) fn first_seq(&self) -> u64 {
        self.first_seq
    }

    pub(super) fn durable_seq(&self) -> u64 {
        self.durable_seq
    }

    /// No number is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.durable_seq < self.first_seq
    }

    pub(super) fn bytes(&self) -> u64 {
        self.durable_bytes + self.buffer.len() as u64
    }

    pub(super) fn uncommitted_bytes(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn push(&mut self, record: &Record<'_>) {
        if let Record::Event { seq, class, .. } = record {
            self.close_run();
            self.waiting_seq = *seq;
            self.waiting_events.count(*class, super::Reason::DiskFull, 1);
        }
        self.write(record);
    }

    pub(super) fn push_run(&mut self, run: Run) {
        self.waiting_seq = run.last;
        let rest = match &mut self.open_run {
            Some(open) => open.join(run),
            None => Some(run),
        };
        if let Some(run) = rest {
            self.close_run();
            self.open_run = Some(run);
        }
    }

    fn close_run(&mut self) {
        if let Some(run) = self.open_run.take() {
            self.write(&Record::Shed(run));
        }
    }

    fn write(&mut self, record: &Record<'_>) {
        record.encode(&mut self.buffer);
        self.waiting.note(record);
    }

    /// Writes what waits and makes it durable.
    pub(super) fn commit(&mut self) -> Result<(), SpoolError> {
        self.close_run();
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.write(&Record::Commit);
        let written = self.file.write_all_at(&self.buffer, self.durable_bytes).and_then(|()| self.file.sync_data());
        written.map_err(io_error("write", &self.path))?;
        self.durable_bytes += self.buffer.len() as u64;
        self.durable_seq = self.waiting_seq;
        let waiting = std::mem::take(&mut self.waiting);
        self.durable.events += waiting.events;
        for (durable, more) in self.durable.class_bytes.iter_mut().zip(waiting.class_bytes) {
            *durable += more;
        }
        self.durable.shed.add(&waiting.shed);
        let room = limits::LEDGER_RANGES_MAX - self.durable.runs.len();
        self.durable.runs.extend(waiting.runs.into_iter().take(room));
        self.waiting_events = Counts::default();
        self.buffer.clear();
        self.buffer.shrink_to(1024 * 1024);
        Ok(())
    }

    /// Forgets what waits; the numbers that were given out, up to `last_seq`, are returned as a run of lost events.
    ///
    /// Marks in the buffer are forgotten on disk only: the next snapshot or mark brings them back.
    pub(super) fn give_up(&mut self, last_seq: u64) -> Option<Run> {
        if let Err(error) = self.file.set_len(self.durable_bytes) {
            tracing::warn!(%error, path = %self.path.display(), "cannot cut off a failed write; recovery would");
        }
        self.buffer.clear();
        let waiting = std::mem::take(&mut self.waiting);
        let mut counts = std::mem::take(&mut self.waiting_events);
        counts.add(&waiting.shed);
        let first = self.durable_seq + 1;
        (first <= last_seq).then_some(Run { first, last: last_seq, counts })
    }

    pub(super) fn seal(self) -> Segment {
        Segment::new(self.path, self.first_seq, self.durable_seq, self.durable_bytes, self.durable)
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            path: &self.path,
            first_seq: self.first_seq,
            last_seq: self.durable_seq,
            bytes: self.durable_bytes,
            events: self.durable.events,
            shed: &self.durable.shed,
            runs: &self.durable.runs,
        }
    }
}

/// Puts a file in place of another, or none, so that after a crash either the old or the new one is there, whole.
pub(super) fn replace(dir: &Path, path: &Path, content: &[u8]) -> Result<File, SpoolError> {
    let draft = path.with_extension("tmp");
    let write = || -> io::Result<File> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(dir)?.sync_all()?;
        Ok(file)
    };
    write().map_err(io_error("write the segment", path))
}

pub(super) fn header(epoch: u64, first_seq: u64) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&epoch.to_le_bytes());
    header.extend_from_slice(&first_seq.to_le_bytes());
    let crc = crc32fast::hash(&header);
    header.extend_from_slice(&crc.to_le_bytes());
    header
}

/// Epoch and first number of a segment, when it is one.
pub(super) fn parse_header(bytes: &[u8]) -> Option<(u64, u64)> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    let epoch = u64::from_le_bytes(*header[8..].first_chunk()?);
    let first_seq = u64::from_le_bytes(*header[16..].first_chunk()?);
    (header[..] == self::header(epoch, first_seq)[..]).then_some((epoch, first_seq))
}

/// Reads the durable records of a segment from an offset on.
pub(super) fn read(view: &View<'_>, offset: u64, bytes_max: usize) -> Result<Vec<u8>, SpoolError> {
    let error = |source| io_error("read", view.path)(source);
    let mut file = File::open(view.path).map_err(error)?;
    file.seek(SeekFrom::Start(offset)).map_err(error)?;
    let limit = usize::try_from(view.bytes.saturating_sub(offset)).map_or(bytes_max, |left| left.min(bytes_max));
    let mut bytes = Vec::with_capacity(limit);
    file.take(limit as u64).read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}

/// How many numbers of the segment up to `seq` were shed.
pub(super) fn shed_up_to(view: &View<'_>, seq: u64) -> Result<u64, SpoolError> {
    if view.shed.total() == 0 || view.last_seq <= seq {
        return Ok(view.shed.total());
    }
    let bytes = read(view, HEADER as u64, usize::MAX)?;
    let (mut rest, mut shed) = (bytes.as_slice(), 0);
    while let Ok((record, length)) = Record::decode(rest) {
        rest = &rest[length..];
        match record {
            Record::Shed(run) if run.first <= seq => shed += run.last.min(seq) - run.first + 1,
            Record::Shed(_) => break,
            _ => {}
        }
    }
    Ok(shed)
}

/// Where the last page ended, so that the next one need not search.
#[derive(Debug)]
pub(super) struct Cursor {
    segment: u64,
    offset: u64,
    next_seq: u64,
}

/// Read at once; more than the largest record.
const CHUNK: usize = 1024 * 1024;

impl Cursor {
    pub(super) fn start_of(view: &View<'_>) -> Self {
        Self { segment: view.first_seq, offset: HEADER as u64, next_seq: view.first_seq }
    }

    pub(super) fn is_at(&self, segment: u64, next_seq: u64) -> bool {
        self.segment == segment && self.next_seq == next_seq
    }

    /// Adds records of the segment to the page; true when the page can take no more.
    pub(super) fn fill(&mut self, page: &mut Page, view: &View<'_>, max: PageMax) -> Result<bool, SpoolError> {
        let mut bytes_in_page: usize = page.events.iter().map(Bytes::len).sum();
        loop {
            let chunk = Bytes::from(read(view, self.offset, CHUNK)?);
            let mut rest = &chunk[..];
            while let Ok((record, length)) = Record::decode(rest) {
                match record {
                    Record::Event { seq, bytes, .. } if seq >= page.next_seq => {
                        let full = page.events.len() >= max.events || bytes_in_page + bytes.len() > max.bytes;
                        if full && !page.events.is_empty() {
                            return Ok(true);
                        }
                        bytes_in_page += bytes.len();
                        page.events.push(chunk.slice_ref(bytes));
                        page.numbers.push(seq);
                        page.next_seq = seq + 1;
                    }
                    Record::Shed(run) if run.last >= page.next_seq => {
                        if page.shed.len() >= limits::BATCH_SHED_RANGES_MAX {
                            return Ok(true);
                        }
                        page.shed.push(v1::Range { first: run.first.max(page.next_seq), last: run.last });
                        page.next_seq = run.last + 1;
                    }
                    _ => {}
                }
                rest = &rest[length..];
                self.offset += length as u64;
                self.next_seq = self.next_seq.max(page.next_seq);
            }
            if chunk.is_empty() {
                return Ok(false);
            }
            if rest.len() == chunk.len() {
                return Err(SpoolError::Damaged { path: view.path.to_owned(), offset: self.offset });
            }
        }
    }
}
