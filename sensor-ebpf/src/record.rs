//! Putting a record together and sending it, with every attempt and every loss counted.

use core::{arch::asm, mem, ptr};

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_NOEXIST,
    helpers::{
        bpf_get_current_pid_tgid,
        generated::{
            bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_probe_read_kernel_str, bpf_probe_read_user,
            bpf_probe_read_user_str, bpf_ringbuf_output,
        },
    },
    maps::RingBuf,
};
use bongsu_sensor_abi::{ARGS_MAX, Counters, Family, Header, Kind, NAME_MAX, PATH_MAX, RECORD_MAX, Record, TEXT_LIMIT};

use crate::{
    budget::admits,
    globals::setting,
    maps::{BUSY, COUNTERS, OTHER_RING, PROCESS_RING, PULSE, SCRATCH},
    task::Task,
};

/// The room in which a record grows. Each CPU has two, see [`Draft::alone`].
///
/// What loops carry from one step to the next lies here and not in registers: the verifier then sees the same unknown value at the
/// head of each step and need not follow every path through every step.
#[repr(C)]
pub(crate) struct Scratch {
    /// Bytes of the record so far, head included.
    len: u64,
    /// The flags the record will have.
    flags: u64,
    /// Which room of [`SCRATCH`] it is.
    room: u64,
    /// Where a walk stands.
    pub(crate) cursor: [u64; 3],
    bytes: [u8; RECORD_MAX],
}

/// Where the record lies in a [`Scratch`], which begins with its length.
pub(crate) const RECORD_AT: usize = mem::offset_of!(Scratch, bytes);

/// Which of the two rings a record goes into.
#[derive(Clone, Copy)]
pub(crate) enum Ring {
    Process,
    Other,
}

/// A record in the making.
#[derive(Clone, Copy)]
pub(crate) struct Draft(pub(crate) *mut Scratch);

impl Draft {
    /// An empty record with room for its head `H`, about the current process; `None` when its allowance is used up.
    #[inline(always)]
    pub(crate) fn new<H: Record>() -> Option<Self> {
        match H::FAMILY {
            Some(family) => Self::charged::<H>(family),
            None => Self::begin::<H>(cpu() * 2),
        }
    }

    /// As `new`, charged to another family than that of `H`.
    #[inline(always)]
    pub(crate) fn charged<H: Record>(family: Family) -> Option<Self> {
        if admits(Task::current().reference(), family) { Self::begin::<H>(cpu() * 2) } else { None }
    }

    /// As [`Self::new`], for programs on functions of the kernel. Those on tracepoints cannot be preempted; these can, by a task whose calls pass
    /// programs of either kind on the same CPU. So they have a room of their own, and whoever finds it taken loses the record, counted.
    #[inline(always)]
    pub(crate) fn alone<H: Record>(fill: impl FnOnce(Self)) {
        if let Some(family) = H::FAMILY
            && !admits(Task::current().reference(), family)
        {
            return;
        }
        if !Self::uncharged::<H>(fill) {
            lose(Ring::Other);
        }
    }

    /// As [`Self::alone`], charged to nobody, for what is not sent yet; says whether there was room.
    #[inline(always)]
    pub(crate) fn uncharged<H: Record>(fill: impl FnOnce(Self)) -> bool {
        let cpu = cpu();
        if BUSY.insert(cpu, 1, u64::from(BPF_NOEXIST)).is_err() {
            return false;
        }
        if let Some(draft) = Self::begin::<H>(cpu * 2 + 1) {
            fill(draft);
        }
        // It is there.
        let _removed = BUSY.remove(cpu);
        true
    }

    #[inline(always)]
    fn begin<H: Record>(room: u32) -> Option<Self> {
        let draft = Self::at(room)?;
        draft.set_len(size_of::<H>() as u64);
        // SAFETY: the map's value is a Scratch, and nobody else uses this one now.
        unsafe {
            ptr::write_volatile(&raw mut (*draft.0).flags, 0);
            ptr::write_volatile(&raw mut (*draft.0).room, u64::from(room));
        }
        Some(draft)
    }

    /// The record that a program on a tracepoint is making on this CPU.
    #[inline(always)]
    pub(crate) fn current() -> Option<Self> {
        Self::at(cpu() * 2)
    }

    /// The record that is made in that room.
    #[inline(always)]
    pub(crate) fn at(room: u32) -> Option<Self> {
        Some(Self(SCRATCH.get_ptr_mut(room)?))
    }

    /// Which room it is made in.
    #[inline(always)]
    pub(crate) fn room(self) -> u64 {
        // SAFETY: as in `begin`.
        unsafe { ptr::read_volatile(&raw const (*self.0).room) }
    }

