use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bongsu_event::{
    Account, Activity, Ancestor, Credentials, Event, Exec, FileActivity, FileOperation, ImageTraits, Log, LogMeaning,
    Login, NetworkActivity, NetworkOperation, Outcome, Process, ProcessKey, Timestamp, Transport,
};
use bstr::BString;
use proptest::{collection::vec, option, prelude::*, sample::select};
use prost::Message as _;

use super::{DecodeError, EncodeError, from_bytes, to_bytes};
use crate::{limits, v1};

fn string() -> impl Strategy<Value = BString> {
    vec(any::<u8>(), 0..24).prop_map(Into::into)
}

fn key() -> impl Strategy<Value = ProcessKey> {
    any::<(u64, u32, u64)>().prop_map(|(boot, pid, start)| ProcessKey { boot, pid, start })
}

fn account() -> impl Strategy<Value = Account> {
    (any::<u32>(), option::of(string())).prop_map(|(id, name)| Account { id, name })
}

fn credentials() -> impl Strategy<Value = Credentials> {
    (account(), account(), any::<u32>(), any::<u32>(), option::of(account()))
        .prop_map(|(real, effective, gid, egid, login)| Credentials { real, effective, gid, egid, login })
}

fn ancestor() -> impl Strategy<Value = Ancestor> {
    (key(), string(), string(), vec(string(), 0..4), account())
        .prop_map(|(key, comm, executable, args, user)| Ancestor { key, pid: key.pid, comm, executable, args, user })
}

