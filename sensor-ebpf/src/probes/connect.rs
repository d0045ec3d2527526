//! Connections begun from here.

use aya_ebpf::{
    macros::{fentry, kprobe, raw_tracepoint},
    programs::{FEntryContext, ProbeContext, RawTracePointContext},
};
use bongsu_sensor_abi::Kind;

use crate::{
    record::{is_own, raw_argument},
    socket::send,
};

const SYN_SENT: u64 = 2;

/// `int tcp_connect(struct sock *sk)`: all is known, the port the kernel chose for this end included, and nothing is sent yet.
#[fentry]
pub(crate) fn connect_entry(context: FEntryContext) -> i32 {
    if !is_own() {
        let _sent = send(raw_argument(&context, 0), Kind::Connect);
    }
    0
}

/// As above, for kernels that refuse fentry.
#[kprobe]
pub(crate) fn connect_probe(context: ProbeContext) -> u32 {
    if let Some(sock) = context.arg::<u64>(0)
        && !is_own()
    {
        let _sent = send(sock, Kind::Connect);
    }
    0
}

/// `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`. The step to SYN_SENT is taken by the connecting
/// process itself, for IPv4 and IPv6 before the kernel chose a port for this end: it is 0 unless the program bound one.
#[raw_tracepoint]
pub(crate) fn connect_state(context: RawTracePointContext) -> i32 {
    if raw_argument(&context, 2) as u32 as u64 == SYN_SENT && !is_own() {
        let _sent = send(raw_argument(&context, 0), Kind::Connect);
    }
    0
}
