//! Sockets that see or make packets as they are on the wire.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::TamperOperation;

use crate::{file::result, record::is_own, tamper::Tamper, task::Arguments};

const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
const AF_PACKET: u64 = 17;
const AF_XDP: u64 = 44;
const SOCK_RAW: u64 = 3;
const TYPE_MASK: u64 = 0xf;

/// `sys_exit_socket` of `socket(int family, int type, int protocol)`. Netlink's sockets are called raw as well and are not meant.
#[tracepoint]
pub(crate) fn socket_made(context: TracePointContext) -> u32 {
    let arguments = Arguments::current();
    let family = arguments.first();
    let on_wire = family == AF_PACKET || family == AF_XDP;
    let is_raw = (family == AF_INET || family == AF_INET6) && arguments.second() & TYPE_MASK == SOCK_RAW;
    if (on_wire || is_raw) && result(&context) >= 0 && !is_own() {
        let protocol = arguments.third() as u32;
        // Packet sockets name an Ethernet protocol, in the order of the wire.
        let protocol = if family == AF_PACKET { u32::from(u16::from_be(protocol as u16)) } else { protocol };
        let mut tamper = Tamper::new(TamperOperation::RawSocket, protocol);
        tamper.detail = family as u32;
        let _sent = tamper.send_once();
    }
    0
}
