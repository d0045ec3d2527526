//! Memory where code may come from: another process's, a file without a name, pages that are both writable and executable.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::{Family, TamperOperation};

use crate::{
    file::{OpenFile, result},
    globals::offset,
    pid::Pid,
    record::{Draft, Ring, is_own},
    tamper::Tamper,
    task::{Arguments, Task, read},
};

const PROC: u64 = 0x9fa0;
/// How memory was opened, as open(2) numbers it.
const READ: u32 = 0;
const READ_WRITE: u32 = 2;
/// PROT_WRITE and PROT_EXEC.
const WRITE_EXECUTE: u64 = 0x2 | 0x4;

/// A window into the kernel was opened: tells it when it is the memory of a process, opened for writing, or another's for reading.
#[inline(always)]
pub(crate) fn memory_opened(file: OpenFile, reads: bool) -> Option<()> {
    let inode = file.inode();
    if file.name() != *b"mem\0\0\0\0\0\0\0\0\0\0\0\0\0" || inode.magic() != PROC {
        return None;
    }
    let target = Pid(read(inode.0 - offset!(proc_inode_inode) + offset!(proc_inode_pid))).reference();
    // Programs look at memory of their own for what a crash will say.
    if reads && target.pid == Task::current().reference().pid {
        return None;
    }
    let mut tamper = Tamper::new(TamperOperation::OpenMemory, if reads { READ } else { READ_WRITE });
    tamper.target = target;
    tamper.send_once()
}

/// `sys_exit_memfd_create` of `memfd_create(const char *name, unsigned int flags)`: the name is the new file's, not the program's.
#[tracepoint]
pub(crate) fn memfd_made(context: TracePointContext) -> u32 {
    let descriptor = result(&context);
    if descriptor >= 0 && !is_own() {
        let _sent = memfd(descriptor as u64);
    }
    0
}

#[inline(always)]
fn memfd(descriptor: u64) -> Option<()> {
    let file = OpenFile::of(Task::current(), descriptor)?;
    let dentry: u64 = read(file.path() + offset!(path_dentry));
    // Desktops make many; a storm of them must not push out an exec, nor use up what is there for worse.
    let draft = Draft::charged::<bongsu_sensor_abi::Tamper>(Family::File)?;
    let name_len = draft.kernel_string(read(dentry + offset!(dentry_name) + offset!(qstr_name)));
    let flags = Arguments::current().second() as u32;
    Tamper::new(TamperOperation::MakeMemfd, flags).send(draft, name_len, Ring::Other);
    Some(())
}

/// `sys_exit_mmap`, `sys_exit_mprotect` and `sys_exit_pkey_mprotect`, whose third argument is the protection. Maps are made all the time:
/// that argument is looked at before anything else.
#[tracepoint]
pub(crate) fn protected(context: TracePointContext) -> u32 {
    let protection = Arguments::current().third();
    // An address, 0, or an error; addresses of programs are never negative.
    if protection & WRITE_EXECUTE == WRITE_EXECUTE && result(&context) >= 0 && !is_own() {
        let _sent = Tamper::new(TamperOperation::WriteExecute, protection as u32).send_once();
    }
    0
}
