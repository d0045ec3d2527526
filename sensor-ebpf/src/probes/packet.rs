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
        let text = if seen.ends.protocol == UDP {
            datagram(&seen, sock, Owner::uses(sock, seen.ends.local_port), Way::Out)
        } else if seen.ends.remote_port == DNS {
            segment(sock)
        } else if seen.is_client_hello() {
            hello(sock)
        } else {
            None
        };
        tell(&seen, text, Way::Out);
    }
    PASS
}

/// Packets that arrive, in softirq.
#[cgroup_skb(ingress)]
pub(crate) fn packet_in(context: SkBuffContext) -> i32 {
    if let Some(seen) = look(&context, Way::In) {
        let sock = socket_of(&context);
        let text = if seen.ends.protocol == UDP {
            datagram(&seen, sock, Owner::of(sock, seen.ends.local_port), Way::In)
        } else if seen.ends.remote_port == DNS {
            segment(sock)
        } else {
            None
        };
        tell(&seen, text, Way::In);
    }
    PASS
}

/// A packet whose text is told: whose it is, and what it holds. The record is made in one place, for the sake of the stack.
type Text = Option<(TaskRef, Kind)>;

#[inline(always)]
fn tell(seen: &Seen<'_>, text: Text, way: Way) {
    if let Some((task, kind)) = text
        && !is_own_pid(task.pid)
    {
        seen.send(task, kind, way);
    }
}

#[inline(always)]
fn datagram(seen: &Seen<'_>, sock: u64, task: TaskRef, way: Way) -> Text {
    if seen.ends.remote_port == DNS {
        return Some((task, Kind::Dns));
    }
    if is_own_pid(task.pid) {
        return None;
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
        send(done(seen.ends, task, now, kind));
    }
    None
}

#[inline(always)]
fn segment(sock: u64) -> Text {
    // SAFETY: copied at once.
    Some((unsafe { OPEN.get(sock) }.map_or(NOBODY, |open| open.task), Kind::Dns))
}

#[inline(always)]
fn hello(sock: u64) -> Text {
    let Some(open) = OPEN.get_ptr_mut(sock) else { return Some((NOBODY, Kind::Tls)) };
    // SAFETY: the map's value; segments of one socket leave one after the other.
    unsafe {
        if (*open).said_hello != 0 {
            return None;
        }
        (*open).said_hello = 1;
        Some(((*open).task, Kind::Tls))
    }
}
