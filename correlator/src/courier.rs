//! The courier: one bounded POST to a server outside, for the rooms that speak to one (advise, notify, export).
//!
//! Owns what all of them must refuse: an answer that takes longer than its deadline (connecting and a trickling body included), one
//! larger than its bound, and a redirect, which would carry facts or secrets to a place nobody configured. Proxies are not taken from
//! the environment: where facts go is said by the configuration alone. Nothing is retried here; the caller decides.

use std::{error::Error as _, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};

/// Carries letters to one server.
#[derive(Debug, Clone)]
pub(crate) struct Courier {
    client: Client,
    url: Url,
    authorization: Option<HeaderValue>,
    answer_bytes_max: usize,
}

/// How a courier is to behave.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// How large an answer may be.
    pub(crate) answer_bytes_max: usize,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// In lower case, without parameters; empty when the server said none.
    pub(crate) content_type: String,
    /// How long the server wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// Why nothing usable came back. The address is left out: it may be a secret itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PostError {
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("no whole answer within {} s", .0.as_secs_f32())]
    TooSlow(Duration),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the server answered with a redirect ({0}), which is not followed")]
    Redirected(StatusCode),
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Why a courier cannot be hired.
#[derive(Debug, thiserror::Error)]
#[error("cannot make an HTTP client")]
pub(crate) struct BuildError(#[source] reqwest::Error);

impl Courier {
    /// A courier for `url`; `authorization` goes with each letter and into no log.
    pub(crate) fn new(url: Url, authorization: Option<HeaderValue>, terms: &Terms) -> Result<Self, BuildError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Two couriers made at once may both try; either wins with the same provider.
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("bongsu/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(BuildError)?;
        Ok(Self { client, url, authorization, answer_bytes_max: terms.answer_bytes_max })
    }

    /// Delivers `body` and waits for the whole answer.
    pub(crate) async fn post(
        &self,
        content_type: &'static str,
        body: impl Into<reqwest::Body>,
        deadline: Duration,
    ) -> Result<Answer, PostError> {
        let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, content_type).timeout(deadline);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let failed = |error| explain(error, deadline);
        let mut response = request.body(body).send().await.map_err(failed)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(PostError::Redirected(status));
        }
        let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        // The form with a date is rare and depends on two clocks: such a server is left alone for as long as our own backoff says.
        let retry_after = header(RETRY_AFTER).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.answer_bytes_max {
                return Err(PostError::TooLarge(self.answer_bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, content_type, retry_after, body: body.freeze() })
    }
}

fn explain(error: reqwest::Error, deadline: Duration) -> PostError {
    if error.is_timeout() {
        return PostError::TooSlow(deadline);
    }
    let connect = error.is_connect();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    if connect { PostError::Connect(text) } else { PostError::Broken(text) }
}

/// Reads an address that a courier can go to: http or https, with a host, without a user or a password in it.
pub(crate) fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("not an http or https URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a password does not belong into a URL: use the key for it".to_owned());
    }
    Ok(url)
}
