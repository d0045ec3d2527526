//! What becomes of connections: how they begin, fail and end, and whose they were.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    process::Stdio,
    time::Duration,
};

use bongsu_event::{Activity, ConnectResult, Event, NetworkActivity, NetworkOperation, Traffic, Transport};

use super::{
    lab::Lab,
    network::{networks, python},
};

/// A listener that answers nobody any more: its queue is full.
const DEAF: &str = "l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(0)
q = [socket.socket() for _ in range(3)]
for c in q: c.setblocking(False); c.connect_ex(l.getsockname())
s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)
";

/// Runs the script, which says the port of its socket, to its end; what was done to that socket.
fn life_of_socket(lab: &mut Lab, script: &str) -> (Vec<NetworkActivity>, Vec<Event>) {
    let child = python(script).stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let port: u16 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let events = lab.life_of(pid);
    let its = networks(&events).into_iter().filter(|network| network.local.port() == port).cloned().collect();
    (its, events)
}

fn operations(networks: &[NetworkActivity]) -> Vec<(NetworkOperation, Option<ConnectResult>)> {
    networks.iter().map(|network| (network.operation, network.result)).collect()
}

#[test]
fn a_connect_that_nobody_answers_timed_out_and_is_told_with_the_time_it_began() {
    let Some(mut lab) = Lab::open() else { return };
    let script = format!(
        "{DEAF}s.setsockopt(socket.IPPROTO_TCP, 18, 100)
try: s.connect(l.getsockname())
except TimeoutError: os._exit(0)
os._exit(1)"
    );
    let (seen, events) = life_of_socket(&mut lab, &script);
    let bind = (NetworkOperation::Bind, None);
    assert_eq!(operations(&seen), [bind, (NetworkOperation::Connect, Some(ConnectResult::TimedOut))]);
    let at = |wanted: &dyn Fn(&Event) -> bool| events.iter().find(|event| wanted(event)).unwrap().time;
    let began = at(&|event| matches!(&event.activity, Activity::Network(network) if network == &seen[1]));
    let ended = at(&|event| matches!(event.activity, Activity::Exit { .. }));
    let took = ended.since(began);
    assert!(took > Duration::from_millis(900), "the kernel waits a second for the first answer: {took:?}");
}

#[test]
fn a_connect_whose_socket_is_closed_was_given_up() {
    let Some(mut lab) = Lab::open() else { return };
    let script = format!("{DEAF}s.setblocking(False); s.connect_ex(l.getsockname()); s.close(); os._exit(0)");
    let (seen, _) = life_of_socket(&mut lab, &script);
    let bind = (NetworkOperation::Bind, None);
    assert_eq!(operations(&seen), [bind, (NetworkOperation::Connect, Some(ConnectResult::GivenUp))]);
}

#[test]
fn a_connect_that_a_router_refuses_is_unreachable() {
    let Some(mut lab) = Lab::open() else { return };
    // The script plays the router: it takes the SYN from the wire and says what a router says that knows no way for it.
    let script = format!(
        "{DEAF}wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
s.setblocking(False); s.connect_ex(l.getsockname())
mine = s.getsockname()[1].to_bytes(2, 'big')
while True:
    syn = wire.recv(2048)
    if syn[20:22] == mine: break
body = bytes([0] * 4) + syn[:28]
words = bytes([3, 1, 0, 0]) + body
total = sum(int.from_bytes(words[i:i + 2], 'big') for i in range(0, len(words), 2))
total = (total & 0xffff) + (total >> 16); total = ~((total & 0xffff) + (total >> 16)) & 0xffff
icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
icmp.sendto(bytes([3, 1]) + total.to_bytes(2, 'big') + body, ('127.0.0.1', 0))
import select
select.select([], [s], []); os._exit(0)"
    );
    let (seen, _) = life_of_socket(&mut lab, &script);
    let bind = (NetworkOperation::Bind, None);
    assert_eq!(operations(&seen), [bind, (NetworkOperation::Connect, Some(ConnectResult::Unreachable))]);
}

#[test]
fn more_connects_than_can_be_followed_are_told_at_once_without_a_result() {
    const CONNECTS: usize = 4300;
    const FOLLOWED: usize = 4096;
    let Some(mut lab) = Lab::open() else { return };
    let script = format!(
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
{DEAF}s.close()
many = [socket.socket() for _ in range({CONNECTS})]
for s in many: s.setblocking(False); s.connect_ex(l.getsockname())
for s in many: s.close()
os._exit(0)"
    );
    let (_, events) = life_of_socket(&mut lab, &script);
    let count = |result| {
        networks(&events)
            .into_iter()
            .filter(|network| network.operation == NetworkOperation::Connect && network.result == result)
            .count()
    };
    let (unknown, given_up) = (count(None), count(Some(ConnectResult::GivenUp)));
    assert!(unknown >= CONNECTS - FOLLOWED, "{unknown} without a result");
    // The few that fill the listener's queue may still wait when the process ends.
    assert!((CONNECTS..=CONNECTS + 3).contains(&(unknown + given_up)), "{unknown} and {given_up}");
}

