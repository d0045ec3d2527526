//! The REST API under `/api/v1`, and what it and the pages need of the rest.
//!
//! Owns routes, tokens of programs, and how errors look from outside. Refuses whoever brings no token (all but the health check and the
//! description of the API itself), answers every refusal as a [`bongsu_api::Problem`], and never tells internals: those go to the
//! log. Bounded: bodies by [`BODY_BYTES_MAX`], lists by their pages, evidence by the piece.

mod auth;
mod desk;
mod events;
mod evidence;
mod incidents;
mod openapi;
mod problem;
mod sensors;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodRouter, get, post},
};

pub(crate) use desk::{Desk, Joining};
pub(crate) use incidents::{page, whole};
pub(crate) use problem::{Refusal, no_such_route};

/// No request of ours has a body to speak of.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Under which the routes stand.
pub(crate) const BASE: &str = "/api/v1";

/// Who asks: the name of the token.
#[derive(Debug, Clone)]
pub(crate) struct Actor(pub(crate) String);

/// Routes that ask for no token.
fn open_routes() -> Vec<(&'static str, MethodRouter<Desk>)> {
    vec![("/healthz", get(sensors::health)), ("/openapi.json", get(openapi::document))]
}

/// Routes for those who bring a token.
fn guarded_routes() -> Vec<(&'static str, MethodRouter<Desk>)> {
    vec![
        ("/incidents", get(incidents::list)),
        ("/incidents/{id}", get(incidents::one)),
        ("/events", get(events::list)),
        ("/evidence", get(evidence::list)),
        ("/evidence/{sha256}", get(evidence::one)),
        ("/evidence/{sha256}/content", get(evidence::content)),
        ("/evidence/{sha256}/verify", post(evidence::verify)),
        ("/sensors", get(sensors::list)),
        ("/tokens", post(sensors::create_token)),
    ]
}

/// All routes, to be nested under [`BASE`].
pub(crate) fn router(desk: &Desk) -> Router<Desk> {
    let router = |routes: Vec<(&'static str, MethodRouter<Desk>)>| {
        routes.into_iter().fold(Router::new(), |router, (path, handlers)| router.route(path, handlers))
    };
    router(guarded_routes())
        .route_layer(middleware::from_fn_with_state(desk.clone(), auth::require_token))
        .merge(router(open_routes()))
        .fallback(no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}
