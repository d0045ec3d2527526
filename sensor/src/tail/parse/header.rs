//! The head of a syslog line: when, and which program.
//!
//! `Nov  2 09:11:12 host sshd[123]: text` (RFC 3164: no year, no zone) or `2026-11-22T09:11:12.5+01:00 host sshd[123]: text`.

use bongsu_event::Timestamp;
use jiff::{civil, tz::TimeZone};

use super::{number, split_once};

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAY_NS: i64 = 24 * 60 * 60 * 1_000_000_000;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) time: Option<Timestamp>,
    pub(super) program: &'a [u8],
    pub(super) text: &'a [u8],
}

/// The head of the line, when it has one.
pub(super) fn parse<'a>(line: &'a [u8], now: Timestamp, zone: &TimeZone) -> Option<Header<'a>> {
    let line = without_priority(line);
    let (time, rest) = iso_time(line).or_else(|| bsd_time(line, now, zone))?;
    let (_host, rest) = split_once(rest, b" ")?;
    let end = rest.iter().position(|byte| b"[: ".contains(byte))?;
    let (program, rest) = rest.split_at(end);
    let rest = match rest.strip_prefix(b"[") {
        Some(rest) => split_once(rest, b"]")?.1,
        None => rest,
    };
    let text = rest.strip_prefix(b":")?;
    let text = text.strip_prefix(b" ").unwrap_or(text);
    (!program.is_empty()).then_some(Header { time, program, text })
}

/// `<38>` in front of the line.
fn without_priority(line: &[u8]) -> &[u8] {
    let priority = line.strip_prefix(b"<").and_then(|rest| split_once(rest, b">"));
    match priority {
        Some((number, rest)) if number.len() <= 3 && number.iter().all(u8::is_ascii_digit) => rest,
        _ => line,
    }
}

fn iso_time(line: &[u8]) -> Option<(Option<Timestamp>, &[u8])> {
    if !line.first()?.is_ascii_digit() {
        return None;
    }
    let (time, rest) = split_once(line, b" ")?;
    let time: jiff::Timestamp = number(time)?;
    Some((nanoseconds(time), rest))
}

fn bsd_time<'a>(line: &'a [u8], now: Timestamp, zone: &TimeZone) -> Option<(Option<Timestamp>, &'a [u8])> {
    let (stamp, rest) = line.split_at_checked(15)?;
    let rest = rest.strip_prefix(b" ")?;
    let month = MONTHS.iter().position(|month| stamp.starts_with(month))?;
    let month = i8::try_from(month + 1).ok()?;
    let day = number(stamp.get(4..6)?.trim_ascii_start())?;
    let [hour, b':', minute, b':', second] =
        [two(stamp.get(7..9)?)?, *stamp.get(9)?, two(stamp.get(10..12)?)?, *stamp.get(12)?, two(stamp.get(13..15)?)?]
    else {
        return None;
    };
    let year = jiff::Timestamp::from_nanosecond(now.0.into()).ok()?.to_zoned(zone.clone()).year();
    let in_year = |year: i16| {
        let civil = civil::DateTime::new(year, month, day, signed(hour)?, signed(minute)?, signed(second)?, 0).ok()?;
        nanoseconds(civil.to_zoned(zone.clone()).ok()?.timestamp())
    };
    // The stamp has no year: the latest one in which it is not in the future. A day of grace for clocks and zones.
    let time =
        [year + 1, year, year - 1].into_iter().filter_map(in_year).find(|time| time.0.saturating_sub(now.0) <= DAY_NS);
    Some((time, rest))
}

fn two(digits: &[u8]) -> Option<u8> {
    digits.iter().all(u8::is_ascii_digit).then(|| number(digits))?
}

fn signed(number: u8) -> Option<i8> {
    i8::try_from(number).ok()
}

fn nanoseconds(time: jiff::Timestamp) -> Option<Timestamp> {
    i64::try_from(time.as_nanosecond()).ok().map(Timestamp)
}
