//! Programs that start.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use aya_log_ebpf::warn;
use bongsu_sensor_abi::{ABSENT, ARGS_AT_MAX, ARGS_MAX, Exec, Kind};

use crate::{
    globals::{offset, setting},
    maps::URGENT,
    record::{Draft, Ring, is_own, raw_argument},
    task::{Task, pair, read},
};

const TMPFS: u64 = 0x0102_1994;
const HUGETLBFS: u64 = 0x9584_58f6;
const OVERLAYFS: u64 = 0x794c_7630;

/// `sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)`, in the new program before its first
/// instruction: the arguments lie in the new stack, where nobody else can write them yet.
#[raw_tracepoint]
pub(crate) fn exec(context: RawTracePointContext) -> i32 {
    if !is_own() {
        let _sent = send(&context);
    }
    0
}

#[inline(always)]
fn send(context: &RawTracePointContext) -> Option<()> {
    let draft = Draft::new::<Exec>()?;
    let task = Task(raw_argument(context, 0));
    let bprm = raw_argument(context, 2);
    let mm = task.pointer(offset!(task_mm));
    let file: u64 = read(mm + offset!(mm_exe_file));
    let inode: u64 = read(file + offset!(file_inode));
    if inode == 0 {
        warn!(context, "exec without an image: mm {:x}", mm);
    }
    let executable_len = draft.path(file + offset!(file_path), Exec::PATH_CUT);
    let cwd_len = draft.path(task.pointer(offset!(task_fs)) + offset!(fs_pwd), Exec::PATH_CUT);
    let [filename, interp] = pair(bprm, offset!(bprm_filename), offset!(bprm_interp));
    // The kernel replaces `interp` when it finds that it must run an interpreter for the file it was asked to run.
    let script_len = if filename == interp { 0 } else { draft.kernel_string(filename) };
    let cgroup_len = draft.cgroup(task);
    let args_len = args(draft, mm);
    let environment_len = environment(draft, mm);
    let super_block: u64 = read(inode + offset!(inode_super));
    let links: u32 = read(inode + offset!(inode_links));
    image_flags(draft, inode, links, read(super_block + offset!(super_magic)));
    let head = Exec {
        parent: task.parent().reference(),
        creds: task.creds(),
        inode: read(inode + offset!(inode_number)),
        device: read(super_block + offset!(super_device)),
        mode: u32::from(read::<u16>(inode + offset!(inode_mode))),
        comm: read(task.0 + offset!(task_comm)),
        place: task.place(),
        links,
        reserved: 0,
        executable_len,
        cwd_len,
        script_len,
        cgroup_len,
        args_len,
        environment_len,
        unused: [0; 2],
        header: draft.header(task, Kind::Exec),
    };
    let nameless = draft.flags() & Exec::NO_LINKS != 0;
    draft.send(head, Ring::Process);
    if nameless {
        let _woken = URGENT.output::<u64>(0, 0);
    }
    Some(())
}

#[inline(always)]
fn args(draft: Draft, mm: u64) -> u16 {
    let [start, end] = pair(mm, offset!(mm_arg_start), offset!(mm_arg_end));
    let count = end.wrapping_sub(start);
    let copied = draft.user_block(start, count, ARGS_AT_MAX);
    if u64::from(copied) != count {
        draft.flag(Exec::ARGS_CUT);
    }
    copied
}

#[inline(always)]
fn environment(draft: Draft, mm: u64) -> u16 {
    if setting!(environment) == 0 {
        return 0;
    }
    let [start, end] = pair(mm, offset!(mm_env_start), offset!(mm_env_end));
    draft.user_block(start, end.wrapping_sub(start), ARGS_AT_MAX + ARGS_MAX)
}

#[inline(always)]
fn image_flags(draft: Draft, inode: u64, links: u32, magic: u64) {
    let upper = setting!(overlay_upper);
    // The dentry of the file in the writable layer; none while the file is the lower layer's own.
    if magic == OVERLAYFS && upper != ABSENT && read::<u64>(inode + u64::from(upper)) != 0 {
        draft.flag(Exec::UPPER_LAYER);
    }
    if links != 0 {
        return;
    }
    draft.flag(Exec::NO_LINKS);
    // Userland looks at the name as well: an unlinked file of /dev/shm is on tmpfs, too.
    if magic == TMPFS || magic == HUGETLBFS {
        draft.flag(Exec::MEMFD);
    }
}
