//! PAM's own lines, for services that say nothing better themselves: console and graphical logins.
//!
//! sshd, sudo and su do say it themselves; reading PAM's line as well would count each attempt twice.

use bongsu_event::{LogMeaning, Login, Outcome};

use super::{number, rsplit_once, split_once};

const SERVICES: [&[u8]; 7] = [b"login", b"gdm-password", b"lightdm", b"sddm", b"xrdp-sesman", b"cockpit", b"vsftpd"];

pub(super) fn parse(text: &[u8]) -> Option<LogMeaning> {
    let rest = text.strip_prefix(b"pam_unix(")?;
    let (place, rest) = split_once(rest, b"): ")?;
    let (service, kind) = split_once(place, b":")?;
    if !SERVICES.contains(&service) {
        return None;
    }
    match kind {
        b"auth" => failure(rest),
        b"session" => opened(service, rest),
        _ => None,
    }
    .map(LogMeaning::Login)
}

/// `authentication failure; logname= uid=0 euid=0 tty=tty1 ruser= rhost=ADDRESS  user=USER`.
fn failure(text: &[u8]) -> Option<Login> {
    let rest = text.strip_prefix(b"authentication failure; ")?;
    let (before, user) = rsplit_once(rest, b" user=")?;
    let (_, host) = rsplit_once(before, b" rhost=")?;
    Some(Login {
        outcome: Outcome::Failure,
        user: user.into(),
        source: number(host.trim_ascii()),
        source_port: None,
        method: None,
    })
}

/// `session opened for user USER(uid=0) by (uid=0)`.
fn opened(service: &[u8], text: &[u8]) -> Option<Login> {
    let rest = text.strip_prefix(b"session opened for user ")?;
    let (user, _) = rsplit_once(rest, b" by ")?;
    let user = rsplit_once(user, b"(uid=").map_or(user, |(user, _)| user);
    Some(Login {
        outcome: Outcome::Success,
        user: user.into(),
        source: None,
        source_port: None,
        method: Some(service.into()),
    })
}
