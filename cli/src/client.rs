//! Requests to the REST API.

use std::time::Duration;

use bongsu_api::Problem;
use reqwest::{
    Method, RequestBuilder, Response, StatusCode, Url,
    header::{AUTHORIZATION, HeaderValue},
    redirect,
};
use serde::de::DeserializeOwned;

use crate::{connection::Connection, exit::Exit};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// An incident whole, with thousands of events, is a few of these.
const JSON_BYTES_MAX: usize = 64 << 20;
const PROBLEM_BYTES_MAX: usize = 64 << 10;

/// Talks to one correlator.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    authorization: HeaderValue,
}

/// Why an answer did not come, or was a refusal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("cannot reach the correlator at {base}")]
    Unreachable { base: Url, source: reqwest::Error },
    #[error("the correlator's answer broke off")]
    Broken { source: reqwest::Error },
    #[error("{problem}")]
    Refused { status: StatusCode, problem: String },
    #[error("the answer is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    #[error("the answer is not one that this version understands")]
    Meaning { source: serde_json::Error },
}

impl RequestError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } => Exit::Unavailable,
            Self::TooLarge { .. } | Self::Meaning { .. } => Exit::Protocol,
            Self::Refused { status, .. } => match *status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::NoPermission,
                StatusCode::NOT_FOUND => Exit::NotFound,
                // What is stored is not what was taken.
                StatusCode::CONFLICT => Exit::NotVerified,
                status if status.is_client_error() => Exit::Usage,
                status if status.is_server_error() => Exit::Unavailable,
                _ => Exit::Protocol,
            },
        }
    }
}

impl Client {
    pub(crate) fn new(connection: Connection) -> Self {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", connection.token.0))
            .expect("a token is printable ASCII, which was checked when it was read");
        authorization.set_sensitive(true);
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            // The token is for one correlator; no proxy and no redirect may carry it elsewhere.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("bongsu/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("main installed the one crypto provider, and nothing else here can fail");
        Self { http, base: connection.url, authorization }
    }

    /// Reads what is under `path`, a list of segments below `/api/v1`.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, RequestError> {
        let response = self.send(self.request(Method::GET, path, query)).await?;
        meaning(&body(response, JSON_BYTES_MAX).await?)
    }

    /// Makes something under `path`.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, RequestError> {
        let response = self.send(self.request(Method::POST, path, &[])).await?;
        meaning(&body(response, JSON_BYTES_MAX).await?)
    }

    /// The bytes under `path`, as they come.
    pub(crate) async fn bytes(&self, path: &[&str]) -> Result<Response, RequestError> {
        self.send(self.request(Method::GET, path, &[])).await
    }

    fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("an http URL has a path, and only http URLs pass the check in `connection`")
            .pop_if_empty()
            .extend(["api", "v1"].iter().chain(path));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.http.request(method, url).header(AUTHORIZATION, self.authorization.clone())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, RequestError> {
        let response = request
            .send()
            .await
            .map_err(|source| RequestError::Unreachable { base: self.base.clone(), source: source.without_url() })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = body(response, PROBLEM_BYTES_MAX).await.unwrap_or_default();
        let problem = serde_json::from_slice::<Problem>(&body)
            .map_or_else(|_| format!("the correlator answered {status}"), |problem| problem.error);
        Err(RequestError::Refused { status, problem })
    }
}

fn meaning<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestError> {
    serde_json::from_slice(body).map_err(|source| RequestError::Meaning { source })
}

async fn body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, RequestError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|source| RequestError::Broken { source })? {
        if body.len() + piece.len() > bytes_max {
            return Err(RequestError::TooLarge { bytes_max });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
