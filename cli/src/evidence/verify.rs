//! Verifying: are these the bytes that were taken?

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use bongsu_api::{Evidence, Verification};
use bongsu_event::EvidenceId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{EvidenceError, custody_path, named_by};
use crate::{args::Format, client::Client, exit::Exit, failure::Failure, output};

/// What the verification of a file came to.
#[derive(Debug, Serialize)]
struct FileVerification {
    subject: String,
    /// What says what the bytes should be.
    by: String,
    expected: String,
    found: String,
    size: u64,
    verified: bool,
}

/// Verifies a file by the SHA-256 given, else by the custody log beside it, else by its own name.
pub(super) fn file(path: &Path, given: Option<EvidenceId>, format: Format) -> Result<Exit, Failure> {
    let (expected, by) = match (given, custody(path)?, named_by(path)) {
        (Some(id), _, _) => (id, "--sha256".to_owned()),
        (None, Some(id), _) => (id, custody_path(path).display().to_string()),
        (None, None, Some(id)) => (id, "the file's name".to_owned()),
        (None, None, None) => return Err(EvidenceError::NothingToCompare { path: path.to_owned() }.into()),
    };
    let (found, size) = hash(path).map_err(|source| EvidenceError::Read { path: path.to_owned(), source })?;
    conclude(&path.display().to_string(), by, expected, found, size, format)
}

/// Lets the correlator read the bytes it has stored, and their custody log, again.
pub(super) async fn stored(client: &Client, id: EvidenceId, format: Format) -> Result<Exit, Failure> {
    let verification: Verification = client.post(&["evidence", &id.to_string(), "verify"]).await?;
    output::one(format, &verification, |verification, _| told_of_store(verification))?;
    let sound = verification.bytes == "as-taken" && verification.custody == "whole";
    Ok(if sound { Exit::Done } else { Exit::NotVerified })
}

fn told_of_store(verification: &Verification) -> String {
    let name = output::safe(&verification.sha256);
    let bytes = match verification.size {
        Some(size) => format!("bytes    verified: {size} bytes are as they were taken"),
        None => format!("bytes    NOT VERIFIED: {}", output::safe(&verification.bytes)),
    };
    let custody = match verification.broken_at {
        None => format!("custody  {}", output::safe(&verification.custody)),
        Some(entry) => format!("custody  NOT VERIFIED: entry {entry} does not follow from the one before"),
    };
    format!("{name} in the correlator's store\n  {bytes}\n  {custody}\n")
}

fn conclude(
    subject: &str,
    by: String,
    expected: EvidenceId,
    found: EvidenceId,
    size: u64,
    format: Format,
) -> Result<Exit, Failure> {
    let verified = expected == found;
    let verification = FileVerification {
        subject: subject.to_owned(),
        by,
        expected: expected.to_string(),
        found: found.to_string(),
        size,
        verified,
    };
    output::one(format, &verification, |verification, _| told(verification))?;
    Ok(if verified { Exit::Done } else { Exit::NotVerified })
}

fn told(verification: &FileVerification) -> String {
    let FileVerification { subject, by, expected, found, size, verified } = verification;
    let (subject, by) = (output::safe(subject), output::safe(by));
    if *verified {
        format!("{subject}: verified, {size} bytes, SHA-256 {found} as {by} says\n")
    } else {
        format!(
            "{subject}: NOT VERIFIED, these are not the bytes that were taken\n  expected {expected} ({by})\n  found    {found} ({size} bytes)\n"
        )
    }
}

/// What the custody log beside the file says its SHA-256 is.
fn custody(path: &Path) -> Result<Option<EvidenceId>, EvidenceError> {
    let path = custody_path(path);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(EvidenceError::Read { path, source }),
    };
    let refuse = |source| EvidenceError::CustodyMeaning { path: path.clone(), source };
    let evidence: Evidence = serde_json::from_slice(&text).map_err(refuse)?;
    evidence.sha256.parse().map(Some).map_err(|error| refuse(serde::de::Error::custom(error)))
}

fn hash(path: &Path) -> io::Result<(EvidenceId, u64)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((EvidenceId(hash.finalize().into()), size)),
            length => {
                hash.update(&buffer[..length]);
                size += length as u64;
            }
        }
    }
}
