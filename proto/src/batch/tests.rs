use proptest::{collection::vec, prelude::*};
use prost::Message as _;

use super::{PackError, UnpackError, numbers, pack, unpack, unpack_events};
use crate::{
    limits,
    v1::{self, Range},
};

fn event(size: usize) -> Vec<u8> {
    let exit = v1::event::Activity::Exit(v1::Exit { code: 1, signal: 0 });
    let process = v1::Process { cwd: vec![b'x'; size], ..Default::default() };
    v1::Event { time: 5, process: Some(process), activity: Some(exit) }.encode_to_vec()
}

fn batch(first_seq: u64, events: &[Vec<u8>], shed: Vec<Range>) -> v1::Batch {
    let (taken, packed) = pack(events).unwrap();
    assert_eq!(taken, events.len());
    v1::Batch { first_seq, count: u32::try_from(taken).unwrap(), events: packed, shed }
}

/// As a generated decoder would see it: the packed form is the declared message.
#[test]
fn a_packed_batch_is_an_event_batch() {
    let events = [event(3), event(4)];
    let (_, packed) = pack(&events).unwrap();
    let plain = zstd::bulk::decompress(&packed, 1 << 20).unwrap();
    let message = v1::EventBatch::decode(plain.as_slice()).unwrap();
    assert_eq!(message.events.iter().map(v1::Event::encode_to_vec).collect::<Vec<_>>(), events);
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(sizes in vec(0_usize..300, 1..50)) {
        let events: Vec<_> = sizes.into_iter().map(event).collect();
        let (taken, packed) = pack(&events).unwrap();
        prop_assert_eq!(taken, events.len());
        prop_assert_eq!(unpack_events(&packed).unwrap(), events);
    }

    #[test]
    fn no_bytes_panic(packed in vec(any::<u8>(), 0..200), plain in vec(any::<u8>(), 0..200)) {
        if let Ok(events) = unpack_events(&packed) {
            prop_assert!(events.len() <= limits::BATCH_EVENTS_MAX);
        }
        let packed = zstd::bulk::compress(&plain, 1).unwrap();
        if let Ok(events) = unpack_events(&packed) {
            prop_assert!(events.len() <= plain.len());
        }
    }
}

#[test]
fn packing_stops_where_a_batch_is_full() {
    let many = vec![event(0); limits::BATCH_EVENTS_MAX + 1];
    assert_eq!(pack(&many).unwrap().0, limits::BATCH_EVENTS_MAX);
    let large = vec![event(200_000); 60];
    let (taken, packed) = pack(&large).unwrap();
    assert_eq!(taken, limits::BATCH_PLAIN_BYTES_MAX / event(200_000).len());
    assert_eq!(unpack_events(&packed).unwrap().len(), taken);
}

#[test]
fn events_that_do_not_compress_go_into_smaller_batches() {
    let mut noise = 1_u32;
    let events: Vec<Vec<u8>> = (0..30)
        .map(|_| {
            let cwd = (0..200_000).map(|_| {
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                noise.to_le_bytes()[0]
            });
            let process = v1::Process { cwd: cwd.collect(), ..Default::default() };
            v1::Event { process: Some(process), ..Default::default() }.encode_to_vec()
        })
        .collect();
    let (taken, packed) = pack(&events).unwrap();
    assert!(taken >= 1 && taken < events.len() && packed.len() <= limits::BATCH_COMPRESSED_BYTES_MAX, "{taken}");
    assert_eq!(unpack_events(&packed).unwrap(), events[..taken]);
}

#[test]
fn an_event_that_could_not_be_read_is_not_packed() {
    let events = [event(1), event(limits::EVENT_BYTES_MAX)];
    assert!(matches!(pack(&events), Err(PackError::Refused { index: 1, .. })));
}

#[test]
fn bombs_are_refused() {
    let empty_events = [10_u8, 0].repeat(limits::BATCH_PLAIN_BYTES_MAX / 2);
    let cases = [
        (vec![0; limits::BATCH_PLAIN_BYTES_MAX + 1], "cannot decompress"),
        (empty_events, "events has more than 4096 elements"),
        (v1::EventBatch { events: vec![with_args(4_000); 100] }.encode_to_vec(), "args of all events has more than"),
        ([10_u8, 0x80].to_vec(), "it ends inside a number"),
        ([10_u8, 5, 1].to_vec(), "it ends inside a field"),
        ([11_u8].to_vec(), "groups"),
        ([0x12_u8, 0].to_vec(), "a batch holds events only"),
    ];
    for (plain, expected) in cases {
        let packed = zstd::bulk::compress(&plain, 1).unwrap();
        let error = unpack_events(&packed).unwrap_err();
        let text = match &error {
            UnpackError::Refused(source) => source.to_string(),
            _ => error.to_string(),
        };
        assert!(text.contains(expected), "{text} should contain {expected}");
    }
}

fn with_args(count: usize) -> v1::Event {
    let process = v1::Process { args: vec![Vec::new(); count], ..Default::default() };
    v1::Event { process: Some(process), ..Default::default() }
}

#[test]
fn numbers_skip_what_was_shed() {
    let events = vec![event(0); 4];
    let range = |first, last| Range { first, last };
    let check = |first_seq, shed, expected: &[u64], last| {
        let unpacked = unpack(&batch(first_seq, &events, shed)).unwrap();
        assert_eq!(unpacked.events.iter().map(|event| event.seq).collect::<Vec<_>>(), expected);
        assert_eq!(unpacked.last_seq, last);
    };
    check(1, vec![], &[1, 2, 3, 4], 4);
    check(1, vec![range(1, 2)], &[3, 4, 5, 6], 6);
    check(5, vec![range(6, 7), range(10, 10)], &[5, 8, 9, 11], 11);
    check(5, vec![range(9, 1000)], &[5, 6, 7, 8], 1000);
    let all_shed = v1::Batch { first_seq: 7, count: 0, events: Vec::new(), shed: vec![range(7, 9)] };
    assert_eq!(numbers(&all_shed).unwrap(), (vec![], 9));
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let range = |first, last| Range { first, last };
    let cases = [
        (0, 1, vec![]),
        (1, 0, vec![]),
        (1, 2, vec![range(2, 1)]),
        (5, 2, vec![range(4, 4)]),
        (1, 2, vec![range(2, 3), range(3, 4)]),
        (1, 2, vec![range(4, 4)]),
        (1, 1, vec![range(1, u64::MAX)]),
        (u64::MAX, 2, vec![]),
        (i64::MAX as u64, 2, vec![]),
    ];
    for (first_seq, count, shed) in cases {
        let batch = v1::Batch { first_seq, count, events: Vec::new(), shed };
        assert!(numbers(&batch).is_err(), "{batch:?}");
    }
    let lying = v1::Batch { count: 3, ..batch(1, &[event(0)], vec![]) };
    assert!(matches!(unpack(&lying), Err(UnpackError::Count { said: 3, found: 1 })));
}
