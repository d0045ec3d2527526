//! Names: of hosts that were asked for, and of people who were.

use std::fmt::{self, Write as _};

use bongsu_event::{Authentication, Dns, Outcome, Process, TlsHello};

use super::{Actor, Brief};

/// Addresses that a sentence lists.
const ADDRESSES_MAX: usize = 3;

pub(super) fn dns(line: &mut String, process: Option<&Process>, dns: &Dns) -> fmt::Result {
    let (name, kind) = (Brief(&dns.name), dns.kind_word());
    let Some(answer) = &dns.answer else {
        return write!(line, "{} asked {} for {name} ({kind})", Actor(process), dns.server);
    };
    write!(line, "{} was told by {} about {name} ({kind}): {}", Actor(process), dns.server, answer.code_word())?;
    for address in answer.addresses.iter().take(ADDRESSES_MAX) {
        write!(line, ", {address}")?;
    }
    match answer.addresses.len().saturating_sub(ADDRESSES_MAX) {
        0 => Ok(()),
        more => write!(line, " and {more} more"),
    }
}

pub(super) fn hello(line: &mut String, process: Option<&Process>, hello: &TlsHello) -> fmt::Result {
    write!(line, "{} began TLS with {} under the name {}", Actor(process), hello.remote, Brief(&hello.server_name))
}

pub(super) fn authentication(
    line: &mut String,
    process: Option<&Process>,
    authentication: &Authentication,
) -> fmt::Result {
    let (user, service) = (Brief(&authentication.user), Brief(&authentication.service));
    match authentication.outcome {
        Outcome::Success => write!(line, "{user} proved who they are to {service}")?,
        Outcome::Failure => write!(line, "{user} failed to prove who they are to {service}")?,
    }
    if let Some(host) = authentication.remote_host.as_ref().filter(|host| !host.is_empty()) {
        write!(line, " from {}", Brief(host))?;
    }
    write!(line, ", asked by {}", Actor(process))
}
