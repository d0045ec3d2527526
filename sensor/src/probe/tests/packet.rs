//! Datagrams, questions to a name server, and the first words of TLS clients. The other side is this test: the probes leave it out.

use std::{
    io::{BufRead as _, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use bongsu_event::{Activity, Dns, DnsAnswer, Event, NetworkActivity, NetworkOperation, TlsHello, Transport};

use super::{
    lab::Lab,
    network::{networks, python},
};
use crate::decode::hello::tests::client_hello;

/// Nobody else listens there.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 53, 19, 84)), 53);

/// Asks for the A record of tower.example.
const QUESTION: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x05tower\x07example\0\0\x01\0\x01";

/// Packets are seen where a unified hierarchy is mounted, and nowhere else.
fn lab_with_packets() -> Option<Lab> {
    let lab = Lab::open()?;
    if !std::fs::read_to_string("/proc/mounts").unwrap().contains(" cgroup2 ") {
        println!("skipped: no cgroup2 here");
        return None;
    }
    Some(lab)
}

fn answer_to(question: &[u8]) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] = 0x81;
    answer[3] = 0x80;
    answer[7] = 2;
    answer.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x07\x04hill\xc0\x12");
    answer.extend(b"\xc0\x2b\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07");
    answer
}

fn python_bytes(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("bytes.fromhex('{digits}')")
}

fn expected(transport: Transport) -> [Dns; 2] {
    let (name, kind) = ("tower.example".into(), 1);
    let question = Dns { name, kind, answer: None, transport, server: SERVER };
    let answer = DnsAnswer { code: 0, addresses: vec![[192, 0, 2, 7].into()], names: vec!["hill.example".into()] };
    [question.clone(), Dns { answer: Some(answer), ..question }]
}

fn questions(events: &[Event]) -> Vec<Dns> {
    events
        .iter()
        .filter_map(|event| match &event.activity {
            Activity::Dns(dns) => Some(dns.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_question_over_udp_and_its_answer_are_told_by_the_one_who_asks() {
    let Some(mut lab) = lab_with_packets() else { return };
    let server = UdpSocket::bind(SERVER).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // With an address for each datagram, and with a socket that has one peer, as the C library does it.
    let question = python_bytes(QUESTION);
    let script = format!(
        "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.sendto({question}, ('{ip}', 53)); u.recvfrom(512)
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.connect(('{ip}', 53)); c.send({question}); c.recv(512)
c.send(b'no DNS at all')",
        ip = SERVER.ip()
    );
    let child = python(&script).spawn().unwrap();
    let mut room = [0; 512];
    for _ in 0..2 {
        let (len, client) = server.recv_from(&mut room).unwrap();
        server.send_to(&answer_to(&room[..len]), client).unwrap();
    }
    let pid = child.id();
    assert!(child.wait_with_output().unwrap().status.success());
    let events = lab.life_of(pid);
    let [question, answer] = expected(Transport::Udp);
    assert_eq!(questions(&events), [question.clone(), answer.clone(), question, answer]);
    let [send] = networks(&events)[..] else { panic!("not one: {events:#?}") };
    assert_eq!((send.operation, send.remote), (NetworkOperation::Send, Some(SERVER)));
}

#[test]
fn a_question_over_tcp_is_told_however_it_is_cut() {
    let Some(mut lab) = lab_with_packets() else { return };
    let listener = TcpListener::bind(SERVER).unwrap();
    let question = python_bytes(&[&[0, u8::try_from(QUESTION.len()).unwrap()], QUESTION].concat());
    let script = format!(
        "s = socket.create_connection(('{}', 53)); s.sendall({question}); s.recv(1, socket.MSG_WAITALL); s.recv(512)",
        SERVER.ip()
    );
    let child = python(&script).spawn().unwrap();
    let (mut client, _) = listener.accept().unwrap();
    client.set_nodelay(true).unwrap();
    let mut asked = vec![0; QUESTION.len() + 2];
    client.read_exact(&mut asked).unwrap();
    let answer = answer_to(&asked[2..]);
    // The length in a segment of its own.
    client.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
    client.write_all(&answer).unwrap();
    let pid = child.id();
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(questions(&lab.life_of(pid)), expected(Transport::Tcp));
}

#[test]
fn a_tls_client_s_first_words_name_whom_it_asks_for() {
    let Some(mut lab) = lab_with_packets() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let remote = listener.local_addr().unwrap();
    let hello = python_bytes(&client_hello("beacon.example.org"));
    // Once for a connection; what only looks like TLS later is payload.
    let script = format!(
        "s = socket.create_connection(('127.0.0.1', {})); s.sendall({hello}); s.recv(1); s.sendall({hello}); s.recv(1)",
        remote.port()
    );
    let child = python(&script).spawn().unwrap();
    let (mut client, local) = listener.accept().unwrap();
    let mut said = vec![0; client_hello("beacon.example.org").len()];
    for _ in 0..2 {
        client.read_exact(&mut said).unwrap();
        client.write_all(b".").unwrap();
    }
    let pid = child.id();
    assert!(child.wait_with_output().unwrap().status.success());
    let events = lab.life_of(pid);
    let hellos: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.activity {
            Activity::Tls(hello) => Some(hello.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(hellos, [TlsHello { server_name: "beacon.example.org".into(), local, remote }]);
}

#[test]
fn a_peer_over_udp_is_told_once_for_each_way() {
    let Some(mut lab) = lab_with_packets() else { return };
    for (family, address) in [("AF_INET", IpAddr::from(Ipv4Addr::LOCALHOST)), ("AF_INET6", Ipv6Addr::LOCALHOST.into())]
    {
        let peer = UdpSocket::bind((address, 0)).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let remote = peer.local_addr().unwrap();
        let script = format!(
            "u = socket.socket(socket.{family}, socket.SOCK_DGRAM); u.bind(('{address}', 0))
for _ in range(3): u.sendto(b'x', ('{address}', {port})); u.recv(1)",
            port = remote.port()
        );
        let child = python(&script).spawn().unwrap();
        let mut local = remote;
        for _ in 0..3 {
            (_, local) = peer.recv_from(&mut [0]).unwrap();
            peer.send_to(b"y", local).unwrap();
        }
        let pid = child.id();
        assert!(child.wait_with_output().unwrap().status.success());
        let udp = |operation, remote| NetworkActivity::new(operation, Transport::Udp, local, remote);
        let expected = [
            udp(NetworkOperation::Bind, None),
            udp(NetworkOperation::Send, Some(remote)),
            udp(NetworkOperation::Receive, Some(remote)),
        ];
        assert_eq!(networks(&lab.life_of(pid)), expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn whoever_bound_a_socket_receives_before_it_ever_sends() {
    let Some(mut lab) = lab_with_packets() else { return };
    let script = "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))
print(u.getsockname()[1], flush=True); u.recv(1)";
    let mut child = python(script).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut port = String::new();
    output.read_line(&mut port).unwrap();
    let port: u16 = port.trim().parse().unwrap();
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    peer.send_to(b"x", (Ipv4Addr::LOCALHOST, port)).unwrap();
    let pid = child.id();
    assert!(child.wait().unwrap().success());
    let events = lab.life_of(pid);
    let [bind, receive] = networks(&events)[..] else { panic!("not these two: {events:#?}") };
    assert_eq!(bind.operation, NetworkOperation::Bind);
    let expected =
        NetworkActivity::new(NetworkOperation::Receive, Transport::Udp, bind.local, Some(peer.local_addr().unwrap()));
    assert_eq!(*receive, expected);
}
