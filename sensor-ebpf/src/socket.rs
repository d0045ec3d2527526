//! Reading sockets.

use bongsu_sensor_abi::{ABSENT, Kind, Network};

use crate::{
    globals::offset,
    record::{Draft, Ring},
    task::{Task, read},
};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const TCP: u16 = 6;
const MPTCP: u16 = 262;

/// Sends what was done to the `struct sock` at `sock`, when it is one of TCP.
#[inline(always)]
pub(crate) fn send(sock: u64, kind: Kind) -> Option<()> {
    let family: u16 = read(sock + offset!(sock_family));
    let protocol: u16 = read(sock + offset!(sock_protocol));
    if (family != AF_INET && family != AF_INET6) || (protocol != TCP && protocol != MPTCP) {
        return None;
    }
    let draft = Draft::new::<Network>()?;
    let (local, remote) = if family == AF_INET {
        (first_four(read(sock + offset!(sock_local))), first_four(read(sock + offset!(sock_remote))))
    } else {
        if offset!(sock_local6) == ABSENT as u64 {
            return None;
        }
        (read(sock + offset!(sock_local6)), read(sock + offset!(sock_remote6)))
    };
    let head = Network {
        header: draft.header(Task::current(), kind),
        local,
        remote,
        local_port: read(sock + offset!(sock_local_port)),
        remote_port: u16::from_be(read(sock + offset!(sock_remote_port))),
        family,
        protocol,
    };
    draft.send(head, Ring::Other);
    Some(())
}

#[inline(always)]
fn first_four(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}
