//! Where we are in a file, in words that survive renaming and restart.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
};

use serde::{Deserialize, Serialize};

/// Bytes at the start of a file by which it is known again. An inode number alone is reused within moments.
const FINGERPRINT_BYTES: usize = 256;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) dev: u64,
    pub(super) inode: u64,
    /// The start of the first line that was not taken.
    pub(super) offset: u64,
    /// The line at `offset` is the rest of one that was cut.
    pub(super) skipping: bool,
    pub(super) fingerprint: Fingerprint,
}

/// The places in the files of one log: the one that is written, and the one before it while late lines may come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Positions {
    pub(super) old: Option<Position>,
    pub(super) current: Option<Position>,
}

/// A checksum over the first bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    length: usize,
    crc: u32,
}

impl Fingerprint {
    /// Of the file as it is now.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let head = head(file, FINGERPRINT_BYTES)?;
        Ok(Self { length: head.len(), crc: crc32fast::hash(&head) })
    }

    /// Whether the file still begins like this.
    pub(super) fn fits(&self, file: &File) -> io::Result<bool> {
        let head = head(file, self.length.min(FINGERPRINT_BYTES))?;
        Ok(head.len() == self.length && crc32fast::hash(&head) == self.crc)
    }

    pub(super) fn is_short(&self) -> bool {
        self.length < FINGERPRINT_BYTES
    }
}

fn head(file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mut head = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut head[filled..], filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    head.truncate(filled);
    Ok(head)
}

/// Device and inode: one file, whatever it is called.
pub(super) fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
