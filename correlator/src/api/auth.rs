//! Who asks: the bearer token of a program.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::Response,
};

use super::{Actor, Desk, Refusal};
use crate::{clock, store::ApiTokenKind};

/// Lets through who brings a token that holds, and says who that is.
pub(super) async fn require_token(
    State(desk): State<Desk>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let token = bearer(request.headers()).ok_or(Refusal::NoToken)?;
    let name = desk.store.api_token(token.as_bytes(), ApiTokenKind::Api, clock::now()).await?;
    request.extensions_mut().insert(Actor(name.ok_or(Refusal::NoToken)?));
    Ok(next.run(request).await)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
