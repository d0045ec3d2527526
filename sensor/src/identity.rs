//! Who this sensor is: its id, key and certificate, the authority it trusts and where that one is reached.
//!
//! One file in the state directory, `identity.json`, written whole or not at all, readable by the owner only. The key is made here
//! and never leaves.

pub(crate) mod enrol;
pub(crate) mod tls;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use bongsu_event::SensorId;
use serde::{Deserialize, Serialize};

const FILE: &str = "identity.json";
const IDENTITY_BYTES_MAX: u64 = 64 * 1024;

/// The identity, as it is stored. Certificates and key are PEM.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    /// What the correlator calls this sensor.
    pub(crate) sensor_id: SensorId,
    /// `host:port` of the correlator's ingest listener, best first.
    pub(crate) addresses: Vec<String>,
    /// The certificate of this sensor.
    pub(crate) certificate: String,
    /// Its private key.
    pub(crate) key: String,
    /// The certificate of the authority.
    pub(crate) authority: String,
}

/// Why there is no usable identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// It never joined.
    #[error("this sensor has not joined a correlator: {path} does not exist. Run `bongsu-sensor join TOKEN`")]
    NotJoined {
        /// Where the identity would be.
        path: PathBuf,
    },
    /// It joined before.
    #[error("this sensor has joined already: {path} exists. `--force` replaces it by a new identity")]
    Joined {
        /// Where the identity is.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file is not what we wrote.
    #[error("{path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: serde_json::Error,
    },
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    let path = path.to_owned();
    move |source| IdentityError::Io { what, path, source }
}

/// Makes the state directory, 0700, when it is not there.
pub(crate) fn make_state_dir(state_dir: &Path) -> Result<(), IdentityError> {
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(io_error("make", state_dir))?;
    fs::set_permissions(state_dir, fs::Permissions::from_mode(0o700)).map_err(io_error("close to others", state_dir))
}

impl Identity {
    /// Refuses when there is an identity already.
    pub(crate) fn check_absent(state_dir: &Path) -> Result<(), IdentityError> {
        let path = state_dir.join(FILE);
        match path.try_exists().map_err(io_error("look for", &path))? {
            true => Err(IdentityError::Joined { path }),
            false => Ok(()),
        }
    }

    /// Reads the identity.
    pub(crate) fn load(state_dir: &Path) -> Result<Self, IdentityError> {
        let path = state_dir.join(FILE);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(IdentityError::NotJoined { path }),
            other => other.map_err(io_error("open", &path))?,
        };
        let file = io::Read::take(file, IDENTITY_BYTES_MAX);
        serde_json::from_reader(file).map_err(|source| IdentityError::Damaged { path, source })
    }

    /// Writes the identity: the old one or the new one is there after a crash, never half of one.
    pub(crate) fn save(&self, state_dir: &Path) -> Result<(), IdentityError> {
        let path = state_dir.join(FILE);
        let draft = state_dir.join("identity.tmp");
        let write = || -> io::Result<()> {
            if draft.try_exists()? {
                fs::remove_file(&draft)?;
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(state_dir)?.sync_all()
        };
        write().map_err(io_error("write", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str) -> Identity {
        Identity {
            sensor_id: "7f0c1a2b-0000-4000-8000-000000000001".parse().unwrap(),
            addresses: vec![name.to_owned()],
            certificate: String::new(),
            key: "secret".to_owned(),
            authority: String::new(),
        }
    }

    #[test]
    fn an_identity_is_kept_for_the_owner_only_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/b");
        make_state_dir(&state).unwrap();
        assert!(matches!(Identity::load(&state), Err(IdentityError::NotJoined { .. })));
        Identity::check_absent(&state).unwrap();
        for name in ["one:1", "two:2"] {
            identity(name).save(&state).unwrap();
            assert_eq!(Identity::load(&state).unwrap().addresses, [name]);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&state.join(FILE))), (0o700, 0o600));
        assert!(matches!(Identity::check_absent(&state), Err(IdentityError::Joined { .. })));
    }

    #[test]
    fn a_damaged_identity_is_told_apart_from_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{\"sensor_id\":").unwrap();
        assert!(matches!(Identity::load(dir.path()), Err(IdentityError::Damaged { .. })));
    }
}
