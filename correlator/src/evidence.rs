//! Evidence: bytes taken from hosts, from the wish of a finding to the verdict of the scanner.
//!
//! Owns the life of a request, the files under `evidence/` in the state directory, their custody log and the scanner worker. Refuses
//! whatever a sensor sends that was not asked for or does not fit, and hands out no byte whose hash is not the one it is known by.
//! Evidence is never run, parsed or unpacked in this process; the worker does that in its jail.
//!
//! Bounded by: the size of one upload and of all evidence ([`Config`]), one upload for each sensor, limits on wishes, one scan at a time.
//!
//! ```text
//!   finding with a wish (store) --> Room --> session --> sensor
//!                                    |  <-- chunks ---'
//!                              vault + store --> Judge --> scanner --> findings --> pipeline
//! ```

mod counts;
mod judge;
mod room;
mod scanner;
mod upload;
mod vault;
mod verdict;

#[cfg(test)]
mod tests;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use bongsu_event::EvidenceId;
use tokio::{sync::Notify, task::spawn_blocking};

pub(crate) use counts::Counts;
pub(crate) use judge::Judge;
pub(crate) use room::Room;
pub(crate) use vault::{FetchError, Opened};

use crate::{
    clock,
    store::{
        ReadError, Store, WriteError, commit,
        evidence::{ChainState, NewCustody, append_custody},
    },
};
use vault::Vault;

/// How evidence is taken and kept.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The folder for it.
    pub(crate) folder: PathBuf,
    /// Larger files are not taken.
    pub(crate) bytes_max: u64,
    /// When all evidence might grow beyond this, nothing more is asked for.
    pub(crate) total_bytes_max: u64,
    /// The worker's program.
    pub(crate) scanner: PathBuf,
    /// Folders with yara rules besides the shipped ones.
    pub(crate) rules: Vec<PathBuf>,
    /// How long one scan may take.
    pub(crate) scan_deadline: Duration,
}

impl Config {
    /// What holds unless somebody says otherwise. The worker is looked for beside this program.
    pub(crate) fn new(folder: PathBuf) -> Self {
        let program = "bongsu-scanner";
        let beside = std::env::current_exe().ok().map(|program_path| program_path.with_file_name(program));
        Self {
            folder,
            bytes_max: 64 << 20,
            total_bytes_max: 10 << 30,
            scanner: beside.unwrap_or_else(|| program.into()),
            rules: Vec::new(),
            scan_deadline: Duration::from_secs(30),
        }
    }

    /// Opens the folder. Nothing runs yet: `app` spawns [`Room::run`] and [`Judge::run`].
    pub(crate) fn build(self, store: Store) -> Result<(Evidence, Room, Judge), BuildError> {
        let folder = self.folder.display().to_string();
        let vault = Vault::open(self.folder).map_err(|source| BuildError { folder, source })?;
        let evidence = Evidence {
            store,
            vault: Arc::new(vault),
            counts: Arc::new(Counts::default()),
            wished: Arc::new(Notify::new()),
        };
        let stored = Arc::new(Notify::new());
        let room = Room {
            store: evidence.store.clone(),
            vault: Arc::clone(&evidence.vault),
            counts: Arc::clone(&evidence.counts),
            wished: Arc::clone(&evidence.wished),
            stored: Arc::clone(&stored),
            bytes_max: self.bytes_max,
            total_bytes_max: self.total_bytes_max,
            uploads: std::collections::HashMap::new(),
        };
        let judge = Judge {
            store: evidence.store.clone(),
            vault: Arc::clone(&evidence.vault),
            counts: Arc::clone(&evidence.counts),
            stored,
            scanner: scanner::Scanner::new(scanner::Config {
                program: self.scanner,
                rules: self.rules,
                bytes_max: self.bytes_max,
                deadline: self.scan_deadline,
            }),
            handed: std::collections::HashMap::new(),
            not_before: None,
        };
        Ok((evidence, room, judge))
    }
}

/// Why the room cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the folder of evidence {folder}")]
pub(crate) struct BuildError {
    folder: String,
    source: io::Error,
}

/// The door for others: wake the room, read evidence, verify it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    store: Store,
    vault: Arc<Vault>,
    counts: Arc<Counts>,
    wished: Arc<Notify>,
}

/// Whether evidence is as it was stored.
#[derive(Debug)]
pub(crate) struct Verification {
    /// The bytes: their number, or why they are not what they were.
    pub(crate) bytes: Result<u64, FetchError>,
    /// The custody log before this verification.
    pub(crate) custody: ChainState,
}

/// Why evidence cannot be opened or verified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Nobody ever stored it.
    #[error("there is no evidence {0}")]
    Unknown(EvidenceId),
    /// It is not what it was.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The custody log cannot be written: then nothing is handed out.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The work was cut short by shutdown.
    #[error("reading evidence {0} was cut short")]
    CutShort(EvidenceId),
}

impl Evidence {
    /// Says that a finding that wishes for evidence was stored. Without it, the room notices within seconds.
    pub(crate) fn wished(&self) {
        self.wished.notify_one();
    }

    /// What happened in this room since the start.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "counted and tested; the page of figures that shows it is not there yet")
    )]
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Opens evidence for `actor` (the name of an API token), hashed just now and at its beginning. Enters `fetched` into the custody
    /// log first.
    pub(crate) async fn open(&self, id: EvidenceId, actor: &str) -> Result<Opened, OpenError> {
        self.known(id).await?;
        let opened = self.fetch(id).await??;
        self.enter(id, actor, "fetched", &format!("{} bytes, SHA-256 checked", opened.size)).await?;
        Ok(opened)
    }

    /// Verifies the bytes and the custody log for `actor`, and enters `verified` into the log.
    pub(crate) async fn verify(&self, id: EvidenceId, actor: &str) -> Result<Verification, OpenError> {
        self.known(id).await?;
        let bytes = self.fetch(id).await?.map(|opened| opened.size);
        let custody = self.store.custody_chain(id).await?;
        let of_bytes = match &bytes {
            Ok(size) => format!("{size} bytes as stored"),
            Err(error) => error.to_string(),
        };
        let of_custody = match custody {
            ChainState::Whole(entries) => format!("custody log whole, {entries} entries"),
            ChainState::BrokenAt(entry) => format!("custody log broken at entry {entry}"),
        };
        self.enter(id, actor, "verified", &format!("{of_bytes}; {of_custody}")).await?;
        Ok(Verification { bytes, custody })
    }

    async fn known(&self, id: EvidenceId) -> Result<(), OpenError> {
        self.store.evidence(id).await?.map(drop).ok_or(OpenError::Unknown(id))
    }

    async fn fetch(&self, id: EvidenceId) -> Result<Result<Opened, FetchError>, OpenError> {
        let vault = Arc::clone(&self.vault);
        spawn_blocking(move || vault.fetch(id)).await.map_err(|_cut_short| OpenError::CutShort(id))
    }

    async fn enter(&self, id: EvidenceId, actor: &str, action: &str, detail: &str) -> Result<(), WriteError> {
        let mut write = self.store.write().await?;
        append_custody(&mut write, id, &NewCustody { time: clock::now(), actor, action, detail }).await?;
        commit(write).await
    }
}
