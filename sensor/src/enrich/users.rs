//! Names of users, by the host's own file. Name services over the network are not asked: an event must not wait for a server, and a host's
//! processes must not be named by it.

use std::{fs, io, path::PathBuf, time::SystemTime};

use ahash::AHashMap;
use bongsu_event::Account;
use bstr::{BString, ByteSlice};

/// A file larger than this is not a user database.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The names, and the state of the file they were read from.
pub(super) struct Users {
    path: PathBuf,
    names: AHashMap<u32, BString>,
    read: Option<(SystemTime, u64)>,
}

impl Users {
    /// Of the file at `path`, read at the first refresh.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, names: AHashMap::new(), read: None }
    }

    /// The account of that uid.
    pub(super) fn account(&self, id: u32) -> Account {
        Account { id, name: self.names.get(&id).cloned() }
    }

    /// Reads the file again when it is another one than before. To be called before each batch is read: then what a new user does has a name.
    pub(super) fn refresh(&mut self) {
        if let Err(error) = self.read_again() {
            tracing::warn!(path = %self.path.display(), %error, "cannot read the user database; the names from before stay");
        }
    }

    fn read_again(&mut self) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(&self.path)?;
        // Editors and useradd write a new file and rename it: the inode tells where a coarse time does not.
        let state = Some((metadata.modified()?, metadata.ino()));
        if state == self.read {
            return Ok(());
        }
        if metadata.len() > BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too large for a user database"));
        }
        self.names = parse(&fs::read(&self.path)?);
        self.read = state;
        Ok(())
    }
}

/// `name:password:uid:...`; of several names with one uid the first counts, as in getpwuid(3).
fn parse(bytes: &[u8]) -> AHashMap<u32, BString> {
    let mut names = AHashMap::new();
    for line in bytes.lines() {
        let mut fields = line.split_str(b":");
        let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else { continue };
        if let Some(uid) = uid.to_str().ok().and_then(|uid| uid.parse().ok()) {
            names.entry(uid).or_insert_with(|| name.into());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_uid_counts_and_garbage_is_passed_over() {
        let names = parse(b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:\n\nnonsense\nx:y:z\n\xff\xfe:x:7:\n");
        assert_eq!(names.get(&0), Some(&"root".into()));
        assert_eq!(names.get(&7), Some(&b"\xff\xfe".into()));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn a_new_account_is_known_after_the_file_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        fs::write(&path, "root:x:0:0\n").unwrap();
        let mut users = Users::new(path.clone());
        users.refresh();
        assert_eq!(users.account(1000), Account { id: 1000, name: None });
        let new = folder.path().join("passwd.new");
        fs::write(&new, "root:x:0:0\nmallory:x:1000:1000\n").unwrap();
        fs::rename(new, path).unwrap();
        users.refresh();
        assert_eq!(users.account(1000).name, Some("mallory".into()));
    }

    #[test]
    fn fuzz_user_databases() {
        let seed = b"root:x:0:0::/root:/bin/sh\nkim:x:1000:1000::/:\n\nnonsense\n\xff:x:7:\n".to_vec();
        crate::fuzz::fuzz(vec![seed], |bytes| !parse(bytes).is_empty());
    }
}
