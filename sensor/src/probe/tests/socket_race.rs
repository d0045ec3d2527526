//! Addresses that change while the kernel takes them: what is told of a socket is what the kernel did with it.
//!
//! Two bytes of the address change, one of the port and one of the host, and not at the same moment. So there are four addresses, and somebody
//! at each of them.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    thread,
};

use bongsu_event::{Activity, Event, NetworkOperation};

use super::race::{Race, Round, assert_raced, unlimited};

const ROUNDS: usize = 2000;
/// What changes: 1 to 2 and back in the host's last byte, and the same bits in the port's.
const BITS: u8 = 3;
/// Where these bytes are in a `struct sockaddr_in`.
const FLIPS: [(usize, u8); 2] = [(3, BITS), (7, BITS)];

/// A socket of its own for each round, on an address of its own, so that the round is known by it. `show` says addresses as Rust does.
const PREPARE: &str = "import resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
def show(host_port): return '%s:%d' % host_port
def held():
 bytes = page[:8]
 return show(('.'.join(map(str, bytes[4:])), bytes[2] << 8 | bytes[3]))
def own(kind):
 made = socket.socket(socket.AF_INET, kind)
 made.bind((f'127.1.{i >> 8}.{i & 255}', 0))
 return made
kept = []";

/// Binds four sockets: two ports on each of two hosts.
fn four<T>(bind: impl Fn(SocketAddr) -> Option<T>, port_of: impl Fn(&T) -> u16) -> Vec<T> {
    const TRIES: u32 = 100;
    let hosts = [Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 1 ^ BITS)];
    let others = |first: T| {
        let port = port_of(&first);
        let mut all = vec![first];
        for (host, port) in [(hosts[1], port), (hosts[0], port ^ u16::from(BITS)), (hosts[1], port ^ u16::from(BITS))] {
            all.push(bind((host, port).into())?);
        }
        Some(all)
    };
    // Whoever has one of the other three by chance will not have those of the next try.
    (0..TRIES).find_map(|_| others(bind((hosts[0], 0).into())?)).expect("four addresses are free")
}

/// The address as the kernel is given it.
fn sockaddr(port: u16) -> String {
    let [high, low] = port.to_be_bytes();
    format!("bytes([2, 0, {high}, {low}, 127, 0, 0, 1] + [0] * 8)")
}

