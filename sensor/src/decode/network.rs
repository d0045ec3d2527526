//! Records of sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bongsu_event::{Activity, ConnectResult, Dns, NetworkActivity, NetworkOperation, TlsHello, Traffic, Transport};
use bongsu_sensor_abi as abi;

use super::{DecodeError, dns, head, hello, path::Text};

/// What was done to a socket.
pub(super) fn network(record: &abi::Network, operation: NetworkOperation) -> Result<NetworkActivity, DecodeError> {
    let (local, remote) = ends(&record.ends)?;
    let remote = (!matches!(operation, NetworkOperation::Listen | NetworkOperation::Bind)).then_some(remote);
    let result = if operation == NetworkOperation::Connect { connect_result(record) } else { None };
    let traffic = (operation == NetworkOperation::Close).then_some(Traffic {
        sent: record.sent,
        received: record.received,
        lasted_ns: record.lasted_ns,
    });
    let activity = NetworkActivity::new(operation, transport(record.ends.protocol), local, remote);
    Ok(NetworkActivity { result, traffic, ..activity })
}

/// What came of a connect; `None` when the kernel could not wait for it.
fn connect_result(record: &abi::Network) -> Option<ConnectResult> {
    match (record.state, i32::try_from(record.error).unwrap_or(i32::MAX)) {
        (abi::Network::ESTABLISHED, _) => Some(ConnectResult::Established),
        (abi::Network::CLOSED, libc::ECONNREFUSED | libc::ECONNRESET) => Some(ConnectResult::Refused),
        (abi::Network::CLOSED, libc::ETIMEDOUT) => Some(ConnectResult::TimedOut),
        // Without a port on this side nothing was ever sent: this host itself found no way.
        (abi::Network::CLOSED, 0) if record.ends.local_port == 0 => Some(ConnectResult::Unreachable),
        (abi::Network::CLOSED, 0 | libc::ECONNABORTED) => Some(ConnectResult::GivenUp),
        // Whatever else ICMP or this host's own rules made of it.
        (abi::Network::CLOSED, _) => Some(ConnectResult::Unreachable),
        _ => None,
    }
}

/// What a packet to or from a DNS server says. A datagram that is no DNS at all is told as any other to its peer is.
pub(super) fn dns(bytes: &[u8]) -> Result<Option<Activity>, DecodeError> {
    let (packet, payload) = payload(bytes)?;
    let ((local, remote), transport) = (ends(&packet.ends)?, transport(packet.ends.protocol));
    let incoming = packet.header.flags & abi::Packet::INCOMING != 0;
    let message = match transport {
        Transport::Udp => dns::parse(payload),
        // A length goes before each message; some programs send it in a segment of its own.
        Transport::Tcp => payload.get(2..).and_then(dns::parse).or_else(|| dns::parse(payload)),
    };
    if let Some(dns::Message { name, kind, answer }) = message.filter(|message| message.answer.is_some() == incoming) {
        return Ok(Some(Activity::Dns(Dns { name, kind, answer, transport, server: remote })));
    }
    let operation = if incoming { NetworkOperation::Receive } else { NetworkOperation::Send };
    Ok((transport == Transport::Udp)
        .then(|| Activity::Network(NetworkActivity::new(operation, transport, local, Some(remote)))))
}

/// Whom a TLS client asks for; `None` when it asks for no name.
pub(super) fn tls(bytes: &[u8]) -> Result<Option<Activity>, DecodeError> {
    let (packet, payload) = payload(bytes)?;
    let (local, remote) = ends(&packet.ends)?;
    Ok(hello::server_name(payload).map(|server_name| Activity::Tls(TlsHello { server_name, local, remote })))
}

fn payload(bytes: &[u8]) -> Result<(abi::Packet, &[u8]), DecodeError> {
    let packet: abi::Packet = head(bytes)?;
    let payload = Text::behind::<abi::Packet>(bytes).take(packet.payload_len)?;
    Ok((packet, payload))
}

/// This host's end and the other.
fn ends(ends: &abi::Ends) -> Result<(SocketAddr, SocketAddr), DecodeError> {
    let local = SocketAddr::new(address(ends.family, ends.local)?, ends.local_port);
    let remote = SocketAddr::new(address(ends.family, ends.remote)?, ends.remote_port);
    Ok((local, remote))
}

/// Multipath TCP is TCP to whoever looks from outside.
fn transport(protocol: u16) -> Transport {
    if i32::from(protocol) == libc::IPPROTO_UDP { Transport::Udp } else { Transport::Tcp }
}

fn address(family: u16, bytes: [u8; 16]) -> Result<IpAddr, DecodeError> {
    match i32::from(family) {
        libc::AF_INET => Ok(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()),
        // A socket of version 6 that talks version 4 has mapped addresses; people and rules mean the version 4 ones.
        libc::AF_INET6 => Ok(Ipv6Addr::from(bytes).to_canonical()),
        _ => Err(DecodeError::Family(family)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_shown_as_version_4() {
        let mut mapped = [0; 16];
        mapped[10..].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
        assert_eq!(address(10, mapped), Ok(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(address(1, mapped), Err(DecodeError::Family(1)));
    }

    #[test]
    fn the_socket_s_error_says_what_came_of_a_connect() {
        let cases = [
            (1, 0, 9, Some(ConnectResult::Established)),
            (7, libc::ECONNREFUSED, 9, Some(ConnectResult::Refused)),
            (7, libc::ETIMEDOUT, 9, Some(ConnectResult::TimedOut)),
            (7, libc::EHOSTUNREACH, 9, Some(ConnectResult::Unreachable)),
            (7, libc::ENETUNREACH, 9, Some(ConnectResult::Unreachable)),
            (7, 0, 9, Some(ConnectResult::GivenUp)),
            (7, 0, 0, Some(ConnectResult::Unreachable)),
            (0, 0, 0, None),
        ];
        for (state, error, local_port, expected) in cases {
            let ends = abi::Ends { local_port, family: 2, ..abi::Ends::default() };
            let record = abi::Network { ends, state, error: error.unsigned_abs(), ..abi::Network::default() };
            let activity = network(&record, NetworkOperation::Connect).unwrap();
            assert_eq!(activity.result, expected, "state {state}, error {error}, port {local_port}");
        }
    }
}
