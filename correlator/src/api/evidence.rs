//! Evidence: what it is, its bytes, and whether they are still the ones that were taken.

use std::{fs::File, io, io::Read as _};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{
        HeaderValue,
        header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};
use bongsu_api::{Evidence, Page, Verification};
use bongsu_event::EvidenceId;
use futures::{Stream, stream};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::{Actor, Desk, Refusal};
use crate::{
    evidence::{FetchError, OpenError},
    store::evidence::{ChainState, EvidenceRow},
    view,
};

const PAGE: u32 = 100;
const PIECE_BYTES: usize = 64 << 10;

/// Which part of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    after: Option<String>,
}

pub(super) async fn list(
    State(desk): State<Desk>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<Evidence>>, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::malformed(&rejection.body_text()))?;
    let after = query.after.as_deref().map(str::parse).transpose();
    let rows = desk.store.evidence_page(after.map_err(|error| Refusal::malformed(&error))?, PAGE).await?;
    let full = rows.len() == PAGE as usize;
    let next = rows.last().filter(|_| full).map(|row| row.id.to_string());
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        items.push(view::evidence(&desk.store, row).await?);
    }
    Ok(Json(Page { items, next }))
}

pub(super) async fn one(State(desk): State<Desk>, Path(name): Path<String>) -> Result<Json<Evidence>, Refusal> {
    let row = known(&desk, &name).await?;
    Ok(Json(view::evidence(&desk.store, &row).await?))
}

/// The bytes, as a download that no browser may take for a document. Who fetches them is in the custody log before the first one leaves.
pub(super) async fn content(
    State(desk): State<Desk>,
    Extension(Actor(actor)): Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let row = known(&desk, &name).await?;
    let opened = desk.evidence.open(row.id, &actor).await.map_err(refuse)?;
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{}.bin\"", row.id))
        .expect("hexadecimal digits are a header value");
    let mut response = Body::from_stream(pieces(opened.file)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, disposition);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(opened.size));
    Ok(response)
}

/// Reads all bytes and the whole custody log again; that this was done goes into the log as well.
pub(super) async fn verify(
    State(desk): State<Desk>,
    Extension(Actor(actor)): Extension<Actor>,
    Path(name): Path<String>,
) -> Result<Json<Verification>, Refusal> {
    let row = known(&desk, &name).await?;
    let found = desk.evidence.verify(row.id, &actor).await.map_err(refuse)?;
    let (bytes, size) = match found.bytes {
        Ok(size) => ("as-taken", Some(size)),
        Err(FetchError::Altered { .. }) => ("altered", None),
        Err(FetchError::Missing(_)) => ("missing", None),
        Err(FetchError::Read { .. }) => ("unreadable", None),
    };
    let (custody, broken_at) = match found.custody {
        ChainState::Whole(_) => ("whole", None),
        ChainState::BrokenAt(entry) => ("broken", Some(entry as u64)),
    };
    Ok(Json(Verification {
        sha256: row.id.to_string(),
        bytes: bytes.to_owned(),
        size,
        custody: custody.to_owned(),
        broken_at,
    }))
}

async fn known(desk: &Desk, name: &str) -> Result<EvidenceRow, Refusal> {
    let absent = || Refusal::not_found("evidence", name);
    let id: EvidenceId = name.parse().ok().ok_or_else(absent)?;
    desk.store.evidence(id).await?.ok_or_else(absent)
}

fn refuse(error: OpenError) -> Refusal {
    match error {
        OpenError::Unknown(id) => Refusal::not_found("evidence", &id.to_string()),
        OpenError::Fetch(FetchError::Altered { id, .. }) => Refusal::Altered(id),
        OpenError::Read(error) => error.into(),
        OpenError::Write(error) => error.into(),
        error @ (OpenError::Fetch(_) | OpenError::CutShort(_)) => Refusal::Content(error.into()),
    }
}

/// The file piece by piece. One that fails on the way breaks the answer off, which its announced length makes visible.
fn pieces(file: File) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(file, |mut file| async move {
        let read = spawn_blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            Ok::<_, io::Error>((piece, file))
        });
        let (piece, file) = read.await.map_err(io::Error::other)??;
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), file)))
    })
}
