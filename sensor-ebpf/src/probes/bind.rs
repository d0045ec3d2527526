//! Sockets that are given an address of this host.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::Kind;

use crate::{
    connection::Owner,
    file::{OpenFile, result},
    record::is_own,
    socket::{Socket, send},
    task::{Arguments, Task},
};

/// `sys_exit_bind` of `bind(int descriptor, ...)`: address and port are read from the socket, never from what the program passed.
#[tracepoint]
pub(crate) fn bound(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let _sent = bind(Arguments::current().first());
    }
    0
}

#[inline(always)]
fn bind(descriptor: u64) -> Option<()> {
    let socket = Socket::at(OpenFile::of(Task::current(), descriptor)?.sock()?)?;
    let record = socket.done(Kind::Bind);
    if !socket.is_tcp() {
        Owner::uses(socket.0, record.ends.local_port);
    }
    send(record);
    Some(())
}
