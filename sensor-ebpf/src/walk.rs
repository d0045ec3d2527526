//! Walks from a leaf to its root: a file's path by dentries and mounts, a cgroup's by kernfs nodes.
//!
//! Components are appended leaf first, each with its NUL; userland turns them round. Nothing here trusts a string of a program's.

use core::ptr;

use bongsu_sensor_abi::{ABSENT, STEPS_MAX};

use crate::{
    globals::{offset, setting},
    record::Draft,
    task::{Task, pair, read},
};

// Where a walk stands.
const DENTRY: usize = 0;
const MOUNT: usize = 1;
/// The root of that mount.
const MOUNT_ROOT: usize = 2;

/// Steps up a cgroup tree. Containers lie a handful of levels deep.
const CGROUP_STEPS: u32 = 12;

impl Draft {
    #[inline(always)]
    fn cursor(self, index: usize) -> u64 {
        // SAFETY: the map's value is a Scratch, and callers pass 0, 1 or 2.
        unsafe { ptr::read_volatile((&raw const (*self.0).cursor).cast::<u64>().add(index)) }
    }

    #[inline(always)]
    fn set_cursor(self, index: usize, value: u64) {
        // SAFETY: as in `cursor`.
        unsafe { ptr::write_volatile((&raw mut (*self.0).cursor).cast::<u64>().add(index), value) };
    }

    /// Appends the path that the `struct path` at `path` stands for; says how many bytes. Raises `cut` when it is too deep.
    #[inline(always)]
    pub(crate) fn path(self, path: u64, cut: u32) -> u16 {
        self.path_of(read(path + offset!(path_mount)), read(path + offset!(path_dentry)), cut)
    }

    /// Appends the path of the dentry at `dentry` as seen through the `struct vfsmount` at `vfsmount`, like [`Self::path`].
    #[inline(always)]
    pub(crate) fn path_of(self, vfsmount: u64, dentry: u64, cut: u32) -> u16 {
        // Through memory, where an address is a number like any other: global functions take no pointers, and the verifier has types for those
        // that fentry programs are given.
        self.set_cursor(DENTRY, dentry);
        self.set_cursor(MOUNT, vfsmount - offset!(mount_vfsmount));
        walk_path(u64::from(cut), self.room()) as u16
    }

    /// Appends the path of the task's cgroup; says how many bytes.
    #[inline(always)]
    pub(crate) fn cgroup(self, task: Task) -> u16 {
        walk_cgroup(task.0) as u16
    }

    #[inline(always)]
    fn enter_mount(self, mount: u64) {
        self.set_cursor(MOUNT, mount);
        self.set_cursor(MOUNT_ROOT, read(mount + offset!(mount_vfsmount) + offset!(vfsmount_root)));
    }

    #[inline(always)]
    fn node(self, node: u64) {
        self.set_cursor(0, node);
        let mut left = CGROUP_STEPS;
        while left > 0 {
            let node = self.cursor(0);
            let [parent, name] = pair(node, offset!(node_parent), offset!(node_name));
            // The root's name is empty and is not part of a path.
            if node == 0 || parent == 0 {
                return;
            }
            self.name(name);
            self.set_cursor(0, parent);
            left -= 1;
        }
    }
}

// The two walks are global functions: the verifier checks each once, by itself, for any arguments, where it would follow a static one anew
// through all its steps from each place that calls it. Such functions take and give numbers only, so they find the record in the making by
// themselves, and the first where to begin in its cursor.

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_path(cut: u64, room: u64) -> u64 {
    let Some(draft) = Draft::at(room as u32) else { return 0 };
    let before = draft.len();
    draft.enter_mount(draft.cursor(MOUNT));
    let mut left = STEPS_MAX;
    while left > 0 {
        match path_step(draft.0) {
            ON => left -= 1,
            ROOT => return u64::from(draft.since(before)),
            _ => break,
        }
    }
    draft.flag(cut as u32);
    u64::from(draft.since(before))
}

/// The unified hierarchy's, and below it that of a controller which has a hierarchy of its own: hosts of version 1 have a task in both, and
/// many runtimes put the container into the second one only, while systemd has its service in the first.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_cgroup(task: u64) -> u64 {
    let Some(draft) = Draft::current() else { return 0 };
    let before = draft.len();
    let set = Task(task).pointer(offset!(task_cgroups));
    let unified: u64 = read(set + offset!(cgroups_default));
    let controller = setting!(container_controller);
    if controller != ABSENT {
        let css: u64 = read(set + offset!(cgroups_subsystems) + u64::from(controller) * 8);
        let cgroup: u64 = read(css + offset!(css_cgroup));
        if read::<u64>(cgroup + offset!(cgroup_root)) != read::<u64>(unified + offset!(cgroup_root)) {
            draft.node(read(cgroup + offset!(cgroup_node)));
        }
    }
    draft.node(read(unified + offset!(cgroup_node)));
    u64::from(draft.since(before))
}

// What a step leads to.
const ON: u32 = 0;
const ROOT: u32 = 1;
/// The top of something that is mounted nowhere (any more): what is below only looks like a path of this host.
const NOWHERE: u32 = 2;

/// One step towards the root: over a mount point, or one component up.
///
/// A function of its own, so that the loop around it stays small.
#[inline(never)]
fn path_step(scratch: *mut crate::record::Scratch) -> u32 {
    let draft = Draft(scratch);
    let dentry = draft.cursor(DENTRY);
    if dentry == draft.cursor(MOUNT_ROOT) {
        let mount = draft.cursor(MOUNT);
        let [parent, point] = pair(mount, offset!(mount_parent), offset!(mount_point));
        if parent == mount || parent == 0 {
            return if is_nowhere(mount) { NOWHERE } else { ROOT };
        }
        draft.set_cursor(DENTRY, point);
        draft.enter_mount(parent);
        return ON;
    }
    // The parent is followed by the name, in every kernel so far: a hash with a length, and the pointer.
    let name = offset!(dentry_name) + offset!(qstr_name);
    let [parent, name] = if name == offset!(dentry_parent) + 16 {
        let [parent, _hash, name]: [u64; 3] = read(dentry + offset!(dentry_parent));
        [parent, name]
    } else {
        [read(dentry + offset!(dentry_parent)), read(dentry + name)]
    };
    draft.name(name);
    // A dentry outside every tree (a memfd, a disconnected export) is its own parent: its name is all there is.
    if parent == dentry || parent == 0 {
        return ROOT;
    }
    draft.set_cursor(DENTRY, parent);
    ON
}

/// Whether a mount without a parent is in no namespace (taken away while in use), or in one of its own that nobody can enter (open_tree, fsmount).
#[inline(always)]
fn is_nowhere(mount: u64) -> bool {
    /// Numbers of namespaces without one: before and since 6.18.
    const ANONYMOUS: [u32; 2] = [0, 0xefff_fff7];
    let namespace: u64 = read(mount + offset!(mount_in));
    // The kernel's own mounts (pipes, memfds) have an error code there.
    if namespace as i64 >= -4095 && (namespace as i64) < 0 {
        return false;
    }
    let number: u32 = read(namespace + offset!(mount_namespace) + offset!(namespace_number));
    namespace == 0 || number == ANONYMOUS[0] || number == ANONYMOUS[1]
}
