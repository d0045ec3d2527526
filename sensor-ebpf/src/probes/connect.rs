//! Connections that begin, stand, fail and end.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use bongsu_sensor_abi::{Kind, Network};

use crate::{
    connection::{Attempt, Open},
    maps::{ATTEMPTS, OPEN},
    record::{is_own, is_own_pid, now, raw_argument},
    socket::{Socket, send},
    task::Task,
};

const SYN_SENT: u32 = 2;

/// `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`, before the state is set.
///
/// The step to SYN_SENT is taken by the connecting process itself. All others may be taken in softirq, where the current process has
/// nothing to do with it.
#[raw_tracepoint]
pub(crate) fn connection_state(context: RawTracePointContext) -> i32 {
    if let Some(socket) = Socket::at(raw_argument(&context, 0))
        && socket.is_tcp()
    {
        match raw_argument(&context, 2) as u32 {
            SYN_SENT if !is_own() => begun(socket),
            Network::ESTABLISHED => stands(socket),
            Network::CLOSED => over(socket),
            _ => {}
        }
    }
    0
}

#[inline(always)]
fn begun(socket: Socket) {
    let attempt = Attempt { task: Task::current().reference(), begun_ns: now() };
    if ATTEMPTS.insert(socket.0, attempt, 0).is_err() {
        send(&socket.done_by(attempt.task, attempt.begun_ns, Kind::Connect));
    }
}

#[inline(always)]
fn stands(socket: Socket) {
    let Some(attempt) = take_attempt(socket) else { return };
    let open = Open { task: attempt.task, since_ns: now(), begun_here: 1, said_hello: 0 };
    // Fails only when the kernel has no memory; then the end of this connection is not told.
    let _kept = OPEN.insert(socket.0, open, 0);
    led_to(socket, attempt, Network::ESTABLISHED, 0);
}

#[inline(always)]
fn over(socket: Socket) {
    if let Some(attempt) = take_attempt(socket) {
        led_to(socket, attempt, Network::CLOSED, socket.error());
        return;
    }
    // SAFETY: copied at once; a socket ends once, so nobody else is at this entry.
    let Some(open) = (unsafe { OPEN.get(socket.0) }).copied() else { return };
    let _removed = OPEN.remove(socket.0);
    if !is_own_pid(open.task.pid) {
        let now = now();
        let (sent, received) = open.traffic(socket);
        let lasted_ns = now.saturating_sub(open.since_ns);
        send(&Network { sent, received, lasted_ns, ..socket.done_by(open.task, now, Kind::Close) });
    }
}

#[inline(always)]
fn take_attempt(socket: Socket) -> Option<Attempt> {
    // SAFETY: copied at once; the socket is locked by whoever changes its state.
    let attempt = unsafe { ATTEMPTS.get(socket.0) }.copied()?;
    let _removed = ATTEMPTS.remove(socket.0);
    Some(attempt)
}

#[inline(always)]
fn led_to(socket: Socket, attempt: Attempt, state: u32, error: u32) {
    if !is_own_pid(attempt.task.pid) {
        send(&Network { state, error, ..socket.done_by(attempt.task, attempt.begun_ns, Kind::Connect) });
    }
}
