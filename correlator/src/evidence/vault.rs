//! Evidence on disk: `evidence/ab/cdef...`, named by the SHA-256 of its bytes and by nothing else.
//!
//! No string of a host becomes a path: a file in the making is named by its request's number, a finished one by its hash. What is
//! handed out was hashed first; a file that is not what its name says is never handed out. Readable to the correlator alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use bongsu_event::EvidenceId;
use sha2::{Digest, Sha256};

const INCOMING: &str = ".incoming";

/// The folder of evidence.
#[derive(Debug)]
pub(crate) struct Vault {
    root: PathBuf,
}

/// Why evidence cannot be handed out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// There is no such file.
    #[error("the bytes of evidence {0} are not in the store")]
    Missing(EvidenceId),
    /// The file was changed.
    #[error("the bytes stored as evidence {id} were changed: their SHA-256 is {found}")]
    Altered {
        /// Its name.
        id: EvidenceId,
        /// What is there.
        found: EvidenceId,
    },
    /// The file cannot be read.
    #[error("cannot read the bytes of evidence {id}")]
    Read {
        /// Its name.
        id: EvidenceId,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Evidence that was just hashed, at its beginning.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) size: u64,
}

impl Vault {
    /// Opens the folder, makes it when it is not there, and throws away what was in the making.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        let incoming = root.join(INCOMING);
        if incoming.exists() {
            fs::remove_dir_all(&incoming)?;
        }
        private.create(&incoming)?;
        fs::set_permissions(&root, Permissions::from_mode(0o700))?;
        Ok(Self { root })
    }

    /// Begins the file for a request.
    pub(crate) fn begin(&self, request: u64) -> io::Result<Incoming> {
        let path = self.root.join(INCOMING).join(format!("{request}.part"));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        Ok(Incoming { file, path })
    }

    /// Keeps a finished file under its name; after this returns `Ok` it survives a power cut. A file that is there already and is what
    /// its name says stays; one that is not is replaced.
    pub(crate) fn keep(&self, incoming: &Incoming, id: EvidenceId) -> io::Result<()> {
        let path = self.path(id);
        if self.fetch(id).is_ok() {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.root);
        if !folder.exists() {
            DirBuilder::new().mode(0o700).create(folder)?;
            File::open(&self.root)?.sync_all()?;
        }
        incoming.file.set_permissions(Permissions::from_mode(0o400))?;
        incoming.file.sync_all()?;
        fs::rename(&incoming.path, &path)?;
        File::open(folder)?.sync_all()
        // Dropped later, `incoming` finds nothing to remove: the name is gone.
    }

    /// Opens evidence after hashing all of it. Blocks for as long as that takes.
    pub(crate) fn fetch(&self, id: EvidenceId) -> Result<Opened, FetchError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => FetchError::Missing(id),
            _ => FetchError::Read { id, source },
        };
        let mut file = File::open(self.path(id)).map_err(failed)?;
        let (found, size) = hash(&mut file).map_err(failed)?;
        if found != id {
            return Err(FetchError::Altered { id, found });
        }
        file.rewind().map_err(failed)?;
        Ok(Opened { file, size })
    }

    fn path(&self, id: EvidenceId) -> PathBuf {
        let name = id.to_string();
        let (folder, file) = name.split_at(2);
        self.root.join(folder).join(file)
    }
}

fn hash(file: &mut File) -> io::Result<(EvidenceId, u64)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0_u64;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((EvidenceId(hash.finalize().into()), size)),
            read => {
                hash.update(&buffer[..read]);
                size = size.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            }
        }
    }
}

/// A file in the making. Dropped before it is kept, it is gone.
#[derive(Debug)]
pub(crate) struct Incoming {
    file: File,
    path: PathBuf,
}

impl Incoming {
    /// Adds bytes at the end.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %Path::display(&self.path), %error, "cannot remove an unfinished upload");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(vault: &Vault, bytes: &[u8]) -> EvidenceId {
        let id = EvidenceId(Sha256::digest(bytes).into());
        let mut incoming = vault.begin(1).unwrap();
        incoming.append(bytes).unwrap();
        vault.keep(&incoming, id).unwrap();
        id
    }

    #[test]
    fn gives_back_what_it_got_until_a_byte_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path().join("evidence")).unwrap();
        let id = kept(&vault, b"bytes");
        let mut read = Vec::new();
        let mut opened = vault.fetch(id).unwrap();
        opened.file.read_to_end(&mut read).unwrap();
        assert_eq!((read.as_slice(), opened.size), (b"bytes".as_slice(), 5));

        let path = vault.path(id);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"bytez").unwrap();
        assert!(matches!(vault.fetch(id), Err(FetchError::Altered { .. })));
        // The same bytes come again: the damage is mended.
        kept(&vault, b"bytes");
        assert!(vault.fetch(id).is_ok());
        fs::remove_file(&path).unwrap();
        assert!(matches!(vault.fetch(id), Err(FetchError::Missing(missing)) if missing == id));
    }

    #[test]
    fn what_was_in_the_making_is_gone_after_a_restart_and_after_a_drop() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("evidence");
        let vault = Vault::open(root.clone()).unwrap();
        let incoming = vault.begin(7).unwrap();
        let path = incoming.path().to_owned();
        assert!(path.exists());
        drop(incoming);
        assert!(!path.exists());
        fs::write(&path, b"left by a crash").unwrap();
        let id = kept(&vault, b"bytes");
        let vault = Vault::open(root).unwrap();
        assert!(!path.exists());
        assert!(vault.fetch(id).is_ok());
    }
}
