//! Files that were opened for writing, and are closed.
//!
//! A file is closed by close, close_range, dup2 and dup3, and by the end of the process; of these, most close something else. Nothing is done for
//! those but to look the descriptor up.

use aya_ebpf::{
    EbpfContext,
    macros::{raw_tracepoint, tracepoint},
    programs::{RawTracePointContext, TracePointContext},
};

use crate::{
    globals::offset,
    probes::exit::is_last,
    record::{is_own, now},
    task::{Task, read},
    writing::{closes, closes_one_of},
};

/// CLOSE_RANGE_CLOEXEC: not now, but with the next exec.
const LATER: u64 = 4;
/// So many descriptors of a close_range are looked at.
const RANGE_MAX: u64 = 256;
/// So many words of a table's bits, 64 descriptors each, are looked at when a process ends.
const WORDS_MAX: u64 = 16;

/// `sys_enter_close` of `close(unsigned int descriptor)`.
#[tracepoint]
pub(crate) fn close_asked(context: TracePointContext) -> u32 {
    if !is_own() {
        closes(argument(&context, 0) & u64::from(u32::MAX));
    }
    0
}

/// `sys_enter_dup2` and `sys_enter_dup3` of `dup2(unsigned int old, unsigned int new)`: what was behind `new` is closed.
#[tracepoint]
pub(crate) fn replace_asked(context: TracePointContext) -> u32 {
    let (old, new) = (argument(&context, 0) & u64::from(u32::MAX), argument(&context, 1) & u64::from(u32::MAX));
    if old != new && !is_own() {
        closes(new);
    }
    0
}

/// `sys_enter_close_range` of `close_range(unsigned int first, unsigned int last, unsigned int flags)`.
#[tracepoint]
pub(crate) fn close_range_asked(context: TracePointContext) -> u32 {
    if is_own() || argument(&context, 2) & LATER != 0 {
        return 0;
    }
    let (first, last) = (argument(&context, 0) & u64::from(u32::MAX), argument(&context, 1) & u64::from(u32::MAX));
    let len = table_len();
    let walk = now();
    let mut passed = 0;
    while passed < RANGE_MAX {
        let descriptor = first + passed;
        if descriptor > last || descriptor >= len {
            break;
        }
        closes_one_of(descriptor, walk);
        passed += 1;
    }
    0
}

/// `sched_process_exit(struct task_struct *p, ...)`, while the process still has its files.
#[raw_tracepoint]
pub(crate) fn files_left(context: RawTracePointContext) -> i32 {
    if is_own() || !is_last(&context) {
        return 0;
    }
    let open: u64 = read(table() + offset!(table_open));
    let len = table_len();
    let walk = now();
    let mut word = 0;
    while word < WORDS_MAX && word * 64 < len {
        let bits: u64 = read(open + word * 8);
        if bits != 0 {
            let _unused = close_word(bits, word, walk);
        }
        word += 1;
    }
    0
}

/// The descriptors of one word of a table's bits. A global function, for the same reason as those of `walk`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn close_word(bits: u64, word: u64, walk: u64) -> u64 {
    let mut bit = 0;
    while bit < 64 {
        if bits >> bit == 0 {
            break;
        }
        if (bits >> bit) & 1 != 0 {
            closes_one_of(word * 64 + bit, walk);
        }
        bit += 1;
    }
    0
}

/// The current task's `struct fdtable`.
#[inline(always)]
fn table() -> u64 {
    read(Task::current().pointer(offset!(task_files)) + offset!(files_table))
}

#[inline(always)]
fn table_len() -> u64 {
    u64::from(read::<u32>(table() + offset!(table_len)))
}

/// An argument of the call that is entered. The format of every `sys_enter_*`: 8 bytes common to all, the number of the call, the arguments.
#[inline(always)]
fn argument(context: &TracePointContext, index: usize) -> u64 {
    // SAFETY: see the format above. Volatile, so that it stays one read each: the verifier takes no reads through moved pointers.
    unsafe { core::ptr::read_volatile(context.as_ptr().cast::<u64>().add(2 + index)) }
}
