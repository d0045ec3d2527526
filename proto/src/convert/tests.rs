use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bongsu_event::{
    Account, Activity, Ancestor, Authentication, Capabilities, ConnectResult, ContainerNames, Context, Credentials,
    Dns, DnsAnswer, Event, Exec, ExecFailed, Family, FileActivity, FileOperation, ImageTraits, IoUring,
    IoUringOperation, Log, LogMeaning, Login, Mount, MountOperation, NamespaceChange, NamespaceKinds, NamespaceWay,
    Namespaces, NetworkActivity, NetworkOperation, Outcome, Owner, Pod, Process, ProcessKey, Suppressed, Tamper,
    TamperOperation, Target, Timestamp, TlsHello, Traffic, Transport,
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

fn context() -> impl Strategy<Value = Context> {
    let namespaces =
        any::<(u32, u32, u32, u32)>().prop_map(|(mount, pid, net, user)| Namespaces { mount, pid, net, user });
    let pod = (string(), string(), string()).prop_map(|(uid, name, namespace)| Pod { uid, name, namespace });
    let names = (string(), string()).prop_map(|(name, image)| ContainerNames { name, image });
    let container = (option::of(pod), option::of(names));
    (any::<Option<u32>>(), option::of(string()), any::<Option<u64>>(), option::of(namespaces), container).prop_map(
        |(session, terminal, capabilities, namespaces, (pod, container_names))| Context {
            session,
            terminal,
            capabilities,
            namespaces,
            pod,
            container_names,
        },
    )
}

fn process() -> impl Strategy<Value = Process> {
    let names = (string(), string(), string(), option::of(string()), context());
    (key(), any::<i64>(), names, vec(string(), 0..6), any::<bool>(), credentials(), vec(ancestor(), 0..8)).prop_map(
        |(key, start, (comm, executable, cwd, container, context), args, args_cut, credentials, ancestors)| Process {
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
            context,
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

fn file() -> impl Strategy<Value = Activity> {
    use FileOperation::{
        Chmod, Chown, CloseWrite, Create, Delete, Link, Read, Rename, SetAttribute, Symlink, Truncate, Write,
    };
    let operation = select(vec![
        Create,
        Write,
        Read,
        Delete,
        Rename,
        Chmod,
        Chown,
        CloseWrite,
        Link,
        Symlink,
        Truncate,
        SetAttribute,
    ]);
    let owner = any::<(Option<u32>, Option<u32>)>().prop_map(|(uid, gid)| Owner { uid, gid });
    let rest = (any::<Option<u32>>(), option::of(owner), option::of(string()));
    (operation, string(), option::of(string()), rest).prop_map(
        |(operation, path, previous_path, (mode, owner, attribute))| {
            Activity::File(FileActivity { operation, path, previous_path, mode, owner, attribute })
        },
    )
}

fn transport() -> impl Strategy<Value = Transport> {
    select(vec![Transport::Tcp, Transport::Udp])
}

fn network() -> impl Strategy<Value = Activity> {
    use ConnectResult::{Established, GivenUp, Refused, TimedOut, Unreachable};
    use NetworkOperation::{Accept, Bind, Close, Connect, Listen, Receive, Send};
    let operation = select(vec![Connect, Accept, Listen, Bind, Close, Send, Receive]);
    let result = option::of(select(vec![Established, Refused, TimedOut, Unreachable, GivenUp]));
    let traffic =
        any::<(u64, u64, u64)>().prop_map(|(sent, received, lasted_ns)| Traffic { sent, received, lasted_ns });
    (operation, transport(), endpoint(), option::of(endpoint()), result, option::of(traffic)).prop_map(
        |(operation, transport, local, remote, result, traffic)| {
            Activity::Network(NetworkActivity { operation, transport, local, remote, result, traffic })
        },
    )
}

fn dns() -> impl Strategy<Value = Activity> {
    let answer = (any::<u8>(), vec(any::<IpAddr>(), 0..4), vec(string(), 0..3))
        .prop_map(|(code, addresses, names)| DnsAnswer { code, addresses, names });
    (string(), any::<u16>(), option::of(answer), transport(), endpoint()).prop_map(
        |(name, kind, answer, transport, server)| Activity::Dns(Dns { name, kind, answer, transport, server }),
    )
}

fn capabilities() -> impl Strategy<Value = Capabilities> {
    any::<(u64, u64, u64)>().prop_map(|(effective, permitted, inheritable)| Capabilities {
        effective,
        permitted,
        inheritable,
    })
}

fn tamper() -> impl Strategy<Value = Activity> {
    let target = (key(), string(), string()).prop_map(|(key, executable, comm)| Target { key, executable, comm });
    (select(TamperOperation::ALL.to_vec()), option::of(target), option::of(string()), any::<u32>())
        .prop_map(|(operation, target, name, number)| Activity::Tamper(Tamper { operation, target, name, number }))
}

/// What happens to programs.
fn program() -> impl Strategy<Value = Activity> {
    let image = any::<(bool, bool, bool, bool)>().prop_map(|(memfd, deleted, setuid, upper_layer)| ImageTraits {
        memfd,
        deleted,
        setuid,
        upper_layer,
    });
    let file = any::<(u64, u64, u32)>();
    let exec = (option::of(string()), option::of(string()), image, file, vec(string(), 0..4)).prop_map(
        |(previous_executable, script, image, (inode, device, links), environment)| {
            Activity::Exec(Exec { previous_executable, script, image, inode, device, links, environment })
        },
    );
    prop_oneof![
        key().prop_map(|child| Activity::Fork { child }),
        exec,
        (string(), any::<u16>()).prop_map(|(path, error)| Activity::ExecFailed(ExecFailed { path, error })),
        any::<(u8, u8)>().prop_map(|(code, signal)| Activity::Exit { code, signal }),
        string().prop_map(|before| Activity::SetName { before }),
        credentials().prop_map(|before| Activity::SetCredentials { before }),
        (capabilities(), capabilities()).prop_map(|(before, after)| Activity::SetCapabilities { before, after }),
        (select(vec![NamespaceWay::Unshare, NamespaceWay::Join]), any::<u32>())
            .prop_map(|(way, kinds)| Activity::Namespace(NamespaceChange { way, kinds: NamespaceKinds(kinds) })),
    ]
}

fn activity() -> impl Strategy<Value = Activity> {
    let mount =
        (select(vec![MountOperation::Mount, MountOperation::Unmount]), string(), string(), string(), any::<u64>());
    let ring = (any::<u8>(), option::of(string()), option::of(endpoint()));
    let authentication = (outcome(), string(), string(), option::of(string()), option::of(string()));
    let left = (select(Family::ALL), any::<u64>(), any::<i64>(), any::<i64>());
    let suppressed = left.prop_map(|(family, count, first, last)| {
        Activity::Suppressed(Suppressed { family, count, first: Timestamp(first), last: Timestamp(last) })
    });
    prop_oneof![
        program(),
        file(),
        mount.prop_map(|(operation, source, target, kind, flags)| {
            Activity::Mount(Mount { operation, source, target, kind, flags })
        }),
        network(),
        dns(),
        (string(), endpoint(), endpoint()).prop_map(|(server_name, local, remote)| Activity::Tls(TlsHello {
            server_name,
            local,
            remote
        })),
        tamper(),
        ring.prop_map(|(operation, path, remote)| {
            Activity::IoUring(IoUring { operation: IoUringOperation(operation), path, remote })
        }),
        authentication.prop_map(|(outcome, service, user, remote_host, terminal)| {
            Activity::Authentication(Authentication { outcome, service, user, remote_host, terminal })
        }),
        string().prop_map(|line| Activity::ShellLine { line }),
        log().prop_map(Activity::Log),
        suppressed,
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
    fn assembled_from_its_parts_an_event_is_the_same_message(event in event()) {
        let bytes = to_bytes(&event).unwrap();
        prop_assert_eq!(v1::Event::decode(bytes.as_slice()).unwrap().encode_to_vec(), bytes);
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
        context: Context::default(),
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

#[test]
fn a_flood_of_empty_variables_or_records_is_refused_before_it_costs_memory_and_never_sent() {
    use v1::event::Activity as Wire;
    let refused = |activity, field, max| {
        let bytes = v1::Event { activity: Some(activity), ..Default::default() }.encode_to_vec();
        assert_eq!(from_bytes(&bytes), Err(DecodeError::TooMany { field, max }));
    };
    let max = limits::EVENT_ENVIRONMENT_MAX;
    let exec = v1::Exec { environment: vec![Vec::new(); max + 1], ..Default::default() };
    refused(Wire::Exec(exec), "exec.environment", max);
    let max = limits::DNS_RECORDS_MAX;
    let dns = |answer| Wire::Dns(v1::Dns { answer: Some(answer), ..Default::default() });
    let names = v1::DnsAnswer { names: vec![Vec::new(); max + 1], ..Default::default() };
    refused(dns(names), "dns.answer.names", max);
    let addresses = v1::DnsAnswer { addresses: vec![Vec::new(); max + 1], ..Default::default() };
    refused(dns(addresses), "dns.answer.addresses", max);

    let environment = vec![BString::from("A=b"); limits::EVENT_ENVIRONMENT_MAX + 1];
    let exec = Exec { environment, ..Exec::default() };
    let event = Event { activity: Activity::Exec(exec), ..bare_process(Vec::new(), Vec::new()) };
    let Activity::Exec(read) = from_bytes(&to_bytes(&event).unwrap()).unwrap().activity else { panic!("no exec") };
    assert_eq!(read.environment.len(), limits::EVENT_ENVIRONMENT_MAX);
}
