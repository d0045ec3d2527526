use bongsu_sensor_abi::{PathText, TaskRef};
use proptest::prelude::*;

use super::{process::arguments, *};

fn header(kind: Kind, flags: u32) -> Header {
    Header {
        time_ns: 7,
        task: TaskRef { start_ns: 1, pid: 2, thread: 3 },
        kind: kind as u32,
        flags,
        user: User { uid: 8, euid: 9 },
    }
}

fn record(head: &impl Record, text: &[u8]) -> Vec<u8> {
    [head.as_bytes(), text].concat()
}

#[test]
fn an_exec_reads_back_whole() {
    let exec = abi::Exec {
        header: header(Kind::Exec, abi::Exec::ARGS_CUT),
        comm: *b"sh\0garbage\0\0\0\0\0\0",
        mode: 0o104_755,
        executable_len: 9,
        cwd_len: 4,
        script_len: 6,
        args_len: 9,
        ..abi::Exec::default()
    };
    let decoded = decode(&record(&exec, b"dash\0bin\0tmp\0./x.y\0sh\0-c\0\xff\xfe ")).unwrap();
    let Action::Exec(program) = decoded.action else { panic!("not an exec") };
    assert_eq!(program.executable, "/bin/dash");
    assert_eq!(program.cwd, "/tmp");
    assert_eq!(program.script.unwrap(), "/tmp/x.y");
    assert_eq!(program.args, [BString::from("sh"), "-c".into(), b"\xff\xfe ".into()]);
    assert_eq!(program.comm, "sh");
    assert!(program.args_cut && program.image.setuid && !program.image.memfd);
}

#[test]
fn a_name_is_seen_from_its_directory() {
    let cases: [(&[u8], &[u8], &str); 6] = [
        (b"b\0a\0", b"c\0", "/a/b/c"),
        (b"b\0a\0", b"../c\0", "/a/c"),
        (b"b\0a\0", b"./x/../../../../c\0", "/c"),
        (b"", b"/etc/passwd\0", "/etc/passwd"),
        (b"jail\0srv\0", b"/etc/passwd\0", "/srv/jail/etc/passwd"),
        (b"b\0a\0", b"", "/a/b"),
    ];
    for (walk, name, expected) in cases {
        let path = PathText { walk_len: walk.len().try_into().unwrap(), name_len: name.len().try_into().unwrap() };
        let file = abi::File { header: header(Kind::Delete, 0), path, ..abi::File::default() };
        let decoded = decode(&record(&file, &[walk, name].concat())).unwrap();
        let Action::File(file) = decoded.action else { panic!("not a file") };
        assert_eq!(file.path, expected);
    }
}

#[test]
fn a_walk_that_was_cut_says_so() {
    assert_eq!(path::walk(b"c\0b\0", true), "//.../b/c");
    assert_eq!(path::walk(b"", false), "/");
}

#[test]
fn the_status_of_wait_is_taken_apart() {
    for (status, code, signal) in [(0, 0, 0), (0x0300, 3, 0), (9, 0, 9), (0x8b, 0, 11)] {
        let exit = abi::Exit { header: header(Kind::Exit, 0), status, reserved: 0 };
        assert_eq!(decode(&record(&exit, b"")).unwrap().action, Action::Exit { code, signal });
    }
}

#[test]
fn lengths_that_point_behind_the_end_are_refused() {
    let exec = abi::Exec { header: header(Kind::Exec, 0), args_len: 2, ..abi::Exec::default() };
    assert_eq!(decode(&record(&exec, b"x")), Err(DecodeError::Text));
    assert_eq!(decode(b"short"), Err(DecodeError::Short(5)));
    let header = Header { kind: 99, ..Header::default() };
    assert_eq!(decode(header.as_bytes()), Err(DecodeError::Kind(99)));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), kind in 0u32..60) {
        let mut bytes = bytes;
        let _any = decode(&bytes);
        // With a kind that exists the rest of the path is reached as well.
        if let Some(place) = bytes.get_mut(24..28) {
            place.copy_from_slice(&kind.to_le_bytes());
        }
        let _typed = decode(&bytes);
    }

    #[test]
    fn argv_survives(args in prop::collection::vec(prop::collection::vec(1u8.., 0..20), 0..8)) {
        let mut text = Vec::new();
        for arg in &args {
            text.extend_from_slice(arg);
            text.push(0);
        }
        prop_assert_eq!(arguments(&text), args.into_iter().map(BString::from).collect::<Vec<_>>());
    }
}

/// Numbers of kinds end here.
const KINDS: u32 = 64;

#[test]
fn fuzz_records() {
    let mut seeds = Vec::new();
    for kind in (0..KINDS).filter_map(Kind::from_number) {
        // Small numbers wherever the head has one, and enough text for all of them.
        let body: Vec<u8> = (0..300_u32).map(|at| if at % 2 == 0 { (at % 7) as u8 } else { 0 }).collect();
        seeds.push(record(&header(kind, 0), &body));
        seeds.push(record(&header(kind, u32::MAX), &[body, b"b\0a\0../c\0/etc/passwd\0".repeat(8)].concat()));
    }
    let hello = hello::tests::client_hello("beacon.example.org");
    let dns = b"\xab\xcd\x81\x80\0\x01\0\x02\0\0\0\0\x01a\x07example\0\0\x01\0\x01\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x04\x01b\xc0\x0e\
        \xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07";
    for (kind, payload) in [(Kind::Tls, &hello[..]), (Kind::Dns, &dns[..])] {
        let payload_len = payload.len().try_into().unwrap();
        let ends = abi::Ends { family: 2, ..abi::Ends::default() };
        let packet = abi::Packet { header: header(kind, 0), ends, payload_len, ..abi::Packet::default() };
        let seed = record(&packet, payload);
        assert!(matches!(decode(&seed).unwrap().action, Action::Packet(Some(_))), "{kind:?}");
        seeds.push(seed);
    }
    crate::fuzz::fuzz(seeds, |bytes| decode(bytes).is_ok());
}
