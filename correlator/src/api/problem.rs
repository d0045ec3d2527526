//! How a refusal looks from outside.

use axum::{
    Json,
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use bongsu_api::Problem;
use bongsu_event::Shown;

use crate::store::{ReadError, WriteError};

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("a valid token is needed: Authorization: Bearer TOKEN")]
    NoToken,
    #[error("there is no {what} {name}")]
    NotFound { what: &'static str, name: String },
    #[error("the address {0} means nothing here")]
    NoRoute(String),
    #[error("{0} is not possible here")]
    NoMethod(Method),
    #[error("{0}")]
    Malformed(String),
    #[error("too many requests at once; try again in a moment")]
    Busy,
    #[error("this took too long and was given up")]
    TooSlow,
    /// What went wrong on our side. The log has it; the answer does not.
    #[error("something went wrong here; the correlator's log says what")]
    Read(#[from] ReadError),
    #[error("something went wrong here; the correlator's log says what")]
    Write(#[from] WriteError),
    #[error("the stored bytes are not the ones that were taken: evidence {0} was changed in the store")]
    Altered(bongsu_event::EvidenceId),
    #[error("the bytes of this evidence cannot be read; the correlator's log says why")]
    Content(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Refusal {
    pub(crate) fn not_found(what: &'static str, name: &str) -> Self {
        let name: String = name.chars().take(80).collect();
        Self::NotFound { what, name: Shown(name.as_bytes()).to_string() }
    }

    /// Something in the request that does not read as what it should be.
    pub(crate) fn malformed(error: &impl ToString) -> Self {
        Self::Malformed(Shown(error.to_string().as_bytes()).to_string())
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::NotFound { .. } | Self::NoRoute(_) => StatusCode::NOT_FOUND,
            Self::NoMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Altered(_) => StatusCode::CONFLICT,
            Self::Busy | Self::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
            Self::Read(_) | Self::Write(_) | Self::Content(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Tells the log what the answer keeps to itself.
    pub(crate) fn log(&self) {
        if self.status() == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %Chain(self), "a request failed");
        }
    }
}

/// An error and what caused it, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut error = self.0.source();
        write!(f, "{}", self.0)?;
        while let Some(cause) = error {
            write!(f, ": {cause}")?;
            error = cause.source();
        }
        Ok(())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.log();
        let status = self.status();
        let mut response = (status, Json(Problem { error: self.to_string() })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Bearer realm=\"bongsu\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

pub(crate) async fn no_such_route(uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(120).collect();
    Refusal::NoRoute(Shown(path.as_bytes()).to_string())
}

pub(super) async fn no_such_method(method: Method) -> Refusal {
    Refusal::NoMethod(method)
}
