//! What was done.

mod file;
mod network;
mod privilege;
mod tamper;

use bongsu_event::{Activity, Exec, ExecFailed, Family, ImageTraits, Suppressed, Timestamp};

pub(super) use network::{decode_address, encode_address};

use super::{
    DecodeError, log,
    process::{bytes, decode_credentials, encode_credentials, encode_key, key, optional},
};
use crate::{
    limits,
    v1::{self, event::Activity as Wire},
};

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
            upper_layer: exec.image.upper_layer,
            device: exec.device,
            links: exec.links,
            environment: exec.environment.iter().take(limits::EVENT_ENVIRONMENT_MAX).map(bytes).collect(),
        }),
        Activity::ExecFailed(failed) => {
            Wire::ExecFailed(v1::ExecFailed { path: bytes(&failed.path), error: failed.error.into() })
        }
        Activity::SetName { before } => Wire::SetName(v1::SetName { before: bytes(before) }),
        Activity::Exit { code, signal } => Wire::Exit(v1::Exit { code: (*code).into(), signal: (*signal).into() }),
        Activity::File(activity) => Wire::File(file::encode(activity)),
        Activity::Mount(mount) => Wire::Mount(file::encode_mount(mount)),
        Activity::Network(activity) => Wire::Network(network::encode(activity)),
        Activity::Dns(dns) => Wire::Dns(network::encode_dns(dns)),
        Activity::Tls(hello) => Wire::TlsHello(network::encode_hello(hello)),
        Activity::SetCapabilities { before, after } => Wire::SetCapabilities(v1::SetCapabilities {
            before: Some(privilege::encode(*before)),
            after: Some(privilege::encode(*after)),
        }),
        Activity::Namespace(change) => Wire::NamespaceChange(privilege::encode_change(*change)),
        Activity::Tamper(tamper) => Wire::Tamper(tamper::encode(tamper)),
        Activity::IoUring(ring) => Wire::IoUring(tamper::encode_ring(ring)),
        Activity::Authentication(authentication) => Wire::Authentication(log::encode_authentication(authentication)),
        Activity::ShellLine { line } => Wire::ShellLine(v1::ShellLine { line: bytes(line) }),
        Activity::SetCredentials { before } => {
            Wire::SetCredentials(v1::SetCredentials { before: Some(encode_credentials(before)) })
        }
        Activity::Log(line) => Wire::Log(log::encode(line)),
        Activity::Suppressed(left) => Wire::Suppressed(v1::Suppressed {
            family: left.family.number().cast_signed(),
            count: left.count,
            first: left.first.0,
            last: left.last.0,
        }),
    }
}

pub(super) fn decode(activity: Wire) -> Result<Activity, DecodeError> {
    Ok(match activity {
        Wire::Fork(fork) => Activity::Fork { child: key(fork.child.as_ref(), "fork.child")? },
        Wire::Exec(exec) => Activity::Exec(Exec {
            previous_executable: exec.previous_executable.map(Into::into),
            script: exec.script.map(Into::into),
            image: ImageTraits {
                memfd: exec.memfd,
                deleted: exec.deleted,
                setuid: exec.setuid,
                upper_layer: exec.upper_layer,
            },
            inode: exec.inode,
            device: exec.device,
            links: exec.links,
            environment: exec.environment.into_iter().map(Into::into).collect(),
        }),
        Wire::ExecFailed(failed) => Activity::ExecFailed(ExecFailed {
            path: failed.path.into(),
            error: u16::try_from(failed.error).ok().ok_or_else(|| invalid("exec_failed.error", failed.error))?,
        }),
        Wire::SetName(set) => Activity::SetName { before: set.before.into() },
        Wire::Exit(exit) => {
            Activity::Exit { code: byte(exit.code, "exit.code")?, signal: byte(exit.signal, "exit.signal")? }
        }
        Wire::File(wire) => Activity::File(file::decode(wire)?),
        Wire::Mount(mount) => Activity::Mount(file::decode_mount(mount)?),
        Wire::Network(wire) => Activity::Network(network::decode(&wire)?),
        Wire::Dns(dns) => Activity::Dns(network::decode_dns(dns)?),
        Wire::TlsHello(hello) => Activity::Tls(network::decode_hello(hello)?),
        Wire::SetCapabilities(set) => Activity::SetCapabilities {
            before: privilege::decode(set.before, "set_capabilities.before")?,
            after: privilege::decode(set.after, "set_capabilities.after")?,
        },
        Wire::NamespaceChange(change) => Activity::Namespace(privilege::decode_change(&change)?),
        Wire::Tamper(wire) => Activity::Tamper(tamper::decode(wire)?),
        Wire::IoUring(ring) => Activity::IoUring(tamper::decode_ring(ring)?),
        Wire::Authentication(authentication) => Activity::Authentication(log::decode_authentication(authentication)?),
        Wire::ShellLine(shell) => Activity::ShellLine { line: shell.line.into() },
        Wire::SetCredentials(set) => {
            Activity::SetCredentials { before: decode_credentials(set.before, "set_credentials.before")? }
        }
        Wire::Log(line) => Activity::Log(log::decode(line)?),
        Wire::Suppressed(left) => Activity::Suppressed(Suppressed {
            family: u32::try_from(left.family)
                .ok()
                .and_then(Family::from_number)
                .ok_or_else(|| invalid("suppressed.family", left.family))?,
            count: left.count,
            first: Timestamp(left.first),
            last: Timestamp(left.last),
        }),
    })
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
