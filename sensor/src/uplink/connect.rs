//! A channel to the correlator: TCP, TLS 1.3, HTTP/2.

use std::{io, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use super::witness::{Testimony, Witness};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_WORD_WITHIN: Duration = Duration::from_secs(1);
/// A correlator that vanished without a word is noticed within the sum of these.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The address is none.
    #[error("{0:?} is not HOST:PORT")]
    Address(String),
    /// Nobody is there, or TLS failed.
    #[error("cannot connect")]
    Io(#[from] io::Error),
    /// Neither yes nor no came in time.
    #[error("no answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    /// HTTP/2 could not begin.
    #[error("cannot speak HTTP/2")]
    Http(#[from] tonic::transport::Error),
}

/// Connects to `host:port`; the server's certificate must be for `host`. Also says, later, why the connection broke.
pub(crate) async fn connect(address: &str, config: Arc<ClientConfig>) -> Result<(Channel, Testimony), ConnectError> {
    let invalid = || ConnectError::Address(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port: u16 = port.parse().ok().ok_or_else(invalid)?;
    let name = ServerName::try_from(host.clone()).ok().ok_or_else(invalid)?;
    let endpoint = Endpoint::from_shared(format!("http://{address}")).ok().ok_or_else(invalid)?;

    let open = async {
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        stream.set_nodelay(true)?;
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        // A refusal of our certificate follows the handshake. Whoever accepts it speaks first too (HTTP/2 SETTINGS), so waiting for either
        // costs nothing, and no write of ours can run into a closed connection before the reason was read.
        if let Ok(readable) = timeout(FIRST_WORD_WITHIN, stream.get_ref().0.readable()).await {
            readable?;
        }
        Ok::<_, io::Error>(stream)
    };
    let stream = timeout(CONNECT_TIMEOUT, open).await.or(Err(ConnectError::Timeout))??;

    // One stream for one channel: when it breaks the session ends, and the next session makes its own.
    let (stream, testimony) = Witness::new(stream);
    let mut stream = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_: Uri| {
        let stream = stream.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
        async move { stream }
    });
    let endpoint =
        endpoint.http2_keep_alive_interval(KEEPALIVE).keep_alive_timeout(KEEPALIVE_TIMEOUT).keep_alive_while_idle(true);
    Ok((endpoint.connect_with_connector(connector).await?, testimony))
}
