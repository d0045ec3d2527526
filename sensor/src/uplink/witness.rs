//! Remembers why a connection broke. HTTP/2 tells its user only that it did; what TLS said (a certificate refused, and why) is lost on
//! the way up, and it is what an operator needs to read.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the stream said when it broke.
#[derive(Debug, Clone, Default)]
pub(crate) struct Testimony(Arc<OnceLock<String>>);

impl Testimony {
    /// Why the connection broke, once it did.
    pub(crate) fn why(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// A stream under observation.
#[derive(Debug)]
pub(super) struct Witness<S> {
    stream: S,
    testimony: Testimony,
}

impl<S> Witness<S> {
    pub(super) fn new(stream: S) -> (Self, Testimony) {
        let testimony = Testimony::default();
        (Self { stream, testimony: testimony.clone() }, testimony)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Witness<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &read {
            // The first word is the one that counts.
            self.testimony.0.get_or_init(|| error.to_string());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Witness<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
