//! Sockets, names, endpoints.

use std::net::{IpAddr, SocketAddr};

use bongsu_event::{ConnectResult, Dns, DnsAnswer, NetworkActivity, NetworkOperation, TlsHello, Traffic, Transport};

use super::{DecodeError, byte, bytes, invalid, port};
use crate::{
    limits,
    v1::{self, network},
};

pub(super) fn encode(activity: &NetworkActivity) -> v1::Network {
    let operation = match activity.operation {
        NetworkOperation::Connect => network::Operation::Connect,
        NetworkOperation::Accept => network::Operation::Accept,
        NetworkOperation::Listen => network::Operation::Listen,
        NetworkOperation::Bind => network::Operation::Bind,
        NetworkOperation::Close => network::Operation::Close,
        NetworkOperation::Send => network::Operation::Send,
        NetworkOperation::Receive => network::Operation::Receive,
    };
    let result = activity.result.map_or(network::Result::Unspecified, |result| match result {
        ConnectResult::Established => network::Result::Established,
        ConnectResult::Refused => network::Result::Refused,
        ConnectResult::TimedOut => network::Result::TimedOut,
        ConnectResult::Unreachable => network::Result::Unreachable,
        ConnectResult::GivenUp => network::Result::GivenUp,
    });
    v1::Network {
        operation: operation.into(),
        transport: encode_transport(activity.transport).into(),
        local: Some(encode_endpoint(activity.local)),
        remote: activity.remote.map(encode_endpoint),
        result: result.into(),
        traffic: activity.traffic.map(|traffic| v1::Traffic {
            sent: traffic.sent,
            received: traffic.received,
            lasted_ns: traffic.lasted_ns,
        }),
    }
}

pub(super) fn decode(network: &v1::Network) -> Result<NetworkActivity, DecodeError> {
    let operation = match network.operation() {
        network::Operation::Connect => NetworkOperation::Connect,
        network::Operation::Accept => NetworkOperation::Accept,
        network::Operation::Listen => NetworkOperation::Listen,
        network::Operation::Bind => NetworkOperation::Bind,
        network::Operation::Close => NetworkOperation::Close,
        network::Operation::Send => NetworkOperation::Send,
        network::Operation::Receive => NetworkOperation::Receive,
        network::Operation::Unspecified => return Err(invalid("network.operation", network.operation)),
    };
    let result = match network.result() {
        network::Result::Unspecified => None,
        network::Result::Established => Some(ConnectResult::Established),
        network::Result::Refused => Some(ConnectResult::Refused),
        network::Result::TimedOut => Some(ConnectResult::TimedOut),
        network::Result::Unreachable => Some(ConnectResult::Unreachable),
        network::Result::GivenUp => Some(ConnectResult::GivenUp),
    };
    let local = network.local.as_ref().ok_or(DecodeError::Missing { field: "network.local" })?;
    Ok(NetworkActivity {
        operation,
        transport: decode_transport(network.transport(), "network.transport")?,
        local: decode_endpoint(local, "network.local")?,
        remote: network.remote.as_ref().map(|remote| decode_endpoint(remote, "network.remote")).transpose()?,
        result,
        traffic: network.traffic.map(|traffic| Traffic {
            sent: traffic.sent,
            received: traffic.received,
            lasted_ns: traffic.lasted_ns,
        }),
    })
}

fn encode_transport(transport: Transport) -> network::Transport {
    match transport {
        Transport::Tcp => network::Transport::Tcp,
        Transport::Udp => network::Transport::Udp,
    }
}

fn decode_transport(transport: network::Transport, field: &'static str) -> Result<Transport, DecodeError> {
    match transport {
        network::Transport::Tcp => Ok(Transport::Tcp),
        network::Transport::Udp => Ok(Transport::Udp),
        network::Transport::Unspecified => Err(invalid(field, transport as i32)),
    }
}

pub(super) fn encode_dns(dns: &Dns) -> v1::Dns {
    v1::Dns {
        name: bytes(&dns.name),
        kind: dns.kind.into(),
        answer: dns.answer.as_ref().map(|answer| v1::DnsAnswer {
            code: answer.code.into(),
            addresses: answer.addresses.iter().copied().take(limits::DNS_RECORDS_MAX).map(encode_address).collect(),
            names: answer.names.iter().take(limits::DNS_RECORDS_MAX).map(bytes).collect(),
        }),
        transport: encode_transport(dns.transport).into(),
        server: Some(encode_endpoint(dns.server)),
    }
}

pub(super) fn decode_dns(dns: v1::Dns) -> Result<Dns, DecodeError> {
    let transport = decode_transport(dns.transport(), "dns.transport")?;
    let answer = dns.answer.map(|answer| {
        let addresses = answer.addresses.iter().map(|address| decode_address(address, "dns.answer.addresses"));
        Ok(DnsAnswer {
            code: byte(answer.code, "dns.answer.code")?,
            addresses: addresses.collect::<Result<_, _>>()?,
            names: answer.names.into_iter().map(Into::into).collect(),
        })
    });
    Ok(Dns {
        name: dns.name.into(),
        kind: port(dns.kind, "dns.kind")?,
        answer: answer.transpose()?,
        transport,
        server: decode_endpoint(&dns.server.ok_or(DecodeError::Missing { field: "dns.server" })?, "dns.server")?,
    })
}

pub(super) fn encode_hello(hello: &TlsHello) -> v1::TlsHello {
    v1::TlsHello {
        server_name: bytes(&hello.server_name),
        local: Some(encode_endpoint(hello.local)),
        remote: Some(encode_endpoint(hello.remote)),
    }
}

pub(super) fn decode_hello(hello: v1::TlsHello) -> Result<TlsHello, DecodeError> {
    let local = hello.local.ok_or(DecodeError::Missing { field: "tls_hello.local" })?;
    let remote = hello.remote.ok_or(DecodeError::Missing { field: "tls_hello.remote" })?;
    Ok(TlsHello {
        server_name: hello.server_name.into(),
        local: decode_endpoint(&local, "tls_hello.local")?,
        remote: decode_endpoint(&remote, "tls_hello.remote")?,
    })
}

pub(super) fn encode_endpoint(endpoint: SocketAddr) -> v1::Endpoint {
    v1::Endpoint { address: encode_address(endpoint.ip()), port: endpoint.port().into() }
}

pub(super) fn decode_endpoint(endpoint: &v1::Endpoint, field: &'static str) -> Result<SocketAddr, DecodeError> {
    Ok(SocketAddr::new(decode_address(&endpoint.address, field)?, port(endpoint.port, field)?))
}

pub(in crate::convert) fn encode_address(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

pub(in crate::convert) fn decode_address(bytes: &[u8], field: &'static str) -> Result<IpAddr, DecodeError> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Ok(octets.into());
    }
    match <[u8; 16]>::try_from(bytes) {
        Ok(octets) => Ok(octets.into()),
        Err(_) => Err(DecodeError::Address { field, bytes: bytes.len() }),
    }
}
