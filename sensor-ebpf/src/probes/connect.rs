//! Connections that begin, stand, fail and end.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use bongsu_sensor_abi::{Kind, Network, TaskRef};

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
        let step = match raw_argument(&context, 2) as u32 {
            SYN_SENT if !is_own() => begun(socket),
            Network::ESTABLISHED => stands(socket),
            Network::CLOSED => over(socket),
            _ => None,
        };
        if let Some(Step { task, time_ns, kind, state, error, sent, received, lasted_ns }) = step {
            send(Network { state, error, sent, received, lasted_ns, ..socket.done_by(task, time_ns, kind) });
        }
    }
    0
}

/// What is told of a step, besides the ends. The record is made of it in one place: one for each step would take the stack that
/// `budget::charge` needs, which kernels before 6.13 count with the caller's.
struct Step {
    task: TaskRef,
    time_ns: u64,
    kind: Kind,
    state: u32,
    error: u32,
    sent: u64,
    received: u64,
    lasted_ns: u64,
}

#[inline(always)]
fn begun(socket: Socket) -> Option<Step> {
    let attempt = Attempt { task: Task::current().reference(), begun_ns: now() };
    // Too many to follow: told at once.
    ATTEMPTS.insert(socket.0, attempt, 0).is_err().then(|| connect(attempt, 0, 0))
}

#[inline(always)]
fn stands(socket: Socket) -> Option<Step> {
    let attempt = take_attempt(socket)?;
    let open = Open { task: attempt.task, since_ns: now(), begun_here: 1, said_hello: 0 };
    // Fails only when the kernel has no memory; then the end of this connection is not told.
    let _kept = OPEN.insert(socket.0, open, 0);
    led_to(attempt, Network::ESTABLISHED, 0)
}

#[inline(always)]
fn over(socket: Socket) -> Option<Step> {
    if let Some(attempt) = take_attempt(socket) {
        return led_to(attempt, Network::CLOSED, socket.error());
    }
    // SAFETY: copied at once; a socket ends once, so nobody else is at this entry.
    let open = (unsafe { OPEN.get(socket.0) }).copied()?;
    let _removed = OPEN.remove(socket.0);
    if is_own_pid(open.task.pid) {
        return None;
    }
    let time_ns = now();
    let (sent, received) = open.traffic(socket);
    let lasted_ns = time_ns.saturating_sub(open.since_ns);
    Some(Step { task: open.task, time_ns, kind: Kind::Close, state: 0, error: 0, sent, received, lasted_ns })
}

#[inline(always)]
fn take_attempt(socket: Socket) -> Option<Attempt> {
    // SAFETY: copied at once; the socket is locked by whoever changes its state.
    let attempt = unsafe { ATTEMPTS.get(socket.0) }.copied()?;
    let _removed = ATTEMPTS.remove(socket.0);
    Some(attempt)
}

#[inline(always)]
fn led_to(attempt: Attempt, state: u32, error: u32) -> Option<Step> {
    (!is_own_pid(attempt.task.pid)).then(|| connect(attempt, state, error))
}

#[inline(always)]
fn connect(attempt: Attempt, state: u32, error: u32) -> Step {
    let Attempt { task, begun_ns } = attempt;
    Step { task, time_ns: begun_ns, kind: Kind::Connect, state, error, sent: 0, received: 0, lasted_ns: 0 }
}
