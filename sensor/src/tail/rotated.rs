//! Which file of a rotated log comes next.
//!
//! Between two looks, or while the sensor was down, a log may be rotated more than once. The files in between carry the log's name and a
//! number or date behind it, and were born after the one we read and before the one that has the name now.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{file::LogFile, position::identity};

/// The oldest file of the log at `path` that was born between `current` and `named`, the one that has the name now, if one has it. `None`
/// when there is none, or the file system does not tell when files were made.
pub(super) fn between(
    path: &Path,
    current: &LogFile,
    named: Option<&LogFile>,
    read: &VecDeque<(u64, u64)>,
) -> Option<LogFile> {
    let since = current.born()?;
    let until = match named {
        Some(named) => Some(named.born()?),
        None => None,
    };
    let directory = fs::read_dir(path.parent()?).ok()?;
    let candidate = |entry: fs::DirEntry| -> Option<(SystemTime, SystemTime, PathBuf)> {
        let metadata = entry.metadata().ok()?;
        let (made, id) = (metadata.created().ok()?, identity(&metadata));
        let fits = is_rotation_of(path, &entry.path())
            && metadata.is_file()
            && made >= since
            && until.is_none_or(|until| made <= until)
            && id != current.identity()
            && named.is_none_or(|named| id != named.identity())
            && !read.contains(&id);
        fits.then_some((made, metadata.modified().ok()?, entry.path()))
    };
    let (_, _, next) = directory.flatten().filter_map(candidate).min()?;
    LogFile::open(&next).ok()
}

/// Whether `other` has the name of `log` with a number or date behind it: `app.log.1`, `app.log-20261122`. Compressed ones have been read.
fn is_rotation_of(log: &Path, other: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.as_encoded_bytes().to_vec());
    let (Some(log), Some(other)) = (name(log), name(other)) else { return false };
    let Some([b'.' | b'-' | b'_', rest @ ..]) = other.strip_prefix(log.as_slice()) else { return false };
    rest.first().is_some_and(u8::is_ascii_digit)
        && rest.iter().all(|byte| byte.is_ascii_digit() || b"-_.:T".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_file_has_a_number_or_date_behind_the_name() {
        let log = Path::new("/var/log/app.log");
        for name in ["app.log.1", "app.log-20261122", "app.log.2026-11-22", "app.log-20261122-1795338672"] {
            assert!(is_rotation_of(log, &Path::new("/var/log").join(name)), "{name}");
        }
        for name in ["app.log", "app.log.1.gz", "app.log.bak", "app.log2", "other.log.1", "app.log."] {
            assert!(!is_rotation_of(log, &Path::new("/var/log").join(name)), "{name}");
        }
    }
}
