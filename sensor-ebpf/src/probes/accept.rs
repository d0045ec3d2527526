//! Connections accepted.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::Kind;

use crate::{
    connection::Open,
    file::{OpenFile, result},
    record::is_own,
    socket::{Socket, send},
    task::Task,
};

/// `sys_exit_accept` and `sys_exit_accept4`: the result is the new socket's descriptor.
#[tracepoint]
pub(crate) fn accepted(context: TracePointContext) -> u32 {
    let descriptor = result(&context);
    if descriptor >= 0 && !is_own() {
        let _sent = accept(descriptor as u64);
    }
    0
}

#[inline(always)]
fn accept(descriptor: u64) -> Option<()> {
    let socket = Socket::at(OpenFile::of(Task::current(), descriptor)?.sock()?)?;
    // Before it is remembered: a connection's end comes after its beginning.
    let record = socket.done(Kind::Accept);
    if socket.is_tcp() {
        Open::accepted(socket);
    }
    send(record);
    Some(())
}
