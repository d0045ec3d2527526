//! Records of tampering, and how often one that programs repeat is told.

use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use bongsu_sensor_abi::{Kind, TamperOperation, TaskRef};

use crate::{
    file::OpenFile,
    globals::offset,
    maps::TOLD,
    record::{Draft, Ring},
    task::Task,
};

/// A debugger pokes word by word and a compiler maps page by page: the same act of a program on the same target is told once in this time.
const AGAIN_NS: u64 = 1_000_000_000;

/// What makes an act the same as an earlier one. The address space stands for the program: it changes with exec.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Repeated {
    mm: u64,
    process: u32,
    target: u32,
    operation: u32,
    number: u32,
}

/// An act, but for its name.
#[derive(Clone, Copy)]
pub(crate) struct Tamper {
    pub(crate) operation: TamperOperation,
    pub(crate) target: TaskRef,
    pub(crate) number: u32,
    pub(crate) detail: u32,
}

impl Tamper {
    /// An act on nobody.
    #[inline(always)]
    pub(crate) fn new(operation: TamperOperation, number: u32) -> Self {
        Self { operation, target: TaskRef { start_ns: 0, pid: 0, thread: 0 }, number, detail: 0 }
    }

    /// Sends it with what the draft holds as its name.
    #[inline(always)]
    pub(crate) fn send(self, draft: Draft, name_len: u16, ring: Ring) {
        let Self { operation, target, number, detail } = self;
        let header = draft.header(Task::current(), Kind::Tamper);
        let operation = operation as u32;
        draft
            .send(bongsu_sensor_abi::Tamper { header, target, operation, number, detail, name_len, reserved: 0 }, ring);
    }

    /// Sends it without a name, unless it was told just now.
    #[inline(always)]
    pub(crate) fn send_once(self) -> Option<()> {
        if self.is_news() {
            self.send(Draft::new::<bongsu_sensor_abi::Tamper>()?, 0, Ring::Process);
        }
        Some(())
    }

    /// Sends it with the path of a file.
    #[inline(always)]
    pub(crate) fn send_with_path(self, file: OpenFile) -> Option<()> {
        let draft = Draft::new::<bongsu_sensor_abi::Tamper>()?;
        draft.flag(bongsu_sensor_abi::Tamper::NAME_IS_WALK);
        let name_len = draft.path(file.path(), bongsu_sensor_abi::Tamper::PATH_CUT);
        self.send(draft, name_len, Ring::Process);
        Some(())
    }

    #[inline(always)]
    fn is_news(self) -> bool {
        Repeated::by_current(self.target.pid, self.operation as u32, self.number).is_news(AGAIN_NS)
    }
}

impl Repeated {
    /// What the current task does.
    #[inline(always)]
    pub(crate) fn by_current(target: u32, operation: u32, number: u32) -> Self {
        let task = Task::current();
        Self { mm: task.pointer(offset!(task_mm)), process: task.reference().pid, target, operation, number }
    }

    /// Whether it was not told within that time; it counts as told now.
    #[inline(always)]
    pub(crate) fn is_news(self, again_ns: u64) -> bool {
        // SAFETY: a helper without conditions.
        let now = unsafe { bpf_ktime_get_boot_ns() };
        // SAFETY: the value is copied at once; another CPU may write it meanwhile, which at worst tells an act twice.
        if let Some(told) = unsafe { TOLD.get(&self) }
            && now.wrapping_sub(*told) < again_ns
        {
            return false;
        }
        // Fails only when the kernel has no memory; then the act is told again.
        let _kept = TOLD.insert(self, now, 0);
        true
    }
}
