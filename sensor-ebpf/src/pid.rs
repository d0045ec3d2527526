//! From a number that a program uses for a task to the task.

use bongsu_sensor_abi::TaskRef;

use crate::{
    globals::offset,
    task::{Task, read},
};

/// Bytes of one of `pid.numbers`.
const UPID_SIZE: u64 = 16;
/// Levels of the tree in which a namespace keeps its pids: six bits each, and no pid has more than 22.
const LEVELS: u32 = 4;
/// What marks a node of the tree among its entries.
const NODE: u64 = 2;

/// A `struct pid`, by its address: what the kernel keeps of a number in use.
#[derive(Clone, Copy)]
pub(crate) struct Pid(pub(crate) u64);

impl Pid {
    /// What the current task means by `number`: a process or a thread, in the task's own pid namespace.
    ///
    /// The tree is read without its lock, so what is found is asked for its number again.
    #[inline(always)]
    pub(crate) fn of_number(number: u32) -> Option<Self> {
        let own: u64 = Task::current().pointer(offset!(task_struct_pid));
        let level = read::<u32>(own + offset!(pid_level)) & 0x3f;
        let numbers = offset!(pid_numbers) + u64::from(level) * UPID_SIZE;
        let namespace: u64 = read(own + numbers + offset!(upid_namespace));
        let mut entry: u64 = read(namespace + offset!(pid_namespace_idr) + offset!(idr_tree) + offset!(tree_head));
        let mut left = LEVELS;
        while left > 0 && entry & 3 == NODE {
            let node = entry - NODE;
            let shift = read::<u8>(node + offset!(tree_node_shift)) & 0x1f;
            let slot = u64::from((number >> shift) & 0x3f);
            entry = read(node + offset!(tree_node_slots) + slot * 8);
            left -= 1;
        }
        if entry == 0 || read::<u32>(entry + numbers) != number { None } else { Some(Self(entry)) }
    }

    /// The process it is or belongs to; all 0 when it ended.
    #[inline(always)]
    pub(crate) fn reference(self) -> TaskRef {
        let link: u64 = read(self.0 + offset!(pid_tasks));
        if link == 0 { TaskRef::default() } else { Task(link - offset!(task_pid_links)).reference() }
    }
}
