//! Sockets that begin to listen.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::Kind;

use crate::{
    file::{OpenFile, result},
    record::is_own,
    socket::{Socket, send},
    task::{Arguments, Task},
};

/// `sys_exit_listen` of `listen(int descriptor, int backlog)`: by then a socket that was not bound has its port, too.
#[tracepoint]
pub(crate) fn listening(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let _sent = listen(Arguments::current().first());
    }
    0
}

#[inline(always)]
fn listen(descriptor: u64) -> Option<()> {
    send(Socket::at(OpenFile::of(Task::current(), descriptor)?.sock()?)?.done(Kind::Listen));
    Some(())
}
