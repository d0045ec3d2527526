//! The files whose reading is an event, as the kernel programs know them: by device and inode.
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
use bongsu_sensor_abi::{FileKey, Record, SENSITIVE_MAX};

use super::StartError;

/// How often all paths are looked up again.
const EVERY: Duration = Duration::from_secs(30);

/// The list and its image in the kernel.
pub(super) struct Sensitive {
    paths: Vec<PathBuf>,
    kernel: HashMap<MapData, [u64; 2], u32>,
    known: AHashSet<FileKey>,
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

    /// Looks the paths up again when that may have become necessary.
    pub(super) fn follow(&mut self, activity: &Activity) {
        let Activity::File(file) = activity else { return };
        let replaced = matches!(file.operation, FileOperation::Create | FileOperation::Delete | FileOperation::Rename);
        if replaced && self.paths.iter().any(|path| path.as_os_str().as_bytes() == file.path) {
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
        let found: AHashSet<FileKey> = self
            .paths
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .filter(fs::Metadata::is_file)
            .map(|metadata| FileKey { inode: metadata.ino(), device: kernel_device(metadata.dev()), reserved: 0 })
            .take(SENSITIVE_MAX as usize)
            .collect();
        // First out, then in: a map that is nearly full must have room.
        for gone in self.known.difference(&found) {
            report(self.kernel.remove(&words(gone)));
        }
        for new in found.difference(&self.known) {
            report(self.kernel.insert(words(new), 1, 0));
        }
        self.known = found;
    }
}

fn report(result: Result<(), MapError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "cannot tell the kernel programs of a sensitive file");
    }
}

/// A key as aya can carry it.
fn words(key: &FileKey) -> [u64; 2] {
    let mut words = [0; 2];
    for (word, bytes) in words.iter_mut().zip(key.as_bytes().chunks_exact(8)) {
        let mut eight = [0; 8];
        eight.copy_from_slice(bytes);
        *word = u64::from_ne_bytes(eight);
    }
    words
}

/// stat(2)'s device number in the encoding of the kernel's own structs.
fn kernel_device(device: u64) -> u32 {
    (libc::major(device) << 20) | libc::minor(device)
}
