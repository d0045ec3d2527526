//! In and out. The way in is a link that works once; looking at it does not use it up, pressing the button does.

use axum::{
    extract::{Path, State},
    http::{
        HeaderMap, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use maud::Markup;

use super::{door, pages::PageRefusal, session};
use crate::{api::Desk, clock, store::ApiTokenKind};

/// Where the link with that secret leads. The secret is made of letters, digits, `-` and `_`.
pub(crate) fn path(secret: &str) -> String {
    format!("/login/{secret}")
}

pub(super) async fn ask() -> Markup {
    door::login(None)
}

pub(super) async fn confirm(Path(secret): Path<String>) -> Markup {
    door::confirm(&secret)
}

pub(super) async fn enter(State(desk): State<Desk>, Path(secret): Path<String>) -> Result<Response, PageRefusal> {
    let name: Option<String> = desk.store.spend_admin_link(secret.as_bytes(), clock::now()).await?;
    let Some(name) = name else {
        let refused = "This link was used already, or it has expired.";
        return Ok((StatusCode::UNAUTHORIZED, door::login(Some(refused))).into_response());
    };
    let cookie = session::begin(&desk, &name).await?;
    tracing::info!(name, "somebody logged in");
    Ok((StatusCode::SEE_OTHER, [(LOCATION, "/".parse().expect("a path is a header value")), (SET_COOKIE, cookie)])
        .into_response())
}

pub(super) async fn leave(State(desk): State<Desk>, headers: HeaderMap) -> Result<Response, PageRefusal> {
    if let Some(secret) = session::cookie(&headers) {
        desk.store.revoke_api_token(secret.as_bytes(), ApiTokenKind::Session, clock::now()).await?;
    }
    Ok(([(SET_COOKIE, session::forget(&desk))], door::login(None)).into_response())
}
