//! `bongsu evidence`: bytes taken from hosts.

mod fetch;
mod verify;

use std::{
    io,
    path::{Path, PathBuf},
};

use bongsu_api::{Evidence, Page};
use bongsu_event::EvidenceId;

use crate::{
    args::{EvidenceVerb, Format},
    client::{Client, RequestError},
    connection::ConnectionError,
    exit::Exit,
    failure::Failure,
    output::{self, safe, to_the_minute},
};

/// Why evidence could not be fetched or looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvidenceError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} exists already and is left as it is")]
    Exists { path: PathBuf },
    #[error("the correlator's answer broke off after {received} bytes; nothing was kept")]
    Broken { received: u64, source: reqwest::Error },
    #[error(
        "what arrived is not the evidence that was asked for; nothing was kept (asked for {wanted}; got {found}, {received} bytes)"
    )]
    OtherBytes { wanted: EvidenceId, found: EvidenceId, received: u64 },
    #[error("{path} is not a custody log")]
    CustodyMeaning { path: PathBuf, source: serde_json::Error },
    #[error("{path}: what should it be? give --sha256, or keep the .custody.json that fetch wrote beside it")]
    NothingToCompare { path: PathBuf },
}

impl EvidenceError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Exit::NoPermission,
            Self::Read { .. } => Exit::Internal,
            Self::Write { .. } | Self::Exists { .. } => Exit::CannotWrite,
            Self::Broken { .. } => Exit::Unavailable,
            Self::OtherBytes { .. } => Exit::NotVerified,
            Self::CustodyMeaning { .. } | Self::NothingToCompare { .. } => Exit::Usage,
        }
    }
}

pub(crate) async fn run(
    verb: EvidenceVerb,
    format: Format,
    client: impl Fn() -> Result<Client, ConnectionError>,
) -> Result<Exit, Failure> {
    match verb {
        EvidenceVerb::List => {
            let items = list(&client()?).await?;
            output::list(format, &items, ["SHA-256", "BYTES", "HOST", "STORED", "YARA", "PATH"], row)?;
            Ok(Exit::Done)
        }
        EvidenceVerb::Fetch { sha256, out } => {
            let out = out.unwrap_or_else(|| PathBuf::from(sha256.to_string()));
            fetch::fetch(&client()?, sha256, &out, format).await
        }
        EvidenceVerb::Verify { subject, sha256 } => match named_by(&subject) {
            // A file that bears such a name is meant before what the store has under it.
            Some(id) if sha256.is_none() && !subject.exists() => verify::stored(&client()?, id, format).await,
            _ => verify::file(&subject, sha256, format),
        },
    }
}

async fn list(client: &Client) -> Result<Vec<Evidence>, RequestError> {
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let query: Vec<_> = after.iter().map(|after| ("after", after.as_str())).collect();
        let page: Page<Evidence> = client.get(&["evidence"], &query).await?;
        let empty = page.items.is_empty();
        items.extend(page.items);
        after = page.next;
        if empty || after.is_none() {
            return Ok(items);
        }
    }
}

fn row(evidence: &Evidence) -> [String; 6] {
    let verdict = &evidence.verdict;
    let rules =
        if verdict.yara_rules.is_empty() { String::new() } else { format!(": {}", verdict.yara_rules.join(", ")) };
    [
        safe(&evidence.sha256),
        evidence.size.to_string(),
        safe(&evidence.host),
        to_the_minute(&evidence.stored_at),
        safe(&format!("{}{rules}", verdict.outcome)),
        safe(&evidence.path),
    ]
}

/// The SHA-256 that a path's last part is.
fn named_by(path: &Path) -> Option<EvidenceId> {
    path.file_name()?.to_str()?.parse().ok()
}

/// Where the custody log of a fetched file lies.
fn custody_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".custody.json");
    PathBuf::from(name)
}