    #[inline(always)]
    pub(crate) fn len(self) -> u64 {
        // SAFETY: as in `new`. Volatile keeps the value in memory, see Scratch.
        unsafe { ptr::read_volatile(&raw const (*self.0).len) }
    }

    #[inline(always)]
    fn set_len(self, len: u64) {
        // SAFETY: as in `new`.
        unsafe { ptr::write_volatile(&raw mut (*self.0).len, len) };
    }

    #[inline(always)]
    pub(crate) fn flag(self, flag: u32) {
        // SAFETY: as in `new`.
        unsafe {
            let flags = &raw mut (*self.0).flags;
            ptr::write_volatile(flags, ptr::read_volatile(flags) | u64::from(flag));
        }
    }

    #[inline(always)]
    pub(crate) fn flags(self) -> u32 {
        // SAFETY: as in `new`.
        unsafe { ptr::read_volatile(&raw const (*self.0).flags) as u32 }
    }

    /// The place where the next piece goes; `None` when the record is full.
    #[inline(always)]
    fn end(self) -> Option<*mut u8> {
        let len = self.len();
        if len > TEXT_LIMIT {
            return None;
        }
        // SAFETY: len <= TEXT_LIMIT < RECORD_MAX.
        Some(unsafe { (&raw mut (*self.0).bytes).cast::<u8>().add(len as usize) })
    }

    #[inline(always)]
    fn grow(self, by: i64) {
        if by > 0 {
            self.set_len(self.len().wrapping_add(by as u64));
        }
    }

    /// Appends a string of the kernel's with its NUL, at most NAME_MAX bytes.
    #[inline(always)]
    pub(crate) fn name(self, from: u64) {
        if let Some(end) = self.end() {
            // SAFETY: NAME_MAX bytes fit behind `end`; the helper checks the source.
            self.grow(unsafe { bpf_probe_read_kernel_str(end.cast(), NAME_MAX as u32, from as *const _) });
        }
    }

    /// Appends a string of the kernel's with its NUL, at most PATH_MAX bytes; says how many.
    #[inline(always)]
    pub(crate) fn kernel_string(self, from: u64) -> u16 {
        let before = self.len();
        if let Some(end) = self.end() {
            // SAFETY: PATH_MAX bytes fit behind `end`; the helper checks the source.
            self.grow(unsafe { bpf_probe_read_kernel_str(end.cast(), PATH_MAX as u32, from as *const _) });
        }
        self.since(before)
    }

    /// Appends a string of the program's with its NUL, at most PATH_MAX bytes; says how many.
    #[inline(always)]
    pub(crate) fn user_string(self, from: u64) -> u16 {
        let before = self.len();
        if let Some(end) = self.end() {
            // SAFETY: PATH_MAX bytes fit behind `end`; the helper checks the source.
            self.grow(unsafe { bpf_probe_read_user_str(end.cast(), PATH_MAX as u32, from as *const _) });
        }
        self.since(before)
    }

    /// Appends `count` bytes of the program's memory, at most ARGS_MAX, to a record of at most `limit` bytes (a constant); says how many.
    #[inline(always)]
    pub(crate) fn user_block(self, from: u64, count: u64, limit: u64) -> u16 {
        let before = self.len();
        let count = if count > ARGS_MAX { ARGS_MAX } else { count };
        if before > limit || count == 0 {
            return 0;
        }
        // SAFETY: callers' limits leave ARGS_MAX bytes below RECORD_MAX; the helper checks the source.
        unsafe {
            let end = (&raw mut (*self.0).bytes).cast::<u8>().add(before as usize);
            if bpf_probe_read_user(end.cast(), count as u32, from as *const _) == 0 {
                self.grow(count as i64);
            }
        }
        self.since(before)
    }

    /// How much was appended since the record had `before` bytes.
    #[inline(always)]
    pub(crate) fn since(self, before: u64) -> u16 {
        self.len().wrapping_sub(before) as u16
    }

    /// The beginning of every head: now, by that task.
    #[inline(always)]
    pub(crate) fn header(self, task: Task, kind: Kind) -> Header {
        Header { time_ns: now(), task: task.reference(), kind: kind as u32, flags: self.flags(), user: task.user() }
    }

    /// The record as it is so far, head included: plain bytes, as many as a record has at most.
    #[inline(always)]
    pub(crate) fn bytes(self) -> *mut u8 {
        // SAFETY: the map's value is a Scratch.
        unsafe { (&raw mut (*self.0).bytes).cast() }
    }

