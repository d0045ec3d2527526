//! What somebody who starts the correlator for the first time needs to go on: where it listens, a way in, a way to join.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bongsu_proto::join_token::JoinToken;
use serde::{Deserialize, Serialize};

use crate::{
    clock,
    state_dir::{WriteFileError, write_file},
    store::{ApiTokenKind, ReadError, Store, WriteError},
};

const ENDPOINTS: &str = "endpoints.json";
/// Where the CLI on this machine finds its token.
const ADMIN_TOKEN: &str = "admin-token";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where we listen in truth; for tools on this machine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// Pages and API.
    pub(crate) url: String,
    pub(crate) ingest: String,
    pub(crate) enrolment: String,
}

/// Why the first steps cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    #[error(transparent)]
    File(#[from] WriteFileError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("cannot print")]
    Print(#[from] io::Error),
}

/// What a join token says besides its secret.
pub(super) struct Joining<'a> {
    pub(super) addresses: &'a [String],
    pub(super) authority_sha256: [u8; 32],
}

fn secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// Writes where we listen, and a token for the CLI when there is none.
pub(super) async fn prepare(store: &Store, state_dir: &Path, endpoints: &Endpoints) -> Result<(), PrepareError> {
    let token_path = state_dir.join(ADMIN_TOKEN);
    if !token_path.exists() {
        let secret = secret();
        store.add_api_token(secret.as_bytes(), ApiTokenKind::Api, "admin", clock::now(), None).await?;
        write_file(&token_path, format!("{secret}\n").as_bytes(), 0o600)?;
    }
    let text = serde_json::to_vec_pretty(endpoints).expect("three texts are JSON");
    // Last: who waits for this file finds everything else in place.
    write_file(&state_dir.join(ENDPOINTS), &text, 0o600)?;
    Ok(())
}

/// Prints where we are; and, as long as nobody has come in, how to.
pub(super) async fn greet(
    store: &Store,
    state_dir: &Path,
    endpoints: &Endpoints,
    joining: &Joining<'_>,
) -> Result<(), PrepareError> {
    let Endpoints { url, ingest, enrolment } = endpoints;
    let mut lines = vec![
        format!("Bongsu correlator {}", env!("CARGO_PKG_VERSION")),
        format!("  state      {}", state_dir.display()),
        format!("  pages      {url}"),
        format!("  ingest     {ingest}"),
        format!("  enrolment  {enrolment}"),
    ];
    if !store.anybody_logged_in().await? {
        lines.push(String::new());
        lines.push("Log in with this link; it works once, for a day:".to_owned());
        lines.push(format!("  {}", admin_link(store, url).await?));
    }
    if store.sensors().await?.is_empty() {
        let secret: [u8; 32] = rand::random();
        let now = clock::now();
        store.add_join_token(&secret, now, now.saturating_add(DAY)).await?;
        let (addresses, authority_sha256) = (joining.addresses.to_vec(), joining.authority_sha256);
        let token = JoinToken { addresses, authority_sha256, secret };
        lines.push(String::new());
        lines.push("Join a first sensor on its host, within a day:".to_owned());
        lines.push(format!("  bongsu-sensor join {token} && bongsu-sensor run"));
    }
    print(&lines)?;
    Ok(())
}

/// A new link that lets one person in once.
pub(crate) async fn admin_link(store: &Store, url: &str) -> Result<String, WriteError> {
    let (secret, now) = (secret(), clock::now());
    store
        .add_api_token(secret.as_bytes(), ApiTokenKind::AdminLink, "admin", now, Some(now.saturating_add(DAY)))
        .await?;
    Ok(format!("{url}{}", crate::web::login_path(&secret)))
}

/// Where a running correlator said that it listens.
pub(crate) fn read_endpoints(state_dir: &Path) -> io::Result<Endpoints> {
    let text = std::fs::read(state_dir.join(ENDPOINTS))?;
    serde_json::from_slice(&text).map_err(io::Error::other)
}

/// Prints lines to standard output, whole.
pub(crate) fn print(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}
