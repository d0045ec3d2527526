//! UDP's peers, questions to DNS servers and their answers, and the names that TLS clients ask for.
//!
//! The two programs stand at the root of the cgroup tree and see each packet of each socket; they let every one pass.

use aya_ebpf::{macros::cgroup_skb, programs::SkBuffContext};
use bongsu_sensor_abi::{Kind, TaskRef};

use crate::{
    connection::{NOBODY, Owner, Peer},
    maps::{OPEN, PEERS},
    packet::{Seen, Way, look, socket_of},
    record::{is_own_pid, now},
    socket::{UDP, done, send},
};

const PASS: i32 = 1;
const DNS: u16 = 53;

/// A peer is told again after this long.
const WINDOW_NS: u64 = 60_000_000_000;

/// Packets that leave. A datagram passes here within the call that sends it; a segment of TCP may leave in softirq, on any process.
#[cgroup_skb(egress)]
pub(crate) fn packet_out(context: SkBuffContext) -> i32 {
    if let Some(seen) = look(&context, Way::Out) {
        let sock = socket_of(&context);
        if seen.ends.protocol == UDP {
            let task = Owner::uses(sock, seen.ends.local_port);
            datagram(&seen, sock, task, Way::Out);
        } else if seen.ends.remote_port == DNS {
            segment(&seen, sock, Way::Out);
        } else if seen.is_client_hello() {
            hello(&seen, sock);
        }
    }
    PASS
}

/// Packets that arrive, in softirq.
#[cgroup_skb(ingress)]
pub(crate) fn packet_in(context: SkBuffContext) -> i32 {
    if let Some(seen) = look(&context, Way::In) {
        let sock = socket_of(&context);
        if seen.ends.protocol == UDP {
            datagram(&seen, sock, Owner::of(sock, seen.ends.local_port), Way::In);
        } else if seen.ends.remote_port == DNS {
            segment(&seen, sock, Way::In);
        }
    }
    PASS
}

#[inline(always)]
fn datagram(seen: &Seen<'_>, sock: u64, task: TaskRef, way: Way) {
    if is_own_pid(task.pid) {
        return;
    }
    if seen.ends.remote_port == DNS {
        return seen.send(task, Kind::Dns, way);
    }
    let kind = if way == Way::Out { Kind::Send } else { Kind::Receive };
    let peer = Peer {
        start_ns: task.start_ns,
        sock,
        address: seen.ends.remote,
        pid: task.pid,
        port: seen.ends.remote_port,
        direction: kind as u16,
    };
    let now = now();
    // SAFETY: copied at once.
    let told = unsafe { PEERS.get(peer) }.copied();
    if told.is_none_or(|told| now.saturating_sub(told) > WINDOW_NS) {
        // Fails only when the kernel has no memory; then the next datagram is told, too.
        let _kept = PEERS.insert(peer, now, 0);
        send(&done(seen.ends, task, now, kind));
    }
}

#[inline(always)]
fn segment(seen: &Seen<'_>, sock: u64, way: Way) {
    // SAFETY: copied at once.
    let task = unsafe { OPEN.get(sock) }.map_or(NOBODY, |open| open.task);
    if !is_own_pid(task.pid) {
        seen.send(task, Kind::Dns, way);
    }
}

#[inline(always)]
fn hello(seen: &Seen<'_>, sock: u64) {
    let Some(open) = OPEN.get_ptr_mut(sock) else { return seen.send(NOBODY, Kind::Tls, Way::Out) };
    // SAFETY: the map's value; segments of one socket leave one after the other.
    let task = unsafe {
        if (*open).said_hello != 0 {
            return;
        }
        (*open).said_hello = 1;
        (*open).task
    };
    if !is_own_pid(task.pid) {
        seen.send(task, Kind::Tls, Way::Out);
    }
}