/// By the round's own address, what `operation` was told to go to.
fn told(events: &[Event], operation: NetworkOperation) -> BTreeMap<SocketAddr, SocketAddr> {
    let of = |event: &Event| match &event.activity {
        Activity::Network(network) if network.operation == operation => Some((network.local, network.remote?)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// By the round's own address, what the kernel took, as the program that asked was told.
fn taken(rounds: &[Round]) -> BTreeMap<SocketAddr, SocketAddr> {
    rounds.iter().map(|round| (round.key.parse().unwrap(), round.took.parse().unwrap())).collect()
}

/// Who connected to a listener, until this test does so itself: its own end is the same address as the listener's.
fn accepted(listener: &TcpListener) -> Vec<(SocketAddr, SocketAddr)> {
    let here = listener.local_addr().unwrap();
    let peers = listener.incoming().map(|stream| stream.unwrap().peer_addr().unwrap());
    peers.take_while(|peer| peer.ip() != here.ip()).map(|peer| (peer, here)).collect()
}

fn connect_to_itself(listener: SocketAddr) {
    let (family, kind) = (rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM);
    let socket = rustix::net::socket(family, kind, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::new(listener.ip(), 0)).unwrap();
    rustix::net::connect(&socket, &listener).unwrap();
}

#[test]
fn an_address_that_changes_during_a_connect_is_told_as_the_one_that_was_connected_to() {
    let Some(mut lab) = unlimited(false) else { return };
    let listeners = four(|address| TcpListener::bind(address).ok(), |listener| listener.local_addr().unwrap().port());
    let addresses: Vec<SocketAddr> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let accepting: Vec<_> = listeners.into_iter().map(|listener| thread::spawn(move || accepted(&listener))).collect();
    let race = Race {
        prepare: PREPARE,
        page: &sockaddr(addresses[0].port()),
        flips: &FLIPS,
        round: " s = own(socket.SOCK_STREAM)
 assert libc.connect(s.fileno(), ctypes.c_void_p(address), 16) == 0
 left = held()
 took, key = show(s.getpeername()), show(s.getsockname())
 s.close()",
        rounds: ROUNDS,
        rounds_max: 10 * ROUNDS,
    };
    let folder = tempfile::tempdir().unwrap();
    let (rounds, events) = race.run(&mut lab, folder.path());
    addresses.iter().for_each(|address| connect_to_itself(*address));
    let accepted: BTreeMap<_, _> = accepting.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_raced("connect", &rounds);
    assert_eq!(accepted.len(), rounds.len());
    assert_eq!(taken(&rounds), accepted, "both ends agree on who was connected to whom");
    assert_eq!(told(&events, NetworkOperation::Connect), accepted);
}

#[test]
fn an_address_that_changes_during_a_send_is_told_as_the_one_that_was_sent_to() {
    let Some(mut lab) = unlimited(false) else { return };
    let sockets = four(|address| UdpSocket::bind(address).ok(), |socket| socket.local_addr().unwrap().port());
    let addresses: Vec<SocketAddr> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
    let receiving: Vec<_> = sockets.into_iter().map(|socket| thread::spawn(move || received(&socket))).collect();
    let ports: Vec<u16> = addresses.iter().map(SocketAddr::port).collect();
    let race = Race {
        prepare: PREPARE,
        page: &sockaddr(ports[0]),
        flips: &FLIPS,
        // What was sent comes back from whoever got it. The sockets stay open: a peer is told once a minute for each socket, and another one may
        // lie in the kernel's memory where a closed one was.
        round: " s = own(socket.SOCK_DGRAM)
 kept.append(s)
 assert libc.sendto(s.fileno(), b'x', 1, 0, ctypes.c_void_p(address), 16) == 1
 left = held()
 took, key = show(s.recvfrom(1)[1]), show(s.getsockname())",
        rounds: ROUNDS / 4,
        rounds_max: ROUNDS,
    };
    let folder = tempfile::tempdir().unwrap();
    let (rounds, events) = race.run(&mut lab, folder.path());
    let end = UdpSocket::bind("127.0.0.1:0").unwrap();
    addresses.iter().for_each(|address| assert_eq!(end.send_to(&[], address).unwrap(), 0));
    let received: BTreeMap<_, _> = receiving.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_raced("sendto", &rounds);
    assert_eq!(received.len(), rounds.len());
    assert_eq!(taken(&rounds), received, "both ends agree on who sent to whom");
    assert_eq!(told(&events, NetworkOperation::Send), received);
}

/// Sends back what comes until something empty does; says from whom it came.
fn received(socket: &UdpSocket) -> Vec<(SocketAddr, SocketAddr)> {
    let here = socket.local_addr().unwrap();
    let mut from = Vec::new();
    loop {
        let mut byte = [0];
        let (len, sender) = socket.recv_from(&mut byte).unwrap();
        if len == 0 {
            return from;
        }
        from.push((sender, here));
        socket.send_to(&byte, sender).unwrap();
    }
}

#[test]
fn an_address_that_changes_during_a_bind_is_told_as_the_one_that_the_socket_got() {
    let Some(mut lab) = unlimited(false) else { return };
    let race = Race {
        prepare: PREPARE,
        // Any port: the kernel says which.
        page: &sockaddr(0),
        flips: &FLIPS[1..],
        round: " s = socket.socket()
 assert libc.bind(s.fileno(), ctypes.c_void_p(address), 16) == 0
 left = held()
 key = show(s.getsockname())
 took = show((s.getsockname()[0], 0))
 s.close()",
        rounds: ROUNDS,
        rounds_max: 10 * ROUNDS,
    };
    let folder = tempfile::tempdir().unwrap();
    let (rounds, events) = race.run(&mut lab, folder.path());
    assert_raced("bind", &rounds);
    let of = |event: &Event| match &event.activity {
        Activity::Network(network) if network.operation == NetworkOperation::Bind => Some(network.local.to_string()),
        _ => None,
    };
    let told: Vec<String> = events.iter().filter_map(of).collect();
    let got: Vec<String> = rounds.into_iter().map(|round| round.key).collect();
    assert_eq!(told, got);
}
