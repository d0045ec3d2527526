//! A TLS listener with bounds of its own: so many connections, so much time for a handshake. tonic has neither.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustls::{
    pki_types::{CertificateDer, UnixTime},
    server::danger::ClientCertVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

/// How long a refused peer gets to read why.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: u64 = 64 * 1024;
/// After an `accept` that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) connections_max: usize,
    pub(super) handshake_max: Duration,
}

/// A bound socket and how to speak TLS on it.
pub(super) struct Listener {
    what: &'static str,
    socket: TcpListener,
    tls: Tls,
    bounds: Bounds,
}

/// How to speak TLS, and who decides about client certificates where they are asked for.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    check: Option<Arc<dyn ClientCertVerifier>>,
}

/// A connection after its handshake. Holds its place among the listener's connections for as long as it lives.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Arc<Peer>,
    _place: OwnedSemaphorePermit,
}

/// The far end of a connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// The certificate it proved to hold the key of, signed by our authority for a client and valid now; or why there is none.
    pub(super) certificate: Result<CertificateDer<'static>, CertificateRefusal>,
}

/// Why a peer's certificate does not count.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum CertificateRefusal {
    #[error("no client certificate was shown; join with a token first")]
    Missing,
    #[error("the client certificate is not a valid one of this correlator's authority")]
    Refused(#[source] rustls::Error),
}

impl Tls {
    pub(super) fn new(config: Arc<rustls::ServerConfig>, check: Option<Arc<dyn ClientCertVerifier>>) -> Self {
        Self { acceptor: TlsAcceptor::from(config), check }
    }

    /// What counts of the certificates a peer showed.
    fn judge(&self, shown: Option<&[CertificateDer<'static>]>) -> Result<CertificateDer<'static>, CertificateRefusal> {
        let (Some(check), Some([leaf, others @ ..])) = (&self.check, shown) else {
            return Err(CertificateRefusal::Missing);
        };
        check.verify_client_cert(leaf, others, UnixTime::now()).map_err(CertificateRefusal::Refused)?;
        Ok(leaf.clone())
    }
}

impl Listener {
    pub(super) fn new(what: &'static str, socket: TcpListener, tls: Tls, bounds: Bounds) -> Self {
        Self { what, socket, tls, bounds }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }

    /// Accepts until `stop`. At the bound it accepts no more until a connection ends: peers wait in the kernel's backlog.
    pub(super) fn serve(self, stop: &CancellationToken) -> ReceiverStream<io::Result<Connection>> {
        let (ready, connections) = mpsc::channel(16);
        tokio::spawn(stop.clone().run_until_cancelled_owned(self.accept(ready)));
        ReceiverStream::new(connections)
    }

    async fn accept(self, ready: mpsc::Sender<io::Result<Connection>>) {
        let places = Arc::new(Semaphore::new(self.bounds.connections_max));
        let Self { what, socket, tls, bounds } = self;
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let (stream, address) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(listener = what, %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (tls, ready) = (tls.clone(), ready.clone());
            tokio::spawn(async move {
                match timeout(bounds.handshake_max, handshake(&tls, stream, address, place)).await {
                    Ok(Ok(connection)) => {
                        // Fails only when the server has ended, and the connection with it.
                        drop(ready.send(Ok(connection)).await);
                    }
                    Ok(Err(error)) => tracing::warn!(listener = what, %address, %error, "refused a connection"),
                    Err(_) => tracing::warn!(listener = what, %address, "a TLS handshake took too long"),
                }
            });
        }
    }
}

async fn handshake(
    tls: &Tls,
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    match tls.acceptor.accept(stream).into_fallible().await {
        Ok(stream) => {
            let certificate = tls.judge(stream.get_ref().1.peer_certificates());
            Ok(Connection { stream, peer: Arc::new(Peer { address, certificate }), _place: place })
        }
        Err((error, stream)) => {
            // A lingering peer must not be confused with the refusal, which stands.
            drop(timeout(LINGER, linger(stream)).await);
            Err(error)
        }
    }
}

/// Lets the alert reach the peer: closing a socket that holds unread bytes resets the connection, and a reset discards the alert.
async fn linger(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut rest = stream.take(LINGER_BYTES_MAX);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

impl Connected for Connection {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
