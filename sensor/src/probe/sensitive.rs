//! The files whose reading is an event. The kernel programs know their inode numbers and send the reads of all files that have such a
//! number; here those of the very files are told from the rest, by device and inode or by path (on btrfs the device that stat(2) shows
//! is not the one the kernel keeps).
//!
//! A path is looked up again when an event says that it was made, removed or renamed onto, and every [`EVERY`]: passwd(1) and editors put
//! a new file in the old one's place.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::PathBuf,
    time::{Duration, Instant},
};

use ahash::AHashSet;
use aya::{
    Ebpf,
    maps::{HashMap, MapData, MapError},
};
use bongsu_event::{Activity, FileOperation};
use bongsu_sensor_abi::SENSITIVE_MAX;

use super::StartError;
use crate::decode::{Action, FileIdentity};

/// How often all paths are looked up again.
const EVERY: Duration = Duration::from_secs(30);

/// The list and its image in the kernel.
pub(super) struct Sensitive {
    paths: Vec<PathBuf>,
    kernel: HashMap<MapData, u64, u32>,
    known: AHashSet<FileIdentity>,
    looked: Instant,
}

impl Sensitive {
    /// Takes the map out of the object and fills it.
    pub(super) fn take(ebpf: &mut Ebpf, paths: Vec<PathBuf>) -> Result<Self, StartError> {
        let map = ebpf.take_map("SENSITIVE").ok_or_else(|| StartError::Foreign("no map SENSITIVE".to_owned()))?;
        let kernel = HashMap::try_from(map).map_err(|error| StartError::Foreign(format!("map SENSITIVE: {error}")))?;
        let mut sensitive = Self { paths, kernel, known: AHashSet::new(), looked: Instant::now() };
        sensitive.look_up();
        Ok(sensitive)
    }

    /// Whether a record may become an event: all but reads of files that only share an inode number with one of ours.
    pub(super) fn admits(&self, action: &Action) -> bool {
        match action {
            Action::File(file) if file.operation == FileOperation::Read => {
                file.identity.is_some_and(|identity| self.known.contains(&identity)) || self.is_listed(&file.path)
            }
            _ => true,
        }
    }

    fn is_listed(&self, path: &[u8]) -> bool {
        self.paths.iter().any(|listed| listed.as_os_str().as_bytes() == path)
    }

    /// Looks the paths up again when that may have become necessary.
    pub(super) fn follow(&mut self, activity: &Activity) {
        let Activity::File(file) = activity else { return };
        let replaced = matches!(file.operation, FileOperation::Create | FileOperation::Delete | FileOperation::Rename);
        if replaced && self.is_listed(&file.path) {
            self.look_up();
        }
    }

    /// As [`Sensitive::follow`], by time.
    pub(super) fn refresh(&mut self) {
        if self.looked.elapsed() > EVERY {
            self.look_up();
        }
    }

    fn look_up(&mut self) {
        self.looked = Instant::now();
        let found: AHashSet<FileIdentity> = self
            .paths
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .filter(fs::Metadata::is_file)
            .map(|metadata| FileIdentity { device: kernel_device(metadata.dev()), inode: metadata.ino() })
            .take(SENSITIVE_MAX as usize)
            .collect();
        let inodes = |files: &AHashSet<FileIdentity>| files.iter().map(|file| file.inode).collect::<AHashSet<u64>>();
        let (old, new) = (inodes(&self.known), inodes(&found));
        // First out, then in: a map that is nearly full must have room.
        for inode in old.difference(&new) {
            report(self.kernel.remove(inode));
        }
        for inode in new.difference(&old) {
            report(self.kernel.insert(inode, 1, 0));
        }
        self.known = found;
    }
}

fn report(result: Result<(), MapError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "cannot tell the kernel programs of a sensitive file");
    }
}

/// stat(2)'s device number in the encoding of the kernel's own structs.
fn kernel_device(device: u64) -> u32 {
    (libc::major(device) << 20) | libc::minor(device)
}
