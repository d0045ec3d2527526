//! Lines typed into shells.

use aya_ebpf::{helpers::generated::bpf_probe_read_user_str, macros::uretprobe, programs::RetProbeContext};
use bongsu_sensor_abi::{Header, Kind, LINE_MAX, ShellLine};

use crate::{
    login::read_user,
    record::{Counted, Ring, now},
    task::Task,
};

/// A record with its text, as it lies in the ring.
#[repr(C)]
struct Room {
    head: ShellLine,
    line: [u8; LINE_MAX],
}

/// `char *readline(const char *prompt)`, whose result is NULL at the end of input. Only lines with something in them.
#[uretprobe]
pub(crate) fn line_typed(context: RetProbeContext) -> u32 {
    let line = context.ret::<u64>();
    if line != 0 && read_user::<u8>(line) != 0 {
        send(line);
    }
    0
}

#[inline(always)]
fn send(line: u64) {
    let Some(counted) = Counted::new(Ring::Other) else { return };
    let Some(mut entry) = counted.ring.reserve::<Room>(0) else { return counted.lost() };
    let room = entry.as_mut_ptr();
    let (task, kind) = (Task::current().reference(), Kind::ShellLine as u32);
    // SAFETY: `room` is a Room, whose line is LINE_MAX bytes; the helper checks the source.
    unsafe {
        let read = bpf_probe_read_user_str((&raw mut (*room).line).cast(), LINE_MAX as u32, line as *const _);
        let line_len = if read > 0 { read as u16 } else { 0 };
        let flags = if line_len as usize == LINE_MAX { ShellLine::CUT } else { 0 };
        let header = Header { time_ns: now(), task, kind, flags, user: Task::current().user() };
        (&raw mut (*room).head).write(ShellLine { header, line_len, reserved: [0; 3] });
    }
    entry.submit(0);
}
