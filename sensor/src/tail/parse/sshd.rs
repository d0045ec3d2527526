//! OpenSSH's server.
//!
//! The user name is whatever the peer sent: `root from 10.0.0.1 port 22 ssh2` is a fine one. So the address is looked for from the end.

use std::net::IpAddr;

use bongsu_event::{LogMeaning, Login, Outcome};

use super::{number, rsplit_once, split_once};

/// How a peer left before it was let in.
const LEFT: [&[u8]; 3] = [b"Connection closed by ", b"Connection reset by ", b"Disconnected from "];

pub(super) fn parse(text: &[u8]) -> Option<LogMeaning> {
    attempt(text).or_else(|| invalid_user(text)).or_else(|| left(text)).map(LogMeaning::Login)
}

/// `Failed password for [invalid user ]USER from ADDRESS port PORT ssh2`, `Accepted publickey for USER from ... ssh2: KEY`.
fn attempt(text: &[u8]) -> Option<Login> {
    let (outcome, rest) = match (text.strip_prefix(b"Accepted "), text.strip_prefix(b"Failed ")) {
        (Some(rest), _) => (Outcome::Success, rest),
        (_, Some(rest)) => (Outcome::Failure, rest),
        _ => return None,
    };
    let (method, rest) = split_once(rest, b" for ")?;
    if method.contains(&b' ') {
        return None;
    }
    let rest = rest.strip_prefix(b"invalid user ").unwrap_or(rest);
    let (user, source, port) = peer(rest, b" from ", |end| end == b"ssh2" || end.starts_with(b"ssh2: "))?;
    Some(Login { outcome, user: user.into(), source, source_port: Some(port), method: Some(method.into()) })
}

/// `Invalid user USER from ADDRESS port PORT`: an attempt of its own, as nothing else is logged when passwords are not asked for.
fn invalid_user(text: &[u8]) -> Option<Login> {
    let rest = text.strip_prefix(b"Invalid user ")?;
    let (user, source, port) = peer(rest, b" from ", <[u8]>::is_empty)?;
    Some(Login { outcome: Outcome::Failure, user: user.into(), source, source_port: Some(port), method: None })
}

/// `Connection closed by authenticating user USER ADDRESS port PORT [preauth]`: it tried, and no other line need say so.
fn left(text: &[u8]) -> Option<Login> {
    let rest = LEFT.iter().find_map(|prefix| text.strip_prefix(*prefix))?;
    let rest = rest.strip_prefix(b"authenticating user ").or_else(|| rest.strip_prefix(b"invalid user "))?;
    let (user, source, port) = peer(rest, b" ", |end| end == b"[preauth]")?;
    let method = Some("preauth".into());
    Some(Login { outcome: Outcome::Failure, user: user.into(), source, source_port: Some(port), method })
}

/// `USER<separator>ADDRESS port PORT[ END]`, the last such place in the text.
fn peer<'a>(
    text: &'a [u8],
    separator: &[u8],
    is_end: impl Fn(&[u8]) -> bool,
) -> Option<(&'a [u8], Option<IpAddr>, u16)> {
    let mut head = text;
    loop {
        let (before, _) = rsplit_once(head, b" port ")?;
        let after = &text[before.len() + b" port ".len()..];
        let (port, end) = split_once(after, b" ").unwrap_or((after, b""));
        let found =
            rsplit_once(before, separator).or_else(|| before.strip_prefix(&separator[1..]).map(|a| (&b""[..], a)));
        if let (Some((user, address)), Some(port)) = (found, number(port))
            && is_end(end)
            && let Some(address) = source(address)
        {
            return Some((user, address, port));
        }
        head = before;
    }
}

/// An address; sshd writes UNKNOWN when it cannot tell.
fn source(text: &[u8]) -> Option<Option<IpAddr>> {
    match text {
        b"UNKNOWN" => Some(None),
        text => number(text).map(Some),
    }
}
