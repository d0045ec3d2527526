//! What holds for every answer: how many at once, how long, and what a browser is told not to do with it.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
    },
    middleware::Next,
    response::Response,
};
use tokio::sync::Semaphore;

use crate::api::Refusal;

/// Each request may hold an incident with thousands of events; this many fit into a small machine.
const REQUESTS_MAX: usize = 32;
const DEADLINE: Duration = Duration::from_secs(30);

/// Only what we serve ourselves, and no script at all.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The places for requests. A request that finds none is refused at once: waiting would only lengthen the queue.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Places {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(REQUESTS_MAX)))
    }
}

/// One place for each request until its answer begins, and no longer than the deadline.
pub(super) async fn limit(State(places): State<Places>, request: Request, next: Next) -> Result<Response, Refusal> {
    let _place = places.0.try_acquire().ok().ok_or(Refusal::Busy)?;
    tokio::time::timeout(DEADLINE, next.run(request)).await.ok().ok_or(Refusal::TooSlow)
}

/// Headers on everything; what a handler set itself stays.
pub(super) async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
