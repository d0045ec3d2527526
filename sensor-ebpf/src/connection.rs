//! What is remembered of connections between their beginning and their end.
//!
//! Most of a connection's life happens in softirq, on whatever process happens to run; so who began or accepted it is remembered
//! by the address of its `struct sock`.

use bongsu_sensor_abi::{Network, TaskRef};

use crate::{
    globals::offset,
    maps::OPEN,
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
    pub(crate) begun_here: u64,
}

impl Open {
    /// Remembers that the current thread accepted the connection.
    #[inline(always)]
    pub(crate) fn accepted(socket: Socket) {
        let open = Self { task: Task::current().reference(), since_ns: now(), begun_here: 0 };
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
        let acked = read::<u64>(socket.0 + offset!(tcp_acked)).saturating_sub(self.begun_here);
        let resent: u64 = read(socket.0 + offset!(tcp_resent));
        let once = read::<u64>(socket.0 + offset!(tcp_sent)).saturating_sub(resent);
        let received: u64 = read(socket.0 + offset!(tcp_received));
        let finished = u64::from(read::<u64>(socket.0 + offset!(sock_flags)) & SOCK_DONE != 0);
        (if acked < once { acked } else { once }, received.saturating_sub(finished))
    }
}
