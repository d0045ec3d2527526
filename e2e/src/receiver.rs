//! A small HTTP server on loopback in a thread of its own: what the receivers of messages and documents are built on.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::{runtime, sync::oneshot};

/// A request as a receiver judges it.
pub struct Request {
    /// `POST`, ...
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// In lower case, without parameters; empty when the client said none.
    pub content_type: String,
    /// All of it.
    pub body: Bytes,
}

/// What a receiver answers.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// Seconds for a `Retry-After` header.
    pub retry_after: Option<u64>,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(header::CONTENT_TYPE, self.content_type)], self.body).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A running server. It ends when this is dropped.
pub struct Receiver {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Starts one that answers each request by `judge`.
    ///
    /// # Errors
    /// When no port can be had on loopback.
    pub fn start(judge: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot bind to loopback")?;
        listener.set_nonblocking(true).context("cannot serve without blocking")?;
        let address = listener.local_addr().context("cannot tell the port")?;
        let judge = Arc::new(judge);
        let router = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let content_type =
                headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let answer = judge(&Request { method, path: uri.path().to_owned(), content_type, body });
            async move { answer }
        });
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let until = async move { drop(stopped.await) };
            drop(runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, router).with_graceful_shutdown(until).await
            }));
        });
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A judge that panicked has told so already.
            drop(thread.join());
        }
    }
}
