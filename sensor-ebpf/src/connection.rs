//! What is remembered of connections between their beginning and their end.
//!
//! Most of a connection's life happens in softirq, on whatever process happens to run; so who began or accepted it is remembered
//! by the address of its `struct sock`.

use bongsu_sensor_abi::{Network, TaskRef};

use crate::{
    globals::offset,
    maps::{OPEN, OWNERS},
    record::now,
    socket::Socket,
    task::{Task, read},
};

/// A connection that was begun.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Attempt {
    /// Who began it.
    pub(crate) task: TaskRef,
    /// When, in nanoseconds since boot.
    pub(crate) begun_ns: u64,
}

/// A connection that stands.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Open {
    /// Who began or accepted it.
    pub(crate) task: TaskRef,
    /// Since when, in nanoseconds since boot.
    pub(crate) since_ns: u64,
    /// 1 when it was begun from here, 0 when it was accepted.
    pub(crate) begun_here: u32,
    /// 1 once its ClientHello was told.
    pub(crate) said_hello: u32,
}

/// Who used a UDP socket last.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Owner {
    pub(crate) task: TaskRef,
    /// This host's port then. Another one now: another socket that has the memory of the one that was meant.
    pub(crate) port: u64,
}

impl Owner {
    /// Remembers that the current thread uses the socket; says who that is.
    #[inline(always)]
    pub(crate) fn uses(sock: u64, port: u16) -> TaskRef {
        let task = Task::current().reference();
        let port = u64::from(port);
        // SAFETY: only compared. An entry that is there already is not written again with every datagram.
        let known = unsafe { OWNERS.get(sock) }.is_some_and(|owner| {
            owner.task.start_ns == task.start_ns && owner.task.pid == task.pid && owner.port == port
        });
        if !known {
            // Fails only when the kernel has no memory; then what comes in belongs to nobody.
            let _kept = OWNERS.insert(sock, Self { task, port }, 0);
        }
        task
    }

    /// Who used the socket last, or nobody.
    #[inline(always)]
    pub(crate) fn of(sock: u64, port: u16) -> TaskRef {
        // SAFETY: copied at once.
        match unsafe { OWNERS.get(sock) } {
            Some(owner) if owner.port == u64::from(port) => owner.task,
            _ => NOBODY,
        }
    }
}

/// No task.
pub(crate) const NOBODY: TaskRef = TaskRef { start_ns: 0, pid: 0, thread: 0 };

/// One socket of one process, one peer, one direction.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Peer {
    pub(crate) start_ns: u64,
    pub(crate) sock: u64,
    pub(crate) address: [u8; 16],
    pub(crate) pid: u32,
    pub(crate) port: u16,
    /// A [`bongsu_sensor_abi::Kind`].
    pub(crate) direction: u16,
}

impl Open {
    /// Remembers that the current thread accepted the connection.
    #[inline(always)]
    pub(crate) fn accepted(socket: Socket) {
        let open = Self { task: Task::current().reference(), since_ns: now(), begun_here: 0, said_hello: 0 };
        // Fails only when the kernel has no memory; then the end of this connection is not told.
        let _kept = OPEN.insert(socket.0, open, 0);
        // It may have ended while it waited to be accepted: then nobody would take it out again.
        if socket.state() == Network::CLOSED {
            let _removed = OPEN.remove(socket.0);
        }
    }

    /// Bytes of payload sent and confirmed, and received, as the socket counts at its end.
    ///
    /// The kernel counts sequence numbers, and SYN and FIN have one each: that of our SYN is among the confirmed ones of a connection begun
    /// here; that of our FIN is confirmed last of all, so then everything was; that of the other end's FIN was received when SOCK_DONE says so.
    #[inline(always)]
    pub(crate) fn traffic(&self, socket: Socket) -> (u64, u64) {
        const SOCK_DONE: u64 = 1 << 1;
        let acked = read::<u64>(socket.0 + offset!(tcp_acked)).saturating_sub(u64::from(self.begun_here));
        let resent: u64 = read(socket.0 + offset!(tcp_resent));
        let once = read::<u64>(socket.0 + offset!(tcp_sent)).saturating_sub(resent);
        let received: u64 = read(socket.0 + offset!(tcp_received));
        let finished = u64::from(read::<u64>(socket.0 + offset!(sock_flags)) & SOCK_DONE != 0);
        (if acked < once { acked } else { once }, received.saturating_sub(finished))
    }
}
