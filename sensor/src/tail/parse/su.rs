//! su, of util-linux and of shadow.

use bongsu_event::{LogMeaning, Outcome};

use super::{rsplit_once, split_once};

/// `(to TARGET) USER on TTY`, `FAILED SU (to TARGET) USER on TTY`, `Successful su for TARGET by USER`, `FAILED su for TARGET by USER`.
pub(super) fn parse(text: &[u8]) -> Option<LogMeaning> {
    let (outcome, target, user) = util_linux(text).or_else(|| shadow(text))?;
    Some(LogMeaning::Elevation { outcome, user: user.into(), target: target.into(), command: None })
}

fn util_linux(text: &[u8]) -> Option<(Outcome, &[u8], &[u8])> {
    let (outcome, rest) = match text.strip_prefix(b"FAILED SU ") {
        Some(rest) => (Outcome::Failure, rest),
        None => (Outcome::Success, text),
    };
    let (target, rest) = split_once(rest.strip_prefix(b"(to ")?, b") ")?;
    let (user, _tty) = rsplit_once(rest, b" on ")?;
    Some((outcome, target, user))
}

fn shadow(text: &[u8]) -> Option<(Outcome, &[u8], &[u8])> {
    let (outcome, rest) = match (text.strip_prefix(b"Successful su for "), text.strip_prefix(b"FAILED su for ")) {
        (Some(rest), _) => (Outcome::Success, rest),
        (_, Some(rest)) => (Outcome::Failure, rest),
        _ => return None,
    };
    let (target, user) = split_once(rest, b" by ")?;
    Some((outcome, target, user))
}
