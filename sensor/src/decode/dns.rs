//! DNS messages (RFC 1035), as far as an event tells of them. Total over any bytes: what is cut or makes no sense ends the reading.
//!
//! Bounded: a name has at most [`NAME_MAX`] bytes and its pointers only go backwards, so none can go in circles; [`RECORDS_MAX`] answers
//! are looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bongsu_event::DnsAnswer;
use bstr::BString;

/// As the protocol has it.
const NAME_MAX: usize = 255;
/// Far more than an ordinary answer has.
const RECORDS_MAX: u16 = 64;
const HEADER: usize = 12;

/// A question, or the answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) name: BString,
    pub(super) kind: u16,
    /// Absent in a question.
    pub(super) answer: Option<DnsAnswer>,
}

/// Reads a message that has at least one whole question.
pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
    let flags = number(bytes, 2)?;
    if number(bytes, 4)? == 0 {
        return None;
    }
    let (name, at) = name(bytes, HEADER)?;
    let kind = number(bytes, at)?;
    let class = number(bytes, at + 2)?;
    // Internet, or any; with the bit by which multicast asks for a direct answer.
    if !matches!(class & 0x7fff, 1 | 255) {
        return None;
    }
    let is_answer = flags & 0x8000 != 0;
    let answer = is_answer.then(|| {
        let mut answer = DnsAnswer { code: (flags & 0xf) as u8, ..DnsAnswer::default() };
        // Other questions than the first have no place in an event, and no server answers them.
        if number(bytes, 4) == Some(1) {
            let count = number(bytes, 6).unwrap_or(0).min(RECORDS_MAX);
            let mut at = Some(at + 4);
            for _ in 0..count {
                at = at.and_then(|at| record(bytes, at, &mut answer));
            }
        }
        answer
    });
    Some(Message { name, kind, answer })
}

/// Takes one record into the answer; where the next one begins.
fn record(bytes: &[u8], at: usize, answer: &mut DnsAnswer) -> Option<usize> {
    let (_, at) = name(bytes, at)?;
    let kind = number(bytes, at)?;
    let data = at + 10;
    let end = data + usize::from(number(bytes, at + 8)?);
    let content = bytes.get(data..end)?;
    match kind {
        1 => answer.addresses.extend(<[u8; 4]>::try_from(content).ok().map(|four| IpAddr::from(Ipv4Addr::from(four)))),
        28 => answer.addresses.extend(<[u8; 16]>::try_from(content).ok().map(|all| IpAddr::from(Ipv6Addr::from(all)))),
        2 | 5 | 12 => answer.names.extend(name(bytes, data).map(|(name, _)| name)),
        15 => answer.names.extend(name(bytes, data + 2).map(|(name, _)| name)),
        33 => answer.names.extend(name(bytes, data + 6).map(|(name, _)| name)),
        _ => {}
    }
    Some(end)
}

/// The name at `at`, labels joined by dots (a dot or backslash inside a label is escaped by a backslash), and where what follows it begins.
fn name(bytes: &[u8], at: usize) -> Option<(BString, usize)> {
    let mut name = Vec::new();
    let (mut at, mut lowest, mut behind) = (at, at, None);
    loop {
        let len = *bytes.get(at)?;
        match len {
            0 => return Some((name.into(), behind.unwrap_or(at + 1))),
            1..=63 => {
                let label = bytes.get(at + 1..=at + usize::from(len))?;
                if !name.is_empty() {
                    name.push(b'.');
                }
                for byte in label {
                    if matches!(byte, b'.' | b'\\') {
                        name.push(b'\\');
                    }
                    name.push(*byte);
                }
                if name.len() > NAME_MAX {
                    return None;
                }
                at += 1 + label.len();
            }
            0xc0.. => {
                behind = behind.or(Some(at + 2));
                at = usize::from(number(bytes, at)? & 0x3fff);
                if at >= lowest {
                    return None;
                }
                lowest = at;
            }
            _ => return None,
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question(flags: u16, answers: u16, name: &[u8], kind: u16) -> Vec<u8> {
        let mut bytes = vec![0xab, 0xcd];
        for word in [flags, 1, answers, 0, 0] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend(name);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xc0, 12];
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60]);
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn a_question_is_read() {
        let message = parse(&question(0x0100, 0, b"\x03www\x07example\x03org\0", 28)).unwrap();
        assert_eq!(message, Message { name: "www.example.org".into(), kind: 28, answer: None });
        let odd = parse(&question(0x0100, 0, b"\x03a.b\x02\\\xff\0", 16)).unwrap();
        assert_eq!(odd.name, BString::from(b"a\\.b.\\\\\xff"));
    }

    #[test]
    fn an_answer_is_read_through_its_pointers() {
        let mut bytes = question(0x8183, 5, b"\x01a\x07example\0", 1);
        bytes.extend(record(5, b"\x01b\xc0\x0e"));
        bytes.extend(record(1, &[192, 0, 2, 7]));
        bytes.extend(record(28, &Ipv6Addr::LOCALHOST.octets()));
        bytes.extend(record(15, b"\0\x0a\x02mx\xc0\x0e"));
        bytes.extend(record(16, b"\x04text"));
        let answer = parse(&bytes).unwrap().answer.unwrap();
        assert_eq!(answer.code, 3);
        assert_eq!(answer.addresses, [IpAddr::from([192, 0, 2, 7]), Ipv6Addr::LOCALHOST.into()]);
        assert_eq!(answer.names, ["b.example", "mx.example"]);
    }

    #[test]
    fn pointers_that_go_in_circles_or_forward_are_no_names() {
        for name in [&b"\xc0\x0c"[..], b"\x01a\xc0\x0c", b"\xc0\x0e\xc0\x0c", b"\xc0\x20", b"\x40", b"\x80\0"] {
            assert_eq!(parse(&question(0, 0, name, 1)), None, "{name:?}");
        }
    }

    #[test]
    fn a_name_longer_than_the_protocol_allows_is_no_name() {
        let long: Vec<u8> = std::iter::repeat_n([&b"\x3f"[..], &[b'x'; 63]].concat(), 5).flatten().chain([0]).collect();
        assert_eq!(parse(&question(0, 0, &long, 1)), None);
    }

    #[test]
    fn an_answer_that_is_cut_tells_what_it_still_has() {
        let mut bytes = question(0x8180, 2, b"\x01a\0", 1);
        bytes.extend(record(1, &[192, 0, 2, 7]));
        let whole = bytes.len();
        bytes.extend(record(1, &[192, 0, 2, 8]));
        for cut in whole..bytes.len() {
            assert_eq!(parse(&bytes[..cut]).unwrap().answer.unwrap().addresses, [IpAddr::from([192, 0, 2, 7])]);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..600), names in prop::collection::vec(0xbfu8.., 0..40)) {
            let _any = parse(&bytes);
            // With one question, some answers, and many pointers.
            if bytes.len() > 60 {
                bytes[2..8].copy_from_slice(&[0x80, 0, 0, 1, 0xff, 0xff]);
                bytes[12..12 + names.len()].copy_from_slice(&names);
            }
            if let Some(Message { name, answer, .. }) = parse(&bytes) {
                prop_assert!(name.len() <= NAME_MAX);
                let answer = answer.unwrap_or_default();
                prop_assert!(answer.addresses.len() + answer.names.len() <= usize::from(RECORDS_MAX));
            }
        }
    }
}