fn process() -> impl Strategy<Value = Process> {
    let names = (string(), string(), string(), option::of(string()));
    (key(), any::<i64>(), names, vec(string(), 0..6), any::<bool>(), credentials(), vec(ancestor(), 0..8)).prop_map(
        |(key, start, (comm, executable, cwd, container), args, args_cut, credentials, ancestors)| Process {
            key,
            pid: key.pid,
            start: Timestamp(start),
            comm,
            executable,
            args,
            args_cut,
            cwd,
            credentials,
            container,
            ancestors: ancestors.into(),
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    select(vec![Outcome::Success, Outcome::Failure])
}

fn endpoint() -> impl Strategy<Value = SocketAddr> {
    any::<(IpAddr, u16)>().prop_map(|(address, port)| SocketAddr::new(address, port))
}

fn log() -> impl Strategy<Value = Log> {
    let login = (outcome(), string(), any::<Option<IpAddr>>(), any::<Option<u16>>(), option::of(string())).prop_map(
        |(outcome, user, source, source_port, method)| {
            LogMeaning::Login(Login { outcome, user, source, source_port, method })
        },
    );
    let elevation = (outcome(), string(), string(), option::of(string()))
        .prop_map(|(outcome, user, target, command)| LogMeaning::Elevation { outcome, user, target, command });
    (string(), option::of(string()), string(), option::of(prop_oneof![login, elevation]))
        .prop_map(|(path, program, message, meaning)| Log { path, program, message, meaning })
}

fn activity() -> impl Strategy<Value = Activity> {
    use FileOperation::{Chmod, Create, Delete, Read, Rename, Write};
    use NetworkOperation::{Accept, Connect, Listen};
    let exec = (option::of(string()), option::of(string()), any::<(bool, bool, bool, u64)>()).prop_map(
        |(previous_executable, script, (memfd, deleted, setuid, inode))| {
            Activity::Exec(Exec { previous_executable, script, image: ImageTraits { memfd, deleted, setuid }, inode })
        },
    );
    let file = (
        select(vec![Create, Write, Read, Delete, Rename, Chmod]),
        string(),
        option::of(string()),
        any::<Option<u32>>(),
    )
        .prop_map(|(operation, path, previous_path, mode)| {
            Activity::File(FileActivity { operation, path, previous_path, mode })
        });
    let transport = select(vec![Transport::Tcp, Transport::Udp]);
    let network = (select(vec![Connect, Accept, Listen]), transport, endpoint(), option::of(endpoint())).prop_map(
        |(operation, transport, local, remote)| {
            Activity::Network(NetworkActivity { operation, transport, local, remote })
        },
    );
    prop_oneof![
        key().prop_map(|child| Activity::Fork { child }),
        exec,
        any::<(u8, u8)>().prop_map(|(code, signal)| Activity::Exit { code, signal }),
        file,
        network,
        credentials().prop_map(|before| Activity::SetCredentials { before }),
        log().prop_map(Activity::Log),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    (any::<i64>(), option::of(process()), activity()).prop_map(|(time, process, activity)| Event {
        time: Timestamp(time),
        process: process.map(Arc::new),
        activity,
    })
}

proptest! {
    #[test]
    fn every_event_survives_the_wire(event in event()) {
        prop_assert_eq!(from_bytes(&to_bytes(&event).unwrap()), Ok(event));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..256)) {
        if let Ok(event) = from_bytes(&bytes) {
            // What is read can be written, and reads as the same.
            prop_assert_eq!(from_bytes(&to_bytes(&event).unwrap()), Ok(event));
        }
    }

    #[test]
    fn a_flipped_byte_never_panics(event in event(), at: prop::sample::Index, value: u8) {
        let mut bytes = to_bytes(&event).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Err(error) = from_bytes(&bytes) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

fn bare_process(args: Vec<BString>, ancestors: Vec<Ancestor>) -> Event {
    let key = ProcessKey { boot: 1, pid: 2, start: 3 };
    let process = Process {
        key,
        pid: 2,
        start: Timestamp(0),
        comm: "a".into(),
        executable: "/a".into(),
        args,
        args_cut: false,
        cwd: "/".into(),
        credentials: Credentials::default(),
        container: None,
        ancestors: ancestors.into(),
    };
    let activity = Activity::Exit { code: 0, signal: 0 };
    Event { time: Timestamp(0), process: Some(Arc::new(process)), activity }
}

#[test]
fn args_too_long_or_too_many_are_cut_and_say_so() {
    let long = vec![BString::from("x"), BString::from(vec![b'y'; 1_000_000]), BString::from("z")];
    let many = vec![BString::default(); 100_000];
    for (args, kept) in [(long, 2), (many, limits::PROCESS_ARGS_MAX)] {
        let back = from_bytes(&to_bytes(&bare_process(args, Vec::new())).unwrap()).unwrap();
        let process = back.process.unwrap();
        assert!(process.args_cut);
        assert_eq!(process.args.len(), kept);
        assert!(process.args.iter().map(|arg| arg.len()).sum::<usize>() <= limits::PROCESS_ARGS_BYTES_MAX);
    }
}

#[test]
fn ancestors_beyond_the_limits_are_cut_so_that_the_event_stays_readable() {
    let key = ProcessKey { boot: 1, pid: 9, start: 3 };
    let ancestor = Ancestor {
        key,
        pid: 9,
        comm: "p".into(),
        executable: "/p".into(),
        args: vec![BString::from(vec![b'x'; 30_000]); 3_000],
        user: Account::default(),
    };
    let event = bare_process(vec![BString::default(); 100_000], vec![ancestor; 20]);
    let process = from_bytes(&to_bytes(&event).unwrap()).unwrap().process.unwrap();
    assert_eq!(process.ancestors.len(), Process::ANCESTORS_MAX);
}

#[test]
fn an_event_too_large_is_refused_before_it_is_sent_and_when_it_is_read() {
    let message = BString::from(vec![b'x'; limits::EVENT_BYTES_MAX]);
    let log = Log { path: "/l".into(), program: None, message, meaning: None };
    let event = Event { time: Timestamp(0), process: None, activity: Activity::Log(log) };
    assert!(matches!(to_bytes(&event), Err(EncodeError::TooLarge { .. })));
    let bytes = v1::Event { activity: Some(super::activity::encode(&event.activity)), ..Default::default() };
    assert!(matches!(from_bytes(&bytes.encode_to_vec()), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn what_no_sensor_sends_is_refused_naming_the_field() {
    use v1::event::Activity as Wire;
    let exit = |code, signal| Some(Wire::Exit(v1::Exit { code, signal }));
    let process = v1::Process { key: Some(v1::ProcessKey::default()), ..Default::default() };
    let ancestors = vec![v1::Ancestor::default(); 9];
    let cases = [
        (v1::Event::default(), "activity is missing"),
        (v1::Event { activity: exit(256, 0), ..Default::default() }, "exit.code cannot be 256"),
        (v1::Event { activity: exit(0, 1 << 20), ..Default::default() }, "exit.signal cannot be 1048576"),
        (
            v1::Event {
                activity: Some(Wire::File(v1::File { operation: 99, ..Default::default() })),
                ..Default::default()
            },
            "file.operation cannot be 99",
        ),
        (
            v1::Event { activity: exit(0, 0), process: Some(v1::Process::default()), ..Default::default() },
            "process.key is missing",
        ),
        (
            v1::Event { activity: exit(0, 0), process: Some(process.clone()), ..Default::default() },
            "process.credentials is missing",
        ),
        (
            v1::Event {
                activity: exit(0, 0),
                process: Some(v1::Process { ancestors, ..process }),
                ..Default::default()
            },
            "process.ancestors has more than 8 elements",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(from_bytes(&message.encode_to_vec()).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_flood_of_empty_arguments_is_refused_before_it_costs_memory() {
    let process = v1::Process { args: vec![Vec::new(); limits::EVENT_ARGS_MAX + 1], ..Default::default() };
    let bytes = v1::Event { process: Some(process), ..Default::default() }.encode_to_vec();
    assert_eq!(from_bytes(&bytes), Err(DecodeError::TooMany { field: "args", max: limits::EVENT_ARGS_MAX }));
}
