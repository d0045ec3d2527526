//! The pages: the only room with HTML. Serves them together with the REST API on one listener.
//!
//! Owns how things look to a person with a browser, and sessions: a one-time link becomes a cookie. Refuses scripts, styles from
//! elsewhere and anything that is not its own (the content security policy says so to the browser as well); works without
//! JavaScript, from 360 px up, by day and night. Bounded: so many requests at once, so long for each.

mod door;
mod guard;
mod incident;
mod incidents;
mod layout;
mod login;
mod pages;
mod sensors;
mod session;
#[cfg(test)]
mod tests;

use std::io;

use axum::{
    Router,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    middleware,
    response::IntoResponse,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Desk};

pub(crate) use login::path as login_path;

/// Answers on `listener` until `stop`, then finishes what is being answered.
pub(crate) async fn serve(listener: TcpListener, desk: Desk, stop: CancellationToken) -> io::Result<()> {
    axum::serve(listener, router(desk)).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// API and pages.
fn router(desk: Desk) -> Router {
    let inside = Router::new()
        .route("/", get(pages::incidents))
        .route("/incidents/{id}", get(pages::incident))
        .route("/sensors", get(pages::sensors))
        .route("/logout", post(login::leave))
        .route_layer(middleware::from_fn_with_state(desk.clone(), session::require));
    let outside = Router::new()
        .route("/login", get(login::ask))
        .route("/login/{secret}", get(login::confirm).post(login::enter))
        .route("/static/style.css", get(stylesheet))
        .route("/static/beacon.svg", get(beacon));
    inside
        .merge(outside)
        .fallback(pages::no_such_page)
        .nest(api::BASE, api::router(&desk))
        .layer(middleware::from_fn_with_state(guard::Places::new(), guard::limit))
        .layer(middleware::map_response(guard::harden))
        .with_state(desk)
}

async fn stylesheet() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], include_str!("web/style.css"))
}

async fn beacon() -> impl IntoResponse {
    ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "max-age=86400")], include_str!("web/beacon.svg"))
}
