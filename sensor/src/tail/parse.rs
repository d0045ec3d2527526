//! From a line to an event. Pure: bytes, a time and a time zone in, an event out.
//!
//! A line is written by whoever can write to the log, and parts of it (user names, commands, directories) by whoever tries to log in.
//! Parsers therefore take what an attacker can write from the end of the line, where the program that logs has the last word, and
//! never fail: a line of unknown form is an event without a meaning.

mod header;
mod pam;
mod sshd;
mod su;
mod sudo;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bongsu_event::{Activity, Event, Log, LogMeaning, Timestamp};
use jiff::tz::TimeZone;

/// A line's own time is believed when it is not later than this after now...
const AHEAD_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// ...and not earlier than this before now.
const BEHIND_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The event of a line of the log `path`, read at `now`.
pub(crate) fn event(path: &[u8], line: Vec<u8>, now: Timestamp, zone: &TimeZone) -> Event {
    let header = header::parse(&line, now, zone);
    let believed = |time: &Timestamp| time.since(now) <= AHEAD_MAX && now.since(*time) <= BEHIND_MAX;
    let time = header.as_ref().and_then(|header| header.time).filter(believed).unwrap_or(now);
    let log = Log {
        path: path.into(),
        program: header.as_ref().map(|header| header.program.into()),
        meaning: header.as_ref().and_then(|header| meaning(header.program, header.text)),
        message: line.into(),
    };
    Event { time, process: None, activity: Activity::Log(log) }
}

fn meaning(program: &[u8], text: &[u8]) -> Option<LogMeaning> {
    let text = repeated(text).unwrap_or(text);
    match program {
        b"sshd" | b"sshd-session" | b"sshd-auth" => sshd::parse(text),
        b"sudo" => sudo::parse(text),
        b"su" | b"su-l" => su::parse(text),
        _ => pam::parse(text),
    }
}

/// What rsyslog says was repeated: `message repeated 3 times: [ Failed password for ...]`. The line is one event, however often.
fn repeated(text: &[u8]) -> Option<&[u8]> {
    let (times, rest) = split_once(text.strip_prefix(b"message repeated ")?, b" times: [ ")?;
    number::<u32>(times)?;
    rest.strip_suffix(b"]")
}

/// Splits at the first occurrence of `separator`.
fn split_once<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bstr::ByteSlice::find(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

/// Splits at the last occurrence of `separator`.
fn rsplit_once<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bstr::ByteSlice::rfind(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

/// What a number or an address is parsed from.
fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
