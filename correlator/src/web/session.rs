//! Who a browser belongs to: the session's cookie.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header::COOKIE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{door, pages::PageRefusal};
use crate::{
    api::{Actor, Desk, Refusal},
    clock,
    store::ApiTokenKind,
};

const NAME: &str = "bongsu_session";
/// One working day.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// Lets through whose cookie holds; shows all others the door.
pub(super) async fn require(
    State(desk): State<Desk>,
    mut request: Request,
    next: Next,
) -> Result<Response, PageRefusal> {
    let name = match cookie(request.headers()) {
        Some(secret) => desk.store.api_token(secret.as_bytes(), ApiTokenKind::Session, clock::now()).await?,
        None if comes_from_elsewhere(request.headers()) => {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            return Ok(door::come_back(path).into_response());
        }
        None => None,
    };
    let Some(name) = name else {
        return Ok((StatusCode::UNAUTHORIZED, door::login(None)).into_response());
    };
    request.extensions_mut().insert(Actor(name));
    Ok(next.run(request).await)
}

/// A link on another site led here, so that the browser kept a `SameSite=Strict` cookie to itself.
fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// The session's secret, if the browser brings one.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == NAME).map(|(_, secret)| secret).filter(|secret| !secret.is_empty())
}

/// Begins a session for `name`; returns the header that gives it to the browser.
pub(super) async fn begin(desk: &Desk, name: &str) -> Result<HeaderValue, Refusal> {
    let secret = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let now = clock::now();
    let end = Some(now.saturating_add(LIFE));
    desk.store.add_api_token(secret.as_bytes(), ApiTokenKind::Session, name, now, end).await?;
    Ok(set_cookie(&secret, LIFE.as_secs(), desk.https))
}

/// The header that makes a browser forget its session.
pub(super) fn forget(desk: &Desk) -> HeaderValue {
    set_cookie("", 0, desk.https)
}

fn set_cookie(secret: &str, seconds: u64, https: bool) -> HeaderValue {
    let secure = if https { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{NAME}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"))
        .expect("base64url is a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        for (header, secret) in [
            ("bongsu_session=abc", Some("abc")),
            ("a=b; bongsu_session=abc; c=d", Some("abc")),
            ("bongsu_session=", None),
            ("xbongsu_session=abc", None),
            ("bongsu_session", None),
        ] {
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(header))]);
            assert_eq!(cookie(&headers), secret, "{header}");
        }
    }
}
