//! One open file of a log.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    time::SystemTime,
};

use super::{
    lines::LineCutter,
    position::{Fingerprint, Position, identity},
};

/// Read at once.
const CHUNK: usize = 64 * 1024;

/// What reading on found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The end of the file.
    AtEnd,
    /// There may be more; enough lines are in hand.
    Enough,
    /// The file became shorter or another file under the same inode; reading starts over.
    StartedOver,
}

/// A file that is read forward only.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    dev: u64,
    inode: u64,
    /// When the file was made; `None` where the file system does not say.
    born: Option<SystemTime>,
    /// Where the next byte is read.
    offset: u64,
    cutter: LineCutter,
    fingerprint: Fingerprint,
}

impl LogFile {
    /// Opens the file at its beginning. Only a regular file: a FIFO would block us, a device would never end.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let nonblocking = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let (dev, inode) = identity(&metadata);
        let fingerprint = Fingerprint::of(&file)?;
        let born = metadata.created().ok();
        Ok(Self { file, dev, inode, born, offset: 0, cutter: LineCutter::default(), fingerprint })
    }

    /// Goes to the end: what is there already is not news.
    pub(super) fn skip_to_end(&mut self) -> io::Result<()> {
        self.offset = self.file.metadata()?.len();
        // The last line may be half written; its rest alone would be no line.
        let mut last = [0];
        let unfinished = self.offset > 0 && self.file.read_at(&mut last, self.offset - 1)? == 1 && last != *b"\n";
        self.cutter = LineCutter::new(unfinished);
        Ok(())
    }

    /// Goes to a saved position when this is the file it was saved for; false otherwise.
    pub(super) fn resume(&mut self, saved: &Position) -> io::Result<bool> {
        let same = (self.dev, self.inode) == (saved.dev, saved.inode)
            && self.file.metadata()?.len() >= saved.offset
            && saved.fingerprint.fits(&self.file)?;
        if same {
            self.offset = saved.offset;
            self.cutter = LineCutter::new(saved.skipping);
        }
        Ok(same)
    }

    pub(super) fn identity(&self) -> (u64, u64) {
        (self.dev, self.inode)
    }

    pub(super) fn born(&self) -> Option<SystemTime> {
        self.born
    }

    pub(super) fn position(&self) -> Position {
        Position {
            dev: self.dev,
            inode: self.inode,
            offset: self.offset - self.cutter.held() as u64,
            skipping: self.cutter.is_skipping(),
            fingerprint: self.fingerprint,
        }
    }

    /// Reads on until the end or until there are `lines_max` lines; counts lines that had to be cut into `cut`.
    pub(super) fn read(&mut self, lines: &mut Vec<Vec<u8>>, lines_max: usize, cut: &mut u64) -> io::Result<Progress> {
        let length = self.file.metadata()?.len();
        // Not only when it grew: refilled to the very same length it is another file all the same.
        if length < self.offset || (self.offset > 0 && !self.fingerprint.fits(&self.file)?) {
            self.cutter.finish(lines);
            (self.offset, self.cutter) = (0, LineCutter::default());
            self.fingerprint = Fingerprint::of(&self.file)?;
            return Ok(Progress::StartedOver);
        }
        let mut buffer = vec![0; CHUNK];
        while lines.len() < lines_max {
            let read = self.file.read_at(&mut buffer, self.offset)?;
            if read == 0 {
                return Ok(Progress::AtEnd);
            }
            self.offset += read as u64;
            if self.fingerprint.is_short() {
                self.fingerprint = Fingerprint::of(&self.file)?;
            }
            *cut += self.cutter.push(&buffer[..read], lines);
        }
        Ok(Progress::Enough)
    }

    /// No more will come: makes a line of an unfinished one.
    pub(super) fn finish(&mut self, lines: &mut Vec<Vec<u8>>) {
        self.cutter.finish(lines);
    }
}
