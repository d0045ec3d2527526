//! Tasks that go into other namespaces.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{ABSENT, Kind, Namespace};

use crate::{
    file::{OpenFile, result},
    globals::offset,
    record::{Draft, Ring, is_own},
    task::{Arguments, Task, read},
};

/// The CLONE_NEW flags; unshare(2) takes others, too.
const KINDS: u32 = 0x7e02_0080;

/// `sys_exit_unshare` of `unshare(unsigned long flags)`.
#[tracepoint]
pub(crate) fn unshared(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let _sent = send(0, Arguments::current().first() as u32);
    }
    0
}

/// `sys_exit_setns` of `setns(int descriptor, int kinds)`.
#[tracepoint]
pub(crate) fn joined(context: TracePointContext) -> u32 {
    if result(&context) == 0 && !is_own() {
        let arguments = Arguments::current();
        let kinds = match arguments.second() as u32 {
            0 => kind_behind(arguments.first()),
            kinds => kinds,
        };
        let _sent = send(1, kinds);
    }
    0
}

/// The kind of the namespace that a descriptor stands for.
#[inline(always)]
fn kind_behind(descriptor: u64) -> u32 {
    let Some(file) = OpenFile::of(Task::current(), descriptor) else { return 0 };
    let namespace: u64 = read(file.inode().0 + offset!(inode_private));
    if offset!(namespace_type) != ABSENT as u64 {
        return read(namespace + offset!(namespace_type));
    }
    read(read::<u64>(namespace + offset!(namespace_operations)) + offset!(namespace_operations_type))
}

#[inline(always)]
fn send(joined: u32, kinds: u32) -> Option<()> {
    let kinds = kinds & KINDS;
    // unshare(2) is also what gives a thread a file table of its own; setns(2) always joins something.
    if kinds == 0 && joined == 0 {
        return None;
    }
    let draft = Draft::new::<Namespace>()?;
    let head = Namespace { header: draft.header(Task::current(), Kind::Namespace), joined, kinds };
    draft.send(head, Ring::Process);
    Some(())
}
