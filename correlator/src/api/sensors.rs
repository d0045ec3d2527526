//! Sensors, the tokens they join with, and whether we are well.

use std::time::Duration;

use axum::{Extension, Json, extract::State, http::StatusCode};
use bongsu_api::{Health, JoinToken, Page, Sensor};

use super::{Actor, Desk, Refusal};
use crate::{clock, view};

/// Long enough to carry it to another machine by hand, short enough to forget.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) async fn list(State(desk): State<Desk>) -> Result<Json<Page<Sensor>>, Refusal> {
    Ok(Json(Page { items: view::sensors(&desk.store, &*desk.presence).await?, next: None }))
}

pub(super) async fn create_token(
    State(desk): State<Desk>,
    Extension(Actor(actor)): Extension<Actor>,
) -> Result<(StatusCode, Json<JoinToken>), Refusal> {
    let token = new_join_token(&desk).await?;
    tracing::info!(actor, expires_at = token.expires_at, "a join token was made");
    Ok((StatusCode::CREATED, Json(token)))
}

/// Makes a token that lets one sensor join.
pub(crate) async fn new_join_token(desk: &Desk) -> Result<JoinToken, Refusal> {
    let secret: [u8; 32] = rand::random();
    let now = clock::now();
    let expires_at = now.saturating_add(TOKEN_LIFE);
    desk.store.add_join_token(&secret, now, expires_at).await?;
    let token = bongsu_proto::join_token::JoinToken {
        addresses: desk.joining.addresses.clone(),
        authority_sha256: desk.joining.authority_sha256,
        secret,
    };
    let command = format!("bongsu-sensor join {token} && bongsu-sensor run");
    Ok(JoinToken { token: token.to_string(), expires_at: expires_at.to_string(), command })
}

/// Well means that the store answers.
pub(super) async fn health(State(desk): State<Desk>) -> Result<Json<Health>, Refusal> {
    desk.store.meta("health").await?;
    Ok(Json(Health { status: "ok".to_owned() }))
}
