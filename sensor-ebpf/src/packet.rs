//! Reading packets as the cgroup hooks show them: from the IP header on.

use core::arch::asm;

use aya_ebpf::{helpers::generated::bpf_skb_load_bytes, programs::SkBuffContext};
use bongsu_sensor_abi::{Ends, Family, Header, Kind, PAYLOAD_MAX, Packet, TaskRef, User};

use crate::{
    budget::admits,
    record::{Counted, Ring, now},
    socket::{AF_INET, AF_INET6, TCP, UDP, first_four},
};

const ETHERTYPE_IP: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Out,
    In,
}

/// A packet of TCP or UDP.
pub(crate) struct Seen<'a> {
    context: &'a SkBuffContext,
    pub(crate) ends: Ends,
    /// Where its payload begins.
    payload: u32,
}

/// A packet of TCP or UDP, a first fragment at least; `None` for any other, and for IPv6 with extension headers.
#[inline(always)]
pub(crate) fn look(context: &SkBuffContext, way: Way) -> Option<Seen<'_>> {
    // SAFETY: the kernel's own context.
    let ethertype = u16::from_be(unsafe { (*context.skb.skb).protocol } as u16);
    let (family, protocol, at, source, target) = match ethertype {
        ETHERTYPE_IP => {
            let header: [u8; 20] = context.load(0).ok()?;
            if u16::from_be_bytes([header[6], header[7]]) & FRAGMENT_OFFSET != 0 {
                return None;
            }
            let source = first_four([header[12], header[13], header[14], header[15]]);
            let target = first_four([header[16], header[17], header[18], header[19]]);
            (AF_INET, header[9], u32::from(header[0] & 0xf) * 4, source, target)
        }
        ETHERTYPE_IPV6 => (AF_INET6, context.load::<u8>(6).ok()?, 40, context.load(8).ok()?, context.load(24).ok()?),
        _ => return None,
    };
    let ports: [u16; 2] = context.load(at as usize).ok()?;
    let payload = match u16::from(protocol) {
        UDP => at + 8,
        TCP => at + u32::from(context.load::<u8>(at as usize + 12).ok()? >> 4) * 4,
        _ => return None,
    };
    let (from, to) = (u16::from_be(ports[0]), u16::from_be(ports[1]));
    let (local, remote, local_port, remote_port) = match way {
        Way::Out => (source, target, from, to),
        Way::In => (target, source, to, from),
    };
    let ends = Ends { local, remote, local_port, remote_port, family, protocol: u16::from(protocol) };
    Some(Seen { context, ends, payload })
}

/// The address of the socket that sends or gets the packet.
#[inline(always)]
pub(crate) fn socket_of(context: &SkBuffContext) -> u64 {
    // SAFETY: the kernel's own context.
    unsafe { (*context.skb.skb).__bindgen_anon_2.sk as u64 }
}

/// A record with its text, as it lies in the ring.
#[repr(C)]
struct Room {
    head: Packet,
    payload: [u8; PAYLOAD_MAX],
}

/// The same number, of which the compiler knows nothing.
#[inline(always)]
fn opaque(mut number: u64) -> u64 {
    // SAFETY: a register keeps its value. Not without any instruction: two lines of the source at one place are refused by the verifier.
    unsafe { asm!("{0} = {0}", inout(reg) number) };
    number
}

impl Seen<'_> {
    /// Bytes of payload.
    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        self.context.len().saturating_sub(self.payload)
    }

    /// Whether the payload begins as a TLS record with a ClientHello does.
    #[inline(always)]
    pub(crate) fn is_client_hello(&self) -> bool {
        match self.context.load::<[u8; 6]>(self.payload as usize) {
            Ok(start) => start[0] == 0x16 && start[1] == 3 && start[5] == 1,
            Err(_) => false,
        }
    }

    /// Sends the payload, right into the ring: a packet may be looked at in an interrupt of the looking at another.
    #[inline(always)]
    pub(crate) fn send(&self, task: TaskRef, kind: Kind, way: Way) {
        let len = u64::from(self.len());
        if len == 0 || !admits(task, Family::Packet) {
            return;
        }
        // The verifier must see that there are at least one and at most so many bytes, on the very register that is used. Older ones (6.1)
        // learn nothing from a comparison with 0, but from adding 1.
        let last = opaque(len.wrapping_sub(1));
        let last = if last > PAYLOAD_MAX as u64 - 1 { PAYLOAD_MAX as u64 - 1 } else { last };
        let len = opaque(last) + 1;
        let Some(counted) = Counted::new(Ring::Other) else { return };
        let Some(mut entry) = counted.ring.reserve::<Room>(0) else { return counted.lost() };
        let room = entry.as_mut_ptr();
        let flags = if way == Way::In { Packet::INCOMING } else { 0 };
        // SAFETY: `room` is PAYLOAD_MAX bytes behind its head, and `len` is no more.
        unsafe {
            let to = (&raw mut (*room).payload).cast();
            let read = bpf_skb_load_bytes(self.context.skb.skb.cast(), self.payload, to, len as u32);
            let payload_len = if read == 0 { len as u16 } else { 0 };
            let header = Header { time_ns: now(), task, kind: kind as u32, flags, user: User::UNKNOWN };
            (&raw mut (*room).head).write(Packet { header, ends: self.ends, payload_len, reserved: [0; 3] });
        }
        entry.submit(0);
    }
}