#[test]
fn the_end_of_a_connection_says_what_went_over_it_for_both_ends() {
    let Some(mut lab) = Lab::open() else { return };
    let payload = "s.sendall(b'x' * 1000); assert len(c.recv(1000, socket.MSG_WAITALL)) == 1000
import threading
t = threading.Thread(target=lambda: c.sendall(b'y' * 3000000)); t.start()
assert len(s.recv(3000000, socket.MSG_WAITALL)) == 3000000; t.join()";
    // An orderly end from either side, and one that resets.
    for end in [
        "s.close(); assert c.recv(1) == b''; c.close()",
        "c.close(); assert s.recv(1) == b''; s.close()",
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0])); s.close(); c.close()",
    ] {
        let script = format!(
            "l = socket.create_server(('127.0.0.1', 0)); s = socket.create_connection(l.getsockname()); c, _ = l.accept()
{payload}\nprint(s.getsockname()[1]); {end}"
        );
        let (closes, _) = life_of_socket(&mut lab, &script);
        let close = closes.iter().find(|network| network.operation == NetworkOperation::Close);
        check_traffic(close.unwrap_or_else(|| panic!("no end: {closes:#?}")), 1000, 3_000_000);
    }
}

#[test]
fn the_accepting_end_is_told_as_well() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "l = socket.create_server(('::1', 0), family=socket.AF_INET6); s = socket.create_connection(l.getsockname()[:2])
c, _ = l.accept(); print(l.getsockname()[1]); s.sendall(b'x' * 77); c.recv(77); c.sendall(b'y' * 5); s.recv(5)
s.close(); assert c.recv(1) == b''; c.close()";
    let (seen, _) = life_of_socket(&mut lab, script);
    let [_bind, _listen, accept, close] = &seen[..] else { panic!("not these four: {seen:#?}") };
    assert_eq!((accept.operation, close.operation), (NetworkOperation::Accept, NetworkOperation::Close));
    assert_eq!((accept.local, accept.remote), (close.local, close.remote));
    check_traffic(close, 5, 77);
}

fn check_traffic(close: &NetworkActivity, sent: u64, received: u64) {
    let traffic = close.traffic.unwrap();
    assert_eq!(traffic, Traffic { sent, received, lasted_ns: traffic.lasted_ns });
    assert!((1..30_000_000_000).contains(&traffic.lasted_ns), "{traffic:?}");
}

#[test]
fn a_connection_that_ends_with_its_process_is_still_that_process_s() {
    let Some(mut lab) = Lab::open() else { return };
    let script =
        "l = socket.create_server(('127.0.0.1', 0)); s = socket.create_connection(l.getsockname()); os._exit(0)";
    let child = python(script).spawn().unwrap();
    let pid = child.id();
    let is_close = |event: &Event| {
        event.process.as_ref().is_some_and(|process| process.pid == pid)
            && matches!(&event.activity, Activity::Network(network) if network.operation == NetworkOperation::Close)
    };
    let seen = lab.until(is_close);
    child.wait_with_output().unwrap();
    let close = seen.iter().find(|event| is_close(event)).unwrap();
    assert_eq!(
        close.process.as_ref().unwrap().executable,
        std::fs::canonicalize("/usr/bin/python3").unwrap().to_str().unwrap()
    );
}

#[test]
fn binding_is_told_with_what_the_kernel_made_of_it() {
    let Some(mut lab) = Lab::open() else { return };
    let (v4, v6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into());
    for (kind, transport) in [("STREAM", Transport::Tcp), ("DGRAM", Transport::Udp)] {
        for (family, address) in [("AF_INET", v4), ("AF_INET6", v6)] {
            let script = format!(
                "s = socket.socket(socket.{family}, socket.SOCK_{kind}); s.bind(('{address}', 0)); print(s.getsockname()[1])
try: s.bind(('{address}', 0))
except OSError: pass
u = socket.socket(socket.AF_UNIX); u.bind('')"
            );
            let child = python(&script).stdout(Stdio::piped()).spawn().unwrap();
            let pid = child.id();
            let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
            let local = SocketAddr::new(address, output.trim().parse().unwrap());
            let events = lab.life_of(pid);
            let expected = NetworkActivity::new(NetworkOperation::Bind, transport, local, None);
            assert_eq!(networks(&events), [&expected]);
        }
    }
}
