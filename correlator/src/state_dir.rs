//! The state directory: one for each correlator, for its eyes only.
//!
//! Owns the lock that keeps a second correlator out (two owners of incidents would each believe to be the only one), and the way files
//! are put there: whole or not at all.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateDirError {
    #[error("cannot make the state directory {path}")]
    Make { path: PathBuf, source: io::Error },
    #[error("another correlator uses the state directory {path}")]
    InUse { path: PathBuf },
    #[error("cannot lock the state directory {path}")]
    Lock { path: PathBuf, source: io::Error },
}

/// A file that could not be put in place.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub(crate) struct WriteFileError {
    path: PathBuf,
    source: io::Error,
}

/// The directory, ours for as long as this lives.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: Flock<fs::File>,
}

impl StateDir {
    /// Makes the directory when it is not there (0700), and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, StateDirError> {
        let make = |source| StateDirError::Make { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(make)?;
        let lock = |source| StateDirError::Lock { path: path.to_owned(), source };
        let options = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).to_owned();
        let file = options.open(path.join("lock")).map_err(lock)?;
        let locked = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
            Errno::EWOULDBLOCK => StateDirError::InUse { path: path.to_owned() },
            error => lock(error.into()),
        })?;
        Ok(Self { path: path.to_owned(), _lock: locked })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Puts a file there whole or not at all, and never readable by others for a moment.
pub(crate) fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<(), WriteFileError> {
    let put = || {
        let draft = path.with_extension("new");
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(content).and_then(|()| file.sync_all())?;
        fs::rename(&draft, path)?;
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::File::open(directory).and_then(|directory| directory.sync_all())
    };
    put().map_err(|source| WriteFileError { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_second_correlator_is_kept_out_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = StateDir::open(&path).unwrap();
        assert!(matches!(StateDir::open(&path), Err(StateDirError::InUse { .. })));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(first);
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn a_file_replaces_the_one_before_and_what_a_crash_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(path.with_extension("new"), "half").unwrap();
        for content in ["one", "two"] {
            write_file(&path, content.as_bytes(), 0o600).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
