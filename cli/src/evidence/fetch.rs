//! Fetching: the file gets its name only after its bytes were the ones asked for.

use std::{
    io::{self, Write as _},
    path::Path,
};

use bongsu_api::Evidence;
use bongsu_event::EvidenceId;
use reqwest::Response;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{EvidenceError, custody_path};
use crate::{args::Format, client::Client, exit::Exit, failure::Failure, output};

/// Fetches the bytes into `out` and, after them, their custody log, which by then has this very fetch in it.
pub(super) async fn fetch(client: &Client, id: EvidenceId, out: &Path, format: Format) -> Result<Exit, Failure> {
    let custody_out = custody_path(out);
    for path in [out, &custody_out] {
        if path.symlink_metadata().is_ok() {
            return Err(EvidenceError::Exists { path: path.to_owned() }.into());
        }
    }
    let name = id.to_string();
    let response = client.bytes(&["evidence", &name, "content"]).await?;
    let mut content = beside(out)?;
    let written = |source| EvidenceError::Write { path: out.to_owned(), source };
    let (found, received) = receive(response, |piece| content.write_all(piece).map_err(written)).await?;
    if found != id {
        return Err(EvidenceError::OtherBytes { wanted: id, found, received }.into());
    }
    let custody: Evidence = client.get(&["evidence", &name], &[]).await?;
    let mut log = beside(&custody_out)?;
    serde_json::to_writer_pretty(&mut log, &custody)
        .map_err(io::Error::from)
        .and_then(|()| log.write_all(b"\n"))
        .map_err(|source| EvidenceError::Write { path: custody_out.clone(), source })?;
    keep(content, out)?;
    keep(log, &custody_out)?;
    output::one(format, &custody, |custody, _| {
        let (out, log) = (out.display().to_string(), custody_out.display().to_string());
        format!(
            "fetched {} bytes into {}\nSHA-256 {name} is right; custody log ({} entries) in {}\n",
            received,
            output::safe(&out),
            custody.custody.len(),
            output::safe(&log)
        )
    })?;
    Ok(Exit::Done)
}

/// Reads an answer to its end through SHA-256.
async fn receive(
    mut response: Response,
    mut each: impl FnMut(&[u8]) -> Result<(), EvidenceError>,
) -> Result<(EvidenceId, u64), EvidenceError> {
    let mut hash = Sha256::new();
    let mut received = 0;
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => {
                each(&piece)?;
                hash.update(&piece);
                received += piece.len() as u64;
            }
            Ok(None) => return Ok((EvidenceId(hash.finalize().into()), received)),
            Err(source) => return Err(EvidenceError::Broken { received, source }),
        }
    }
}

/// A file without a name of its own yet, readable by this user only: it may well be malware.
fn beside(path: &Path) -> Result<NamedTempFile, EvidenceError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    NamedTempFile::new_in(folder).map_err(|source| EvidenceError::Write { path: path.to_owned(), source })
}

fn keep(file: NamedTempFile, path: &Path) -> Result<(), EvidenceError> {
    file.as_file().sync_all().map_err(|source| EvidenceError::Write { path: path.to_owned(), source })?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(EvidenceError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(EvidenceError::Write { path: path.to_owned(), source: error.error }),
    }
}
