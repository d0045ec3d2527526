//! What was done.

use std::net::{IpAddr, SocketAddr};

use bongsu_event::{
    Activity, Exec, FileActivity, FileOperation, ImageTraits, NetworkActivity, NetworkOperation, Transport,
};

use super::{
    DecodeError, log,
    process::{bytes, decode_credentials, encode_credentials, encode_key, key, optional},
};
use crate::v1::{self, event::Activity as Wire, file, network};

pub(super) fn encode(activity: &Activity) -> Wire {
    match activity {
        Activity::Fork { child } => Wire::Fork(v1::Fork { child: Some(encode_key(*child)) }),
        Activity::Exec(exec) => Wire::Exec(v1::Exec {
            previous_executable: optional(exec.previous_executable.as_ref()),
            script: optional(exec.script.as_ref()),
            memfd: exec.image.memfd,
            deleted: exec.image.deleted,
            setuid: exec.image.setuid,
            inode: exec.inode,
        }),
        Activity::Exit { code, signal } => Wire::Exit(v1::Exit { code: (*code).into(), signal: (*signal).into() }),
        Activity::File(activity) => Wire::File(encode_file(activity)),
        Activity::Network(activity) => Wire::Network(encode_network(activity)),
        Activity::SetCredentials { before } => {
            Wire::SetCredentials(v1::SetCredentials { before: Some(encode_credentials(before)) })
        }
        Activity::Log(line) => Wire::Log(log::encode(line)),
    }
}

pub(super) fn decode(activity: Wire) -> Result<Activity, DecodeError> {
    Ok(match activity {
        Wire::Fork(fork) => Activity::Fork { child: key(fork.child.as_ref(), "fork.child")? },
        Wire::Exec(exec) => Activity::Exec(Exec {
            previous_executable: exec.previous_executable.map(Into::into),
            script: exec.script.map(Into::into),
            image: ImageTraits { memfd: exec.memfd, deleted: exec.deleted, setuid: exec.setuid },
            inode: exec.inode,
        }),
        Wire::Exit(exit) => {
            Activity::Exit { code: byte(exit.code, "exit.code")?, signal: byte(exit.signal, "exit.signal")? }
        }
        Wire::File(file) => Activity::File(decode_file(file)?),
        Wire::Network(network) => Activity::Network(decode_network(&network)?),
        Wire::SetCredentials(set) => {
            Activity::SetCredentials { before: decode_credentials(set.before, "set_credentials.before")? }
        }
        Wire::Log(line) => Activity::Log(log::decode(line)?),
    })
}

fn encode_file(activity: &FileActivity) -> v1::File {
    let operation = match activity.operation {
        FileOperation::Create => file::Operation::Create,
        FileOperation::Write => file::Operation::Write,
        FileOperation::Read => file::Operation::Read,
        FileOperation::Delete => file::Operation::Delete,
        FileOperation::Rename => file::Operation::Rename,
        FileOperation::Chmod => file::Operation::Chmod,
    };
    v1::File {
        operation: operation.into(),
        path: bytes(&activity.path),
        previous_path: optional(activity.previous_path.as_ref()),
        mode: activity.mode,
    }
}

fn decode_file(file: v1::File) -> Result<FileActivity, DecodeError> {
    let operation = match file.operation() {
        file::Operation::Create => FileOperation::Create,
        file::Operation::Write => FileOperation::Write,
        file::Operation::Read => FileOperation::Read,
        file::Operation::Delete => FileOperation::Delete,
        file::Operation::Rename => FileOperation::Rename,
        file::Operation::Chmod => FileOperation::Chmod,
        file::Operation::Unspecified => return Err(invalid("file.operation", file.operation)),
    };
    Ok(FileActivity {
        operation,
        path: file.path.into(),
        previous_path: file.previous_path.map(Into::into),
        mode: file.mode,
    })
}

fn encode_network(activity: &NetworkActivity) -> v1::Network {
    let operation = match activity.operation {
        NetworkOperation::Connect => network::Operation::Connect,
        NetworkOperation::Accept => network::Operation::Accept,
        NetworkOperation::Listen => network::Operation::Listen,
    };
    let transport = match activity.transport {
        Transport::Tcp => network::Transport::Tcp,
        Transport::Udp => network::Transport::Udp,
    };
    v1::Network {
        operation: operation.into(),
        transport: transport.into(),
        local: Some(encode_endpoint(activity.local)),
        remote: activity.remote.map(encode_endpoint),
    }
}

fn decode_network(network: &v1::Network) -> Result<NetworkActivity, DecodeError> {
    let operation = match network.operation() {
        network::Operation::Connect => NetworkOperation::Connect,
        network::Operation::Accept => NetworkOperation::Accept,
        network::Operation::Listen => NetworkOperation::Listen,
        network::Operation::Unspecified => return Err(invalid("network.operation", network.operation)),
    };
    let transport = match network.transport() {
        network::Transport::Tcp => Transport::Tcp,
        network::Transport::Udp => Transport::Udp,
        network::Transport::Unspecified => return Err(invalid("network.transport", network.transport)),
    };
    let local = network.local.as_ref().ok_or(DecodeError::Missing { field: "network.local" })?;
    Ok(NetworkActivity {
        operation,
        transport,
        local: decode_endpoint(local, "network.local")?,
        remote: network.remote.as_ref().map(|remote| decode_endpoint(remote, "network.remote")).transpose()?,
    })
}

fn encode_endpoint(endpoint: SocketAddr) -> v1::Endpoint {
    v1::Endpoint { address: encode_address(endpoint.ip()), port: endpoint.port().into() }
}

fn decode_endpoint(endpoint: &v1::Endpoint, field: &'static str) -> Result<SocketAddr, DecodeError> {
    Ok(SocketAddr::new(decode_address(&endpoint.address, field)?, port(endpoint.port, field)?))
}

pub(super) fn encode_address(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

pub(super) fn decode_address(bytes: &[u8], field: &'static str) -> Result<IpAddr, DecodeError> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Ok(octets.into());
    }
    match <[u8; 16]>::try_from(bytes) {
        Ok(octets) => Ok(octets.into()),
        Err(_) => Err(DecodeError::Address { field, bytes: bytes.len() }),
    }
}

pub(super) fn port(port: u32, field: &'static str) -> Result<u16, DecodeError> {
    u16::try_from(port).ok().ok_or_else(|| invalid(field, port))
}

fn byte(value: u32, field: &'static str) -> Result<u8, DecodeError> {
    u8::try_from(value).ok().ok_or_else(|| invalid(field, value))
}

pub(super) fn invalid(field: &'static str, value: impl Into<i64>) -> DecodeError {
    DecodeError::Invalid { field, value: value.into() }
}
