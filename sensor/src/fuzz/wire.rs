//! What peers and files say that has no room of its own here: messages of the wire, tokens, identities.

use bongsu_event::{Activity, Event, Timestamp};
use bongsu_proto::{batch, convert, join_token::JoinToken, v1};
use jiff::tz::TimeZone;
use prost::Message as _;

use super::fuzz;
use crate::{identity::Identity, mask::Masker, tail};

const LINES: &[&str] = &[
    "Nov 22 09:59:59 web-1 sshd[42]: Failed password for invalid user a b from 192.0.2.7 port 5022 ssh2",
    "Nov 22 09:59:59 web-1 sshd[42]: message repeated 3 times: [ Failed password for root from ::1 port 1 ssh2]",
    "Nov 22 09:59:59 web-1 sshd[42]: Accepted publickey for root from 192.0.2.7 port 5022 ssh2: RSA SHA256:abc",
    "Nov 22 09:59:59 web-1 sudo:    kim : TTY=pts/0 ; PWD=/home/kim ; USER=root ; COMMAND=/bin/sh -c id",
    "Nov 22 09:59:59 web-1 su[7]: FAILED SU (to root) kim on pts/0",
    "Nov 22 09:59:59 web-1 su: pam_unix(su:auth): authentication failure; logname=kim uid=1 euid=0 tty=p ruser=kim rhost=h  user=root",
    "<38>2026-11-22T09:11:12.5+01:00 h sshd[1]: Disconnected from user root 192.0.2.7 port 22",
    "Feb 29 12:00:00 h p: --password=secret token: abcdefghijklmnopqrstuvwxyz0123456789",
];

fn event(line: &[u8]) -> Event {
    tail::parse::event(b"/var/log/auth.log", line.to_vec(), Timestamp(1_795_000_000_000_000_000), &TimeZone::UTC)
}

fn lines() -> Vec<Vec<u8>> {
    LINES.iter().map(|line| line.as_bytes().to_vec()).collect()
}

#[test]
fn fuzz_log_lines() {
    let mut masker = Masker::default();
    fuzz(lines(), |line| {
        let mut event = event(line);
        masker.mask(&mut event);
        // What was read of a line can be sent, and is read back as the same.
        let bytes = convert::to_bytes(&event).unwrap();
        assert_eq!(convert::from_bytes(&bytes).unwrap(), event);
        matches!(event.activity, Activity::Log(log) if log.meaning.is_some())
    });
}

#[test]
fn fuzz_events_on_the_wire() {
    let mut seeds: Vec<Vec<u8>> = lines().iter().map(|line| convert::to_bytes(&event(line)).unwrap()).collect();
    let exec = v1::Exec { environment: vec![b"A=b".to_vec(); 3], ..Default::default() };
    let answer =
        v1::DnsAnswer { addresses: vec![vec![1; 4], vec![2; 16]], names: vec![b"a".to_vec()], ..Default::default() };
    let dns = v1::Dns { answer: Some(answer), transport: 1, ..Default::default() };
    for activity in [v1::event::Activity::Exec(exec), v1::event::Activity::Dns(dns)] {
        seeds.push(v1::Event { activity: Some(activity), ..Default::default() }.encode_to_vec());
    }
    fuzz(seeds, |bytes| {
        let Ok(event) = convert::from_bytes(bytes) else { return false };
        // Whatever is understood can be said again, unless it would be too large.
        if let Ok(again) = convert::to_bytes(&event) {
            assert_eq!(convert::from_bytes(&again).unwrap(), event);
        }
        true
    });
}

#[test]
fn fuzz_batches() {
    let events: Vec<Vec<u8>> = lines().iter().map(|line| convert::to_bytes(&event(line)).unwrap()).collect();
    let (count, packed) = batch::pack(&events).unwrap();
    assert_eq!(count, events.len());
    fuzz(vec![packed, Vec::new()], |bytes| {
        let events = batch::unpack_events(bytes).unwrap_or_default();
        events.iter().filter(|event| convert::from_bytes(event).is_ok()).count() > 0
    });
}

#[test]
fn fuzz_messages_of_the_correlator() {
    let request = v1::EvidenceRequest { request: 7, path: b"/bin/x".to_vec(), bytes_max: 9, ..Default::default() };
    let bodies = [
        v1::correlator_message::Body::EvidenceRequest(request),
        v1::correlator_message::Body::Ack(v1::Ack { up_to: 9 }),
        v1::correlator_message::Body::Ping(v1::Ping { nonce: 3 }),
    ];
    let seeds = bodies.map(|body| v1::CorrelatorMessage { body: Some(body) }.encode_to_vec());
    fuzz(seeds.to_vec(), |bytes| v1::CorrelatorMessage::decode(bytes).is_ok());
}

#[test]
fn fuzz_tokens_and_identities() {
    let identity = br#"{"sensor_id":"7f0c1a2b-0000-4000-8000-000000000001","addresses":["a:1"],"certificate":"","key":"","authority":""}"#;
    fuzz(vec![identity.to_vec(), b"bongsu1.AAAA.BBBB".to_vec()], |bytes| {
        let token = std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<JoinToken>().is_ok());
        serde_json::from_slice::<Identity>(bytes).is_ok() || token
    });
}
