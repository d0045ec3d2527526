//! Reading sockets.

use bongsu_sensor_abi::{ABSENT, Ends, Family, Header, Kind, Network, TaskRef, User};

use crate::{
    budget::admits,
    globals::offset,
    record::{Ring, now, send_head},
    task::{Task, read},
};

pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;
pub(crate) const TCP: u16 = 6;
pub(crate) const UDP: u16 = 17;
const MPTCP: u16 = 262;

/// A `struct sock` of TCP or UDP, by its address.
#[derive(Clone, Copy)]
pub(crate) struct Socket(pub(crate) u64);

impl Socket {
    /// The socket there, when it is one of TCP or UDP over IP.
    #[inline(always)]
    pub(crate) fn at(sock: u64) -> Option<Self> {
        let socket = Self(sock);
        let (family, protocol) = (socket.family(), socket.protocol());
        let internet = family == AF_INET || (family == AF_INET6 && offset!(sock_local6) != ABSENT as u64);
        let known = protocol == TCP || protocol == UDP || protocol == MPTCP;
        if internet && known { Some(socket) } else { None }
    }

    #[inline(always)]
    fn family(self) -> u16 {
        read(self.0 + offset!(sock_family))
    }

    #[inline(always)]
    fn protocol(self) -> u16 {
        read(self.0 + offset!(sock_protocol))
    }

    /// Whether it is a connection's own socket; one of multipath TCP only stands for several.
    #[inline(always)]
    pub(crate) fn is_tcp(self) -> bool {
        self.protocol() == TCP
    }

    /// Its state, as TCP numbers it.
    #[inline(always)]
    pub(crate) fn state(self) -> u32 {
        u32::from(read::<u8>(self.0 + offset!(sock_state)))
    }

    /// Its pending error, by its errno.
    #[inline(always)]
    pub(crate) fn error(self) -> u32 {
        read(self.0 + offset!(sock_error))
    }

    /// Both ends.
    #[inline(always)]
    pub(crate) fn ends(self) -> Ends {
        let family = self.family();
        let (local, remote) = if family == AF_INET {
            (first_four(read(self.0 + offset!(sock_local))), first_four(read(self.0 + offset!(sock_remote))))
        } else {
            (read(self.0 + offset!(sock_local6)), read(self.0 + offset!(sock_remote6)))
        };
        Ends {
            local,
            remote,
            local_port: u16::from_be(read(self.0 + offset!(sock_local_port))),
            remote_port: u16::from_be(read(self.0 + offset!(sock_remote_port))),
            family,
            protocol: self.protocol(),
        }
    }

    /// What the current thread did to it, just now.
    #[inline(always)]
    pub(crate) fn done(self, kind: Kind) -> Network {
        let task = Task::current();
        let mut record = self.done_by(task.reference(), now(), kind);
        record.header.user = task.user();
        record
    }

    /// What that task did to it, then.
    #[inline(always)]
    pub(crate) fn done_by(self, task: TaskRef, time_ns: u64, kind: Kind) -> Network {
        done(self.ends(), task, time_ns, kind)
    }
}

/// What that task did between these ends, then.
#[inline(always)]
pub(crate) fn done(ends: Ends, task: TaskRef, time_ns: u64, kind: Kind) -> Network {
    let header = Header { time_ns, task, kind: kind as u32, flags: 0, user: User::UNKNOWN };
    Network { header, ends, sent: 0, received: 0, lasted_ns: 0, state: 0, error: 0 }
}

/// Sends a record, when its process has an allowance left.
#[inline(always)]
pub(crate) fn send(record: Network) {
    if admits(record.header.task, Family::Network) {
        send_head(record, Ring::Other);
    }
}

/// An IPv4 address in the room of any.
#[inline(always)]
pub(crate) fn first_four(address: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = address;
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}
