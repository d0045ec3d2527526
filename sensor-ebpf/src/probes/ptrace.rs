//! Processes that reach into others by system calls made for that.
//!
//! The arguments are numbers, which nobody can change under us. The target is looked up as the call itself did, in the caller's pid
//! namespace, while it is still held or just was.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};
use bongsu_sensor_abi::TamperOperation;

use crate::{file::result, pid::Pid, record::is_own, tamper::Tamper, task::Arguments};

const POKETEXT: u64 = 4;
const POKEDATA: u64 = 5;
const POKEUSR: u64 = 6;
const SETREGS: u64 = 13;
const ATTACH: u64 = 16;
const SETREGSET: u64 = 0x4205;
const SEIZE: u64 = 0x4206;

/// `sys_exit_ptrace` of `ptrace(long request, long pid, ...)`: what takes hold of a process or changes it; reading is not told, nor is
/// being traced by one's parent (PTRACE_TRACEME).
#[tracepoint]
pub(crate) fn traced(context: TracePointContext) -> u32 {
    if result(&context) != 0 {
        return 0;
    }
    let arguments = Arguments::current();
    let request = arguments.first();
    let changes = request == POKETEXT
        || request == POKEDATA
        || request == POKEUSR
        || request == SETREGS
        || request == ATTACH
        || request == SETREGSET
        || request == SEIZE;
    if changes && !is_own() {
        let _sent = send(TamperOperation::Ptrace, arguments.second() as u32, request as u32);
    }
    0
}

/// `sys_exit_process_vm_writev` of `process_vm_writev(pid_t pid, ...)`, when bytes were written.
#[tracepoint]
pub(crate) fn memory_written(context: TracePointContext) -> u32 {
    if result(&context) > 0 && !is_own() {
        let _sent = send(TamperOperation::WriteMemory, Arguments::current().first() as u32, 0);
    }
    0
}

#[inline(always)]
fn send(operation: TamperOperation, number: u32, request: u32) -> Option<()> {
    let mut tamper = Tamper::new(operation, request);
    // A target that cannot be found costs the target and not the event.
    if let Some(pid) = Pid::of_number(number) {
        tamper.target = pid.reference();
    }
    tamper.send_once()
}
