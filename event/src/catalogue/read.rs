//! How fields read their values off an event.

use std::net::SocketAddr;

use bstr::{BString, ByteSlice};

use super::Value;
use crate::{
    Activity, ConnectResult, Dns, FileActivity, Log, LogMeaning, Login, NetworkActivity, NetworkOperation, Outcome,
    Process, StoredEvent, Tamper, Traffic,
};

pub(super) fn process(event: &StoredEvent) -> Option<&Process> {
    event.event.process.as_deref()
}

pub(super) fn of_process<'a>(event: &'a StoredEvent, read: impl FnOnce(&'a Process) -> Value<'a>) -> Value<'a> {
    process(event).map_or(Value::Absent, read)
}

pub(super) fn of_file<'a>(event: &'a StoredEvent, read: impl FnOnce(&'a FileActivity) -> Value<'a>) -> Value<'a> {
    match &event.event.activity {
        Activity::File(file) => read(file),
        _ => Value::Absent,
    }
}

pub(super) fn of_network<'a>(event: &'a StoredEvent, read: impl FnOnce(&'a NetworkActivity) -> Value<'a>) -> Value<'a> {
    match &event.event.activity {
        Activity::Network(network) => read(network),
        _ => Value::Absent,
    }
}

pub(super) fn of_dns<'a>(event: &'a StoredEvent, read: impl FnOnce(&'a Dns) -> Value<'a>) -> Value<'a> {
    match &event.event.activity {
        Activity::Dns(dns) => read(dns),
        _ => Value::Absent,
    }
}

pub(super) fn of_tamper<'a>(event: &'a StoredEvent, read: impl FnOnce(&'a Tamper) -> Value<'a>) -> Value<'a> {
    match &event.event.activity {
        Activity::Tamper(tamper) => read(tamper),
        _ => Value::Absent,
    }
}

pub(super) fn of_traffic(event: &StoredEvent, read: impl FnOnce(Traffic) -> u64) -> Value<'_> {
    of_network(event, |network| network.traffic.map_or(Value::Absent, |traffic| count(read(traffic))))
}

/// Counts beyond what a signed number holds stay at its end.
pub(super) fn count<'a>(count: u64) -> Value<'a> {
    Value::Number(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(super) fn list<'a>(items: impl IntoIterator<Item = String>) -> Value<'a> {
    let text = items.into_iter().collect::<Vec<_>>().join(" ");
    if text.is_empty() { Value::Absent } else { Value::owned(text.into()) }
}

pub(super) fn of_log<'a>(event: &'a StoredEvent, read: impl FnOnce(&'a Log) -> Value<'a>) -> Value<'a> {
    match &event.event.activity {
        Activity::Log(log) => read(log),
        _ => Value::Absent,
    }
}

pub(super) fn of_login<'a>(event: &'a StoredEvent, read: impl FnOnce(&'a Login) -> Value<'a>) -> Value<'a> {
    of_log(event, |log| match &log.meaning {
        Some(LogMeaning::Login(login)) => read(login),
        _ => Value::Absent,
    })
}

pub(super) fn optional<'a>(text: Option<&'a BString>) -> Value<'a> {
    text.map_or(Value::Absent, |text| Value::text(text))
}

pub(super) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit_str("/").next().unwrap_or(path)
}

/// The account an event is about: who was logging in or asking, else the real user of the process.
pub(super) fn user_name(event: &StoredEvent) -> Value<'_> {
    match &event.event.activity {
        Activity::Log(Log { meaning: Some(LogMeaning::Login(login)), .. }) => Value::text(&login.user),
        Activity::Log(Log { meaning: Some(LogMeaning::Elevation { user, .. }), .. }) => Value::text(user),
        Activity::Authentication(authentication) => Value::text(&authentication.user),
        // After the call the real user may already be the new one; the account that acted is the one before.
        Activity::SetCredentials { before } => optional(before.real.name.as_ref()),
        _ => of_process(event, |process| optional(process.credentials.real.name.as_ref())),
    }
}

pub(super) fn effective_user_name(event: &StoredEvent) -> Value<'_> {
    match &event.event.activity {
        Activity::Log(Log { meaning: Some(LogMeaning::Elevation { target, .. }), .. }) => Value::text(target),
        _ => of_process(event, |process| optional(process.credentials.effective.name.as_ref())),
    }
}

/// Whether what was tried was done, where the event says.
pub(super) fn outcome(activity: &Activity) -> Option<Outcome> {
    match activity {
        Activity::Log(Log { meaning: Some(LogMeaning::Login(Login { outcome, .. })), .. })
        | Activity::Log(Log { meaning: Some(LogMeaning::Elevation { outcome, .. }), .. }) => Some(*outcome),
        Activity::Authentication(authentication) => Some(authentication.outcome),
        Activity::ExecFailed(_) => Some(Outcome::Failure),
        Activity::Network(network) => Some(match network.result? {
            ConnectResult::Established => Outcome::Success,
            _ => Outcome::Failure,
        }),
        _ => None,
    }
}

/// Whether this very event gave somebody root who had not had it: the exec of a set-uid-root file, a setuid call that
/// reached uid 0, or an elevation that a log reports as allowed.
pub(super) fn elevated(event: &StoredEvent) -> Value<'_> {
    Value::Flag(match &event.event.activity {
        Activity::Exec(exec) => {
            exec.image.setuid
                && process(event)
                    .is_some_and(|process| process.credentials.real.id != 0 && process.credentials.effective.id == 0)
        }
        Activity::SetCredentials { before } => {
            before.effective.id != 0 && process(event).is_some_and(|process| process.credentials.effective.id == 0)
        }
        Activity::Log(Log { meaning: Some(LogMeaning::Elevation { outcome, target, .. }), .. }) => {
            *outcome == Outcome::Success && target == "root"
        }
        _ => return Value::Absent,
    })
}

/// Where something went.
pub(super) fn server(activity: &Activity) -> Option<SocketAddr> {
    match activity {
        Activity::Network(network) => destination(network),
        Activity::Dns(dns) => Some(dns.server),
        Activity::Tls(hello) => Some(hello.remote),
        Activity::IoUring(ring) => ring.remote,
        _ => None,
    }
}

pub(super) fn source(network: &NetworkActivity) -> Option<SocketAddr> {
    match network.operation {
        // Who began a connection is not known any more when it ends: this host's end stands for the source.
        NetworkOperation::Connect | NetworkOperation::Send | NetworkOperation::Close => Some(network.local),
        NetworkOperation::Accept | NetworkOperation::Receive => network.remote,
        NetworkOperation::Listen | NetworkOperation::Bind => None,
    }
}

pub(super) fn destination(network: &NetworkActivity) -> Option<SocketAddr> {
    match network.operation {
        NetworkOperation::Connect | NetworkOperation::Send | NetworkOperation::Close => network.remote,
        NetworkOperation::Accept | NetworkOperation::Receive | NetworkOperation::Listen | NetworkOperation::Bind => {
            Some(network.local)
        }
    }
}
