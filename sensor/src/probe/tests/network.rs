//! Sockets on the loopback, and a process that changes who it is.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    process::Command,
};

use bongsu_event::{Account, Activity, ConnectResult, Event, NetworkActivity, NetworkOperation, Transport};

use super::lab::Lab;

pub(super) fn python(script: &str) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-c", &format!("import os, socket\n{script}")]);
    command
}

pub(super) fn networks(events: &[Event]) -> Vec<&NetworkActivity> {
    events
        .iter()
        .filter_map(|event| match &event.activity {
            Activity::Network(network) => Some(network),
            _ => None,
        })
        .collect()
}

fn connects(events: &[Event]) -> Vec<&NetworkActivity> {
    networks(events).into_iter().filter(|network| network.operation == NetworkOperation::Connect).collect()
}

#[test]
fn a_connection_is_told_by_the_one_who_begins_it() {
    let Some(mut lab) = Lab::open() else { return };
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let remote = listener.local_addr().unwrap();
        let script =
            format!("s = socket.create_connection(('{address}', {})); print(s.getsockname()[1])", remote.port());
        let mut command = python(&script);
        let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        let port: u16 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let events = lab.life_of(pid);
        let [connect] = connects(&events)[..] else { panic!("not one: {events:#?}") };
        let local = SocketAddr::new(address, port);
        let operation = NetworkOperation::Connect;
        let expected = NetworkActivity::new(operation, Transport::Tcp, local, Some(remote));
        assert_eq!(*connect, NetworkActivity { result: Some(ConnectResult::Established), ..expected });
    }
}

#[test]
fn a_connection_that_is_refused_was_still_begun() {
    let Some(mut lab) = Lab::open() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let remote = listener.local_addr().unwrap();
    drop(listener);
    let script =
        format!("try: socket.create_connection(('127.0.0.1', {}))\nexcept ConnectionRefusedError: pass", remote.port());
    let (status, events) = lab.run(&mut python(&script));
    assert!(status.success());
    let [connect] = connects(&events)[..] else { panic!("not one: {events:#?}") };
    assert_eq!((connect.operation, connect.remote), (NetworkOperation::Connect, Some(remote)));
    assert_eq!(connect.result, Some(ConnectResult::Refused));
    assert_ne!(connect.local.port(), 0);
}

#[test]
fn listening_and_accepting_are_told_with_both_ends() {
    let Some(mut lab) = Lab::open() else { return };
    for (family, address) in [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")] {
        let script = format!(
            "l = socket.socket(socket.{family}); l.bind(('{address}', 0)); l.listen()
s = socket.socket(socket.{family}); s.bind(('{address}', 0)); s.connect(l.getsockname())
c, _ = l.accept(); print(l.getsockname()[1], s.getsockname()[1])
u = socket.socketpair()"
        );
        let child = python(&script).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let mut ports = output.split_whitespace().map(|port| port.parse::<u16>().unwrap());
        let address: IpAddr = address.parse().unwrap();
        let server = SocketAddr::new(address, ports.next().unwrap());
        let client = SocketAddr::new(address, ports.next().unwrap());
        let events = lab.life_of(pid);
        let tcp = |operation, local, remote| NetworkActivity::new(operation, Transport::Tcp, local, remote);
        let connect = tcp(NetworkOperation::Connect, client, Some(server));
        let expected = [
            tcp(NetworkOperation::Bind, server, None),
            tcp(NetworkOperation::Listen, server, None),
            tcp(NetworkOperation::Bind, client, None),
            NetworkActivity { result: Some(ConnectResult::Established), ..connect },
            tcp(NetworkOperation::Accept, server, Some(client)),
        ];
        let mut seen = networks(&events);
        seen.retain(|network| network.operation != NetworkOperation::Close);
        assert_eq!(seen, expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn version_4_over_a_socket_of_version_6_is_shown_as_version_4() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "l = socket.create_server(('127.0.0.1', 0)); s = socket.socket(socket.AF_INET6)
s.connect(('::ffff:127.0.0.1', l.getsockname()[1]))";
    let (_, events) = lab.run(&mut python(script));
    let connect = networks(&events).into_iter().find(|network| network.operation == NetworkOperation::Connect).unwrap();
    assert_eq!(connect.remote.unwrap().ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_eq!(connect.local.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
}

#[test]
fn a_change_of_identity_shows_who_it_was_and_who_it_is() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "os.setresuid(65534, 65534, 0); os.setuid(65534); os.setresuid(0, 0, 0)\ntry: os.setuid(1)\nfinally: os._exit(0)";
    let (_, events) = lab.run(&mut python(script));
    let changes: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.activity {
            Activity::SetCredentials { before } => Some((before, &event.process.as_ref().unwrap().credentials)),
            _ => None,
        })
        .collect();
    let ids: Vec<_> = changes
        .iter()
        .map(|(before, after)| (before.real.id, before.effective.id, after.real.id, after.effective.id))
        .collect();
    assert_eq!(ids, [(0, 0, 65534, 65534), (65534, 65534, 0, 0), (0, 0, 1, 1)]);
    assert_eq!(changes[0].0.real, Account { id: 0, name: Some("root".into()) });
    assert_eq!(changes[0].1.real.name, Some("nobody".into()));
}

#[test]
fn no_right_to_change_is_no_change() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "try: os.setuid(0)\nexcept PermissionError: os._exit(5)";
    let (status, events) = lab.run(python(script).uid(65534).gid(65534));
    assert_eq!(status.code(), Some(5));
    // The fork of this test runs as root until it becomes nobody, before the exec.
    let exec = events.iter().position(|event| matches!(event.activity, Activity::Exec(_))).unwrap();
    assert!(
        !events[exec..].iter().any(|event| matches!(event.activity, Activity::SetCredentials { .. })),
        "{events:#?}"
    );
}

#[test]
fn each_hook_says_on_which_rung_it_stands() {
    let Some(lab) = Lab::open() else { return };
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    for hook in &*lab.probes.hooks.borrow() {
        // Those on functions of libraries and programs are in no ladder and have one rung.
        let ladder = crate::probe::attach::LADDERS.iter().find(|ladder| ladder.name == hook.name);
        let (position, rungs) = match ladder {
            Some(ladder) => (ladder.rungs.iter().position(|rung| rung.to_string() == hook.rung), ladder.rungs.len()),
            None => (hook.rung.starts_with("uprobe:/").then_some(0), 1),
        };
        // Counted from the best one; 0 is none. `cargo xtask vm-test` compares this line with what it expects of each kernel.
        let position = position.map_or(0, |index| index + 1);
        let refused = hook.detail.trim_end_matches("not exercised by the pulse");
        println!("hook {}: rung {position} of {rungs}, {} {refused}", hook.name, hook.rung);
        // A hook that stands nowhere is a blind spot, but for the packets of a host that has nothing to attach them to.
        let nowhere = hook.name == "packets" && !mounts.contains(" cgroup2 ");
        assert_eq!(hook.rung == "none", nowhere, "{hook:?}");
        // A reason stands there exactly when it is not the best rung.
        assert_eq!(refused.is_empty(), position == 1, "{hook:?}");
    }
}
