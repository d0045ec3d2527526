//! sudo.

use bongsu_event::{LogMeaning, Outcome};

use super::split_once;

/// `USER : [REASON ; ]TTY=... ; PWD=... ; USER=TARGET ; [...] COMMAND=...`. A reason means that it was refused.
///
/// Directory and command are the user's to choose and may hold ` ; USER=nobody`. Where the line could be read in more ways than one,
/// a reading in which the target is root wins: nobody hides a change to root in the name of a directory.
pub(super) fn parse(text: &[u8]) -> Option<LogMeaning> {
    let (user, rest) = split_once(text.trim_ascii_start(), b" : ")?;
    let outcome = match rest.starts_with(b"TTY=") || rest.starts_with(b"PWD=") {
        true => Outcome::Success,
        false => Outcome::Failure,
    };
    let (before, mut command) = split_once(rest, b" ; COMMAND=").unwrap_or((rest, b""));
    let mut targets = Vec::new();
    let mut next = before;
    loop {
        while let Some((_, after)) = split_once(next, b" ; USER=") {
            targets.push(split_once(after, b" ; ").map_or(after, |(target, _)| target));
            next = after;
        }
        // A directory may have held what looks like a command.
        match split_once(command, b" ; COMMAND=") {
            Some((between, after)) => (next, command) = (between, after),
            None => break,
        }
    }
    let target = targets.iter().find(|target| **target == b"root").or(targets.first())?;
    let command = split_once(rest, b" ; COMMAND=").map(|(_, command)| command.into());
    Some(LogMeaning::Elevation { outcome, user: user.into(), target: (*target).into(), command })
}
