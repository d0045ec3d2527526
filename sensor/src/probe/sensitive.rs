//! The files whose reading is an event. The kernel programs know their inode numbers and send the reads of all files that have such a
//! number, and of those written within the last seconds, for they may be sensitive ones that are new; here those of the very files are told from the rest, by device and inode or by path (on btrfs the device that stat(2) shows
//! is not the one the kernel keeps).
//!
//! Patterns are looked up again ([`find`]) when an event says that one of their files was made, removed or renamed onto, and every half a
//! minute: passwd(1) and editors put a new file in the old one's place.

mod find;

use std::{path::PathBuf, time::SystemTime};

use ahash::AHashSet;
use aya::{
    Ebpf,
    maps::{Array, HashMap, Map, MapData, MapError},
};
use bongsu_event::{Activity, FileOperation};

use super::StartError;
use crate::decode::Action;
use find::{Finder, Found};

/// What the kernel programs know of it: the list, and how late it is, for they send the reads of whatever was written some seconds ago as well.
pub(super) struct Image {
    list: HashMap<MapData, u64, u32>,
    wall_clock: Array<MapData, u64>,
    /// What the programs take for the present, in seconds since 1970.
    told: u64,
}

impl Image {
    /// Takes the maps out of the object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, StartError> {
        let list = map(ebpf, "SENSITIVE", HashMap::try_from)?;
        let wall_clock = map(ebpf, "WALL_CLOCK", Array::try_from)?;
        Ok(Self { list, wall_clock, told: 0 })
    }

    fn tell_time(&mut self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if now != self.told {
            self.told = now;
            report(self.wall_clock.set(0, now, 0));
        }
    }
}

fn map<T>(
    ebpf: &mut Ebpf,
    name: &'static str,
    typed: impl FnOnce(Map) -> Result<T, MapError>,
) -> Result<T, StartError> {
    let map = ebpf.take_map(name).ok_or_else(|| StartError::Foreign(format!("no map {name}")))?;
    typed(map).map_err(|error| StartError::Foreign(format!("map {name}: {error}")))
}

/// The list.
pub(super) struct Sensitive {
    kernel: Image,
    finder: Finder,
    known: Found,
}

impl Sensitive {
    /// Begins to look for the files. `passwd` tells the homes.
    pub(super) fn start(kernel: Image, patterns: Vec<PathBuf>, passwd: PathBuf) -> Result<Self, StartError> {
        let (finder, first) = Finder::start(patterns, passwd)
            .map_err(StartError::system("start the thread that finds sensitive files"))?;
        let mut sensitive = Self { kernel, finder, known: Found::default() };
        sensitive.know(first);
        Ok(sensitive)
    }

    /// Whether a record may become an event: all but reads of files that only share an inode number with one of ours.
    pub(super) fn admits(&self, action: &Action) -> bool {
        match action {
            Action::File(file) if file.operation == FileOperation::Read => {
                file.identity.is_some_and(|identity| self.known.files.contains(&identity))
                    || self.known.listed.has(&file.path)
            }
            _ => true,
        }
    }

    /// Looks for the files again when that may have become necessary.
    pub(super) fn follow(&self, activity: &Activity) {
        let Activity::File(file) = activity else { return };
        let replaced = matches!(file.operation, FileOperation::Create | FileOperation::Delete | FileOperation::Rename);
        if replaced && self.known.listed.has(&file.path) {
            self.finder.look();
        }
    }

    /// Takes in what was found meanwhile; to be called each second, or more often.
    pub(super) fn refresh(&mut self) {
        self.kernel.tell_time();
        if let Some(found) = self.finder.take() {
            self.know(found);
        }
    }

    fn know(&mut self, found: Found) {
        let inodes = |found: &Found| found.files.iter().map(|file| file.inode).collect::<AHashSet<u64>>();
        let (old, new) = (inodes(&self.known), inodes(&found));
        // First out, then in: a map that is nearly full must have room.
        for inode in old.difference(&new) {
            report(self.kernel.list.remove(inode));
        }
        for inode in new.difference(&old) {
            report(self.kernel.list.insert(inode, 1, 0));
        }
        self.known = found;
    }
}

fn report(result: Result<(), MapError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "cannot tell the kernel programs of sensitive files");
    }
}