    /// Puts the head in its place and the whole into the ring.
    #[inline(always)]
    pub(crate) fn send<H: Record>(self, head: H, ring: Ring) {
        // SAFETY: heads are smaller than RECORD_MAX, and the buffer is 8-aligned as heads are.
        unsafe { (&raw mut (*self.0).bytes).cast::<H>().write(head) };
        let len = self.len();
        let len = if len > RECORD_MAX as u64 { RECORD_MAX as u64 } else { len };
        // SAFETY: the record's first `len` bytes are initialised map memory.
        unsafe { output((&raw mut (*self.0).bytes).cast(), len, ring) };
    }
}

/// Sends a record that is a head alone, right into the ring. Programs that run in softirq need this way: they may interrupt another that has a
/// [`Draft`] in the making on the same CPU. By value, so that it is made there and not on the stack, of which there is little.
#[inline(always)]
pub(crate) fn send_head<H: Record + 'static>(head: H, ring: Ring) {
    let Some(counted) = Counted::new(ring) else { return };
    let Some(mut entry) = counted.ring.reserve::<H>(0) else { return counted.lost() };
    entry.write(head);
    entry.submit(0);
}

/// # Safety
/// `len` readable bytes lie at `from`.
#[inline(always)]
pub(crate) unsafe fn output(from: *const u8, len: u64, ring: Ring) {
    let Some(counted) = Counted::new(ring) else { return };
    // SAFETY: the caller's.
    if unsafe { bpf_ringbuf_output(ptr::from_ref(counted.ring).cast_mut().cast(), from.cast_mut().cast(), len, 0) } != 0
    {
        counted.lost();
    }
}

/// A ring into which a record is being put; counted as emitted, whatever comes of it.
pub(crate) struct Counted {
    pub(crate) ring: &'static RingBuf,
    counters: *mut Counters,
}

impl Counted {
    #[inline(always)]
    pub(crate) fn new(ring: Ring) -> Option<Self> {
        let (index, ring): (u32, &RingBuf) = match ring {
            Ring::Process => (0, &PROCESS_RING),
            Ring::Other => (1, &OTHER_RING),
        };
        let counters = COUNTERS.get_ptr_mut(index)?;
        // SAFETY: the map's value.
        count(unsafe { &raw mut (*counters).emitted });
        Some(Self { ring, counters })
    }

    /// The ring had no room for it.
    #[inline(always)]
    pub(crate) fn lost(self) {
        // SAFETY: the map's value.
        count(unsafe { &raw mut (*self.counters).lost });
    }
}

/// Counts a record as lost that was due, and of which cannot be read what it should say.
#[inline(always)]
pub(crate) fn lose(ring: Ring) {
    if let Some(counted) = Counted::new(ring) {
        counted.lost();
    }
}

#[inline(always)]
fn count(counter: *mut u64) {
    // SAFETY: counters are words of maps.
    unsafe { add(counter, 1) };
}

/// Atomic, for a program in softirq may count between another's reading and writing on the same CPU.
///
/// # Safety
/// `word` is a word of a map.
#[inline(always)]
pub(crate) unsafe fn add(word: *mut u64, by: u64) {
    // SAFETY: aligned and alive. Rust's own atomics cannot add on this target; the instruction is as old as eBPF.
    unsafe { asm!("lock *(u64 *)({word} + 0) += {by}", word = in(reg) word, by = in(reg) by) };
}

#[inline(always)]
fn cpu() -> u32 {
    // SAFETY: a helper without conditions.
    unsafe { bpf_get_smp_processor_id() }
}

/// Whether it is the sensor itself that runs.
#[inline(always)]
pub(crate) fn is_own() -> bool {
    let id = bpf_get_current_pid_tgid();
    heard(id);
    is_own_pid((id >> 32) as u32)
}

/// Tells the sensor that its pulse reached the program. To be called before a program looks at anything that a call which fails lacks.
#[inline(always)]
pub(crate) fn heard(id: u64) {
    if is_own_pid((id >> 32) as u32)
        && let Some(pulse) = PULSE.get_ptr_mut(0)
        // SAFETY: the map's value; userland changes it while no pulse is on its way.
        && unsafe { (*pulse).thread } == u64::from(id as u32)
    {
        // SAFETY: the map's value.
        count(unsafe { &raw mut (*pulse).heard });
    }
}

/// Whether that process is the sensor itself.
#[inline(always)]
pub(crate) fn is_own_pid(pid: u32) -> bool {
    pid == setting!(own_pid)
}

/// Nanoseconds since boot, suspend included.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: a helper without conditions.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// An argument of a raw tracepoint, as a number.
#[inline(always)]
pub(crate) fn raw_argument<C: EbpfContext>(context: &C, index: usize) -> u64 {
    // SAFETY: raw tracepoints are handed an array of u64, and the hook's prototype is noted above each program.
    unsafe { *context.as_ptr().cast::<u64>().add(index) }
}
