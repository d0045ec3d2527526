//! What the kernel is about to do to a file, kept until it has done it.
//!
//! The hooks of security modules see a path with its mount, but not what comes of it. The functions of the file system layer see what comes
//! of it, but no mount. The first are asked for what the second lack. Both are in the middle of the call: the objects are held by it.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use bongsu_sensor_abi::{File, NAME_MAX, PathText, Record};

use crate::{
    globals::offset,
    maps::PENDING,
    record::{Draft, Ring, is_own, lose},
    task::read,
};

/// A step of the kernel's, by the addresses of its objects.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Pending {
    head: Head,
    /// Before a rename: what the dentry is called, with its NUL. The kernel writes over it.
    name: [u8; NAME_MAX as usize],
}

/// The head of a [`Draft`] while it is put together.
#[derive(Clone, Copy)]
#[repr(C)]
struct Head {
    /// The `struct dentry` it is about.
    dentry: u64,
    /// The `struct vfsmount` through which that will be seen when it is done.
    mount: u64,
    /// Before a rename: the directory that the dentry is in.
    directory: u64,
    /// Before a rename: the mount of that directory.
    directory_mount: u64,
}

// SAFETY: repr(C) and only u64.
unsafe impl Record for Head {}

impl Pending {
    /// Keeps that something is about to be done to `dentry` in the `struct path` at `directory`.
    #[inline(always)]
    pub(crate) fn keep(dentry: u64, directory: u64) {
        let mount = read(directory + offset!(path_mount));
        keep(Head { dentry, mount, directory: 0, directory_mount: 0 });
    }

    /// Keeps that `dentry` in the `struct path` at `directory` is about to go to that at `destination`.
    #[inline(always)]
    pub(crate) fn keep_move(dentry: u64, directory: u64, destination: u64) {
        keep(Head {
            dentry,
            mount: read(destination + offset!(path_mount)),
            directory: read(directory + offset!(path_dentry)),
            directory_mount: read(directory + offset!(path_mount)),
        });
    }

    /// Hands what was kept of `dentry` to `tell`, when it was done (`result` is 0), and forgets it. Not when it is a file system below that does
    /// it, and not the call itself: overlayfs does the same to its layers.
    #[inline(always)]
    pub(crate) fn done(result: u64, dentry: u64, tell: impl FnOnce(&Self)) {
        if is_own() {
            return;
        }
        // SAFETY: only this thread writes and removes its entry.
        let Some(pending) = (unsafe { PENDING.get(&thread()) }) else { return };
        if pending.head.dentry == dentry {
            if result as i32 == 0 {
                tell(pending);
            }
            // It is there.
            let _removed = PENDING.remove(&thread());
        }
    }

    /// Appends where the dentry is now.
    #[inline(always)]
    pub(crate) fn append(&self, draft: Draft) -> PathText {
        self.append_other(draft, self.head.dentry)
    }

    /// Appends where another dentry is, seen through the same mount.
    #[inline(always)]
    pub(crate) fn append_other(&self, draft: Draft, dentry: u64) -> PathText {
        PathText { walk_len: draft.path_of(self.head.mount, dentry, File::PATH_CUT), name_len: 0 }
    }

    /// Appends where the dentry was before it was moved.
    #[inline(always)]
    pub(crate) fn append_previous(&self, draft: Draft) -> PathText {
        let walk_len = draft.path_of(self.head.directory_mount, self.head.directory, File::PATH_CUT);
        PathText { walk_len, name_len: draft.kernel_string((&raw const self.name) as u64) }
    }
}

#[inline(always)]
fn keep(head: Head) {
    if is_own() {
        return;
    }
    Draft::alone::<Head>(|draft| {
        draft.name(read(head.dentry + offset!(dentry_name) + offset!(qstr_name)));
        let bytes = draft.bytes();
        // SAFETY: a record is larger than Pending, and any bytes are a value of it.
        let pending = unsafe {
            bytes.cast::<Head>().write(head);
            &*bytes.cast::<Pending>()
        };
        // Not expected of a map that evicts. The step would be missed, should it succeed.
        if PENDING.insert(thread(), pending, 0).is_err() {
            lose(Ring::Other);
        }
    });
}

#[inline(always)]
fn thread() -> u32 {
    bpf_get_current_pid_tgid() as u32
}
