//! Opening a spool that somebody else closed, perhaps by kill -9 or by pulling the plug.
//!
//! In the last segment whatever follows the last whole commit was never durable: it is cut off, and its numbers are given out again
//! (nothing that is not durable was sent). So events and the marks written with them are there together or not at all. Damage anywhere else destroys events that were durable: their numbers are counted as
//! shed, reason `damaged`.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{
    SpoolError,
    count::{Class, Counts, Reason},
    io_error,
    record::{Record, Run},
    segment::{self, HEADER, Segment, Summary},
};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// None in an empty directory.
    pub(super) epoch: Option<u64>,
    pub(super) segments: Vec<Segment>,
    pub(super) last_seq: u64,
    pub(super) settled_up_to: u64,
    pub(super) settled: Counts,
    pub(super) sent: u64,
    pub(super) marks: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) torn_bytes: u64,
}

/// Reads the directory. Deletes drafts, and segments that were settled or merged.
pub(super) fn recover(dir: &Path) -> Result<Found, SpoolError> {
    let mut found = Found::default();
    let paths = segment_paths(dir)?;
    for (index, path) in paths.iter().enumerate() {
        let next = paths.get(index + 1).map(|path| first_seq_of(path, found.epoch)).transpose()?;
        found.read(path, next.map(|(_, first_seq)| first_seq))?;
    }
    found.drop_settled()?;
    Ok(found)
}

fn segment_paths(dir: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let list =
        || -> io::Result<Vec<PathBuf>> { fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect() };
    let mut paths = Vec::new();
    for path in list().map_err(io_error("list", dir))? {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("seg") => paths.push(path),
            Some("tmp") => fs::remove_file(&path).map_err(io_error("delete the draft", &path))?,
            _ => {}
        }
    }
    paths.sort();
    Ok(paths)
}

fn first_seq_of(path: &Path, epoch: Option<u64>) -> Result<(u64, u64), SpoolError> {
    let mut head = [0; HEADER];
    let file = OpenOptions::new().read(true).open(path).map_err(io_error("open", path))?;
    let read = file.read_exact_at(&mut head, 0).ok();
    let header = read.and_then(|()| segment::parse_header(&head));
    header
        .filter(|(found, _)| epoch.is_none_or(|epoch| epoch == *found))
        .ok_or_else(|| SpoolError::Foreign { path: path.to_owned(), epoch: epoch.unwrap_or(0) })
}

impl Found {
    /// Takes in one segment; `next` is where the following one starts.
    fn read(&mut self, path: &Path, next: Option<u64>) -> Result<(), SpoolError> {
        let (epoch, first_seq) = first_seq_of(path, self.epoch)?;
        let merged = self.epoch.is_some() && first_seq <= self.last_seq;
        if merged {
            return fs::remove_file(path).map_err(io_error("delete the merged segment", path));
        }
        self.epoch = Some(epoch);
        let bytes = fs::read(path).map_err(io_error("read", path))?;
        let length = bytes.len();
        let bytes = match next {
            Some(_) => bytes.as_slice(),
            None => &bytes[..committed(&bytes, first_seq)],
        };
        let mut content = Content { next_seq: first_seq, end: HEADER, summary: Summary::default() };
        while let Some(record) = content.next(bytes) {
            self.note(record);
        }
        let torn = (length - content.end) as u64;
        let missing = next.filter(|next| *next > content.next_seq).map(|next| next - 1);
        if let Some(last) = missing {
            content.write_damaged(path, last)?;
        } else if torn > 0 {
            self.torn_bytes += torn;
            cut(path, content.end as u64).map_err(io_error("cut off the torn end of", path))?;
        }
        self.last_seq = content.next_seq - 1;
        if content.next_seq > first_seq {
            let Content { end, summary, .. } = content;
            self.segments.push(Segment::new(path.to_owned(), first_seq, self.last_seq, end as u64, summary));
        }
        Ok(())
    }

    fn note(&mut self, record: Record<'_>) {
        match record {
            Record::Mark { key, value } => {
                self.marks.insert(key.to_vec(), value.to_vec());
            }
            Record::Settled { up_to, counts } => (self.settled_up_to, self.settled) = (up_to, counts),
            Record::Sent { up_to } => self.sent = self.sent.max(up_to),
            Record::Event { .. } | Record::Shed(_) | Record::Commit => {}
        }
    }

    /// Deletes what was settled before the crash could delete it; counts what is missing at the front.
    fn drop_settled(&mut self) -> Result<(), SpoolError> {
        let gone = self.segments.iter().take_while(|segment| segment.last_seq <= self.settled_up_to).count();
        for segment in self.segments.drain(..gone) {
            segment.delete()?;
        }
        let first = self.segments.first().map_or(self.last_seq + 1, |segment| segment.first_seq);
        let missing = (first - 1).saturating_sub(self.settled_up_to);
        if missing > 0 {
            self.settled.count(Class::Unknown, Reason::Damaged, missing);
            self.settled_up_to = first - 1;
        }
        self.last_seq = self.last_seq.max(self.settled_up_to);
        Ok(())
    }
}

/// Where the last whole commit ends.
fn committed(bytes: &[u8], first_seq: u64) -> usize {
    let mut content = Content { next_seq: first_seq, end: HEADER, summary: Summary::default() };
    let mut committed = HEADER;
    while let Some(record) = content.next(bytes) {
        if record == Record::Commit {
            committed = content.end;
        }
    }
    committed
}

/// The readable part of a segment.
struct Content {
    next_seq: u64,
    end: usize,
    summary: Summary,
}

impl Content {
    /// The next record, when it is whole and bears the right number.
    fn next<'a>(&mut self, bytes: &'a [u8]) -> Option<Record<'a>> {
        let (record, length) = Record::decode(&bytes[self.end..]).ok()?;
        let next = match &record {
            Record::Event { seq, .. } => (*seq == self.next_seq).then_some(seq + 1)?,
            Record::Shed(run) => (run.first == self.next_seq).then_some(run.last + 1)?,
            _ => self.next_seq,
        };
        self.summary.note(&record);
        self.next_seq = next;
        self.end += length;
        Some(record)
    }

    /// Replaces the unreadable rest, up to number `last`, by a run that says so.
    fn write_damaged(&mut self, path: &Path, last: u64) -> Result<(), SpoolError> {
        let mut counts = Counts::default();
        counts.count(Class::Unknown, Reason::Damaged, last + 1 - self.next_seq);
        let record = Record::Shed(Run { first: self.next_seq, last, counts });
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let end = self.end as u64;
        let write = || -> io::Result<()> {
            cut(path, end)?;
            let file = OpenOptions::new().write(true).open(path)?;
            file.write_all_at(&bytes, end)?;
            file.sync_all()
        };
        write().map_err(io_error("mark the damage in", path))?;
        self.summary.note(&record);
        self.next_seq = last + 1;
        self.end += bytes.len();
        Ok(())
    }
}

fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}
