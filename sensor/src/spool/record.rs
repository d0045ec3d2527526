//! Records: how things lie in a segment.
//!
//! `length: u32 | crc32 of what follows: u32 | kind: u8 | content`, all little endian. A record that is cut off or damaged is
//! [`Torn`]; what follows it cannot be trusted.

use super::count::{Class, Counts, Reason};

/// More than any record has: the largest event, or a mark with a long path.
const LENGTH_MAX: usize = bongsu_proto::limits::EVENT_BYTES_MAX + 64 * 1024;
const HEAD: usize = 8;

/// A run of numbers that were given up, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) last: u64,
    /// What they were; adds up to the length of the run.
    pub(super) counts: Counts,
}

impl Run {
    pub(super) fn one(seq: u64, class: Class, reason: Reason) -> Self {
        let mut counts = Counts::default();
        counts.count(class, reason, 1);
        Self { first: seq, last: seq, counts }
    }

    /// Takes `next` in if it follows at once; gives it back otherwise.
    pub(super) fn join(&mut self, next: Self) -> Option<Self> {
        if next.first != self.last + 1 {
            return Some(next);
        }
        self.last = next.last;
        self.counts.add(&next.counts);
        None
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record<'a> {
    Event {
        seq: u64,
        class: Class,
        bytes: &'a [u8],
    },
    Shed(Run),
    Mark {
        key: &'a [u8],
        value: &'a [u8],
    },
    /// Everything up to there is stored or shed and no longer here; so much of it was shed.
    Settled {
        up_to: u64,
        counts: Counts,
    },
    /// Events up to there may have been sent.
    Sent {
        up_to: u64,
    },
    /// The end of what was written at once: all of it counts, or none.
    Commit,
}

/// The record is cut off or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Torn;

impl<'a> Record<'a> {
    /// Appends the record to `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; HEAD]);
        match self {
            Self::Event { seq, class, bytes } => {
                out.push(1);
                out.extend_from_slice(&seq.to_le_bytes());
                out.push(*class as u8);
                out.extend_from_slice(bytes);
            }
            Self::Shed(run) => {
                out.push(2);
                out.extend_from_slice(&run.first.to_le_bytes());
                out.extend_from_slice(&run.last.to_le_bytes());
                encode_counts(&run.counts, out);
            }
            Self::Mark { key, value } => {
                out.push(3);
                out.extend_from_slice(&(key.len() as u64).to_le_bytes());
                out.extend_from_slice(key);
                out.extend_from_slice(value);
            }
            Self::Settled { up_to, counts } => {
                out.push(4);
                out.extend_from_slice(&up_to.to_le_bytes());
                encode_counts(counts, out);
            }
            Self::Sent { up_to } => {
                out.push(5);
                out.extend_from_slice(&up_to.to_le_bytes());
            }
            Self::Commit => out.push(6),
        }
        let length = u32::try_from(out.len() - start - HEAD).expect("events and marks are bounded far below 4 GiB");
        let crc = crc32fast::hash(&out[start + HEAD..]);
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 4..start + HEAD].copy_from_slice(&crc.to_le_bytes());
    }

    /// The record at the start of `bytes` and how long it is.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<(Self, usize), Torn> {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(Torn)?;
        let (crc, rest) = rest.split_first_chunk::<4>().ok_or(Torn)?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > LENGTH_MAX {
            return Err(Torn);
        }
        let body = rest.get(..length).ok_or(Torn)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return Err(Torn);
        }
        Ok((Self::parse(body).ok_or(Torn)?, HEAD + length))
    }

    fn parse(body: &'a [u8]) -> Option<Self> {
        let (&kind, mut rest) = body.split_first()?;
        Some(match kind {
            1 => {
                let seq = number(&mut rest)?;
                let (&class, bytes) = rest.split_first()?;
                Self::Event { seq, class: Class::from_byte(class)?, bytes }
            }
            2 => {
                let (first, last) = (number(&mut rest)?, number(&mut rest)?);
                let counts = counts(rest)?;
                (last.checked_sub(first)?.checked_add(1)? == counts.total()).then_some(())?;
                Self::Shed(Run { first, last, counts })
            }
            3 => {
                let length = usize::try_from(number(&mut rest)?).ok()?;
                let (key, value) = rest.split_at_checked(length)?;
                Self::Mark { key, value }
            }
            4 => Self::Settled { up_to: number(&mut rest)?, counts: counts(rest)? },
            5 => Self::Sent { up_to: number(&mut rest)? },
            6 if rest.is_empty() => Self::Commit,
            _ => return None,
        })
    }
}

fn encode_counts(counts: &Counts, out: &mut Vec<u8>) {
    for (class, reason, events) in counts.iter() {
        out.extend_from_slice(&[class as u8, reason as u8]);
        out.extend_from_slice(&events.to_le_bytes());
    }
}

fn counts(bytes: &[u8]) -> Option<Counts> {
    let mut counts = Counts::default();
    let (entries, rest) = bytes.as_chunks::<10>();
    rest.is_empty().then_some(())?;
    for [class, reason, events @ ..] in entries {
        counts.count(Class::from_byte(*class)?, Reason::from_byte(*reason)?, u64::from_le_bytes(*events));
    }
    Some(counts)
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}
