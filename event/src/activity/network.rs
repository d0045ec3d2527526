//! Sockets and connections.

use std::net::SocketAddr;

use bstr::BString;

/// What was done to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetworkOperation {
    /// A connection was begun from here; [`NetworkActivity::result`] says what came of it, where the hook waits for that.
    Connect,
    /// A connection from elsewhere was accepted.
    Accept,
    /// The socket began to listen.
    Listen,
    /// The socket was given an address of this host.
    Bind,
    /// A connection ended; [`NetworkActivity::traffic`] says what went over it.
    Close,
    /// The first datagram to this peer for a while.
    Send,
    /// The first datagram from this peer for a while.
    Receive,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One operation on one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkActivity {
    /// What was done.
    pub operation: NetworkOperation,
    /// The protocol.
    pub transport: Transport,
    /// This host's end.
    pub local: SocketAddr,
    /// The other end; absent for a socket that listens or was bound.
    pub remote: Option<SocketAddr>,
    /// What came of a connect; absent where the hook cannot know.
    pub result: Option<ConnectResult>,
    /// What went over a connection that ended.
    pub traffic: Option<Traffic>,
}

impl NetworkActivity {
    /// An operation of which nothing is known but the ends.
    #[must_use]
    pub fn new(
        operation: NetworkOperation,
        transport: Transport,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) -> Self {
        Self { operation, transport, local, remote, result: None, traffic: None }
    }
}

/// What came of a connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectResult {
    /// The connection stands.
    Established,
    /// The other end said no.
    Refused,
    /// Nobody answered in time.
    TimedOut,
    /// A router or this host said that there is no way.
    Unreachable,
    /// The program closed the socket before there was an answer.
    GivenUp,
}

impl ConnectResult {
    /// Its word in the catalogue.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::Unreachable => "unreachable",
            Self::GivenUp => "given-up",
        }
    }
}

/// What went over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Traffic {
    /// Bytes of payload that the other end confirmed.
    pub sent: u64,
    /// Bytes of payload that came.
    pub received: u64,
    /// How long it stood, in nanoseconds.
    pub lasted_ns: u64,
}

/// The first words of a TLS client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsHello {
    /// The name it asked for (SNI), by the bytes it sent.
    pub server_name: BString,
    /// This host's end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}
