//! How sensors, events, processes and evidence are named. Each name has one text form, and reads back from it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Text that is not the name it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not {expected}")]
pub struct ParseIdError {
    /// What was read.
    pub text: String,
    /// What it should have looked like.
    pub expected: &'static str,
}

fn refuse(text: &str, expected: &'static str) -> ParseIdError {
    ParseIdError { text: text.chars().take(120).collect(), expected }
}

/// A sensor, as its certificate names it. Given at enrolment, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SensorId(pub Uuid);

impl fmt::Display for SensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for SensorId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).ok().map(Self).ok_or_else(|| refuse(text, "a sensor id (a UUID)"))
    }
}

/// The key of an event in the store, and the only name it has: `SENSOR:EPOCH:SEQ`.
///
/// The order is by sensor, then epoch, then sequence number, which is the order in which one sensor spooled them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// Whose event it is.
    pub sensor: SensorId,
    /// Which life of the sensor's spool: the Unix time in seconds at which the spool was created.
    pub epoch: u64,
    /// The place in the spool, counted from 1 without gaps.
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.sensor, self.epoch, self.seq)
    }
}

impl FromStr for EventId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split(':');
            let sensor = parts.next()?.parse().ok()?;
            let epoch = parts.next()?.parse().ok()?;
            let seq = parts.next()?.parse().ok()?;
            parts.next().is_none().then_some(Self { sensor, epoch, seq })
        };
        parse().ok_or_else(|| refuse(text, "an event id (SENSOR:EPOCH:SEQ)"))
    }
}

/// A process, named so that it stays the same over exec and is never confused with a later process of the same pid:
/// boot, pid and start time.
///
/// Text form: `BOOT-PID-START` with boot in 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessKey {
    /// The first eight bytes, big endian, of the kernel's boot id.
    pub boot: u64,
    /// The thread group id in the initial pid namespace.
    pub pid: u32,
    /// When the thread group leader started, in clock ticks of 10 ms since boot (suspend included). That is all `/proc` tells of
    /// processes older than the sensor; no kernel runs through all pids within one tick.
    pub start: u64,
}

impl fmt::Display for ProcessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}-{}", self.boot, self.pid, self.start)
    }
}

impl FromStr for ProcessKey {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('-');
            let boot = parts.next().filter(|boot| boot.len() == 16)?;
            let boot = u64::from_str_radix(boot, 16).ok()?;
            let pid = parts.next()?.parse().ok()?;
            let start = parts.next()?.parse().ok()?;
            parts.next().is_none().then_some(Self { boot, pid, start })
        };
        parse().ok_or_else(|| refuse(text, "a process key (BOOT-PID-START)"))
    }
}

/// Evidence is named by the SHA-256 of its bytes, in 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvidenceId(pub [u8; 32]);

impl fmt::Display for EvidenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for EvidenceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let parse = || {
            let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
            let mut id = [0; 32];
            for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
            }
            Some(Self(id))
        };
        parse().ok_or_else(|| refuse(text, "an evidence id (a SHA-256 in 64 lower-case hexadecimal digits)"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_reads_back_from_its_text(boot: u64, pid: u32, start: u64, sensor: u128, epoch: u64, seq: u64, sha: [u8; 32]) {
            let key = ProcessKey { boot, pid, start };
            prop_assert_eq!(key.to_string().parse(), Ok(key));
            let id = EventId { sensor: SensorId(Uuid::from_u128(sensor)), epoch, seq };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            let evidence = EvidenceId(sha);
            prop_assert_eq!(evidence.to_string().parse(), Ok(evidence));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            prop_assume!(text.parse::<EventId>().is_err());
            prop_assume!(text.parse::<ProcessKey>().is_err());
            prop_assert!(text.parse::<EvidenceId>().is_err());
        }
    }

    #[test]
    fn near_misses_are_refused() {
        assert!("../../etc/passwd".parse::<EvidenceId>().is_err());
        assert!("A".repeat(64).parse::<EvidenceId>().is_err());
        assert!("7f-1-2".parse::<ProcessKey>().is_err());
        assert!("00000000-0000-0000-0000-000000000000:1:2:3".parse::<EventId>().is_err());
    }
}
