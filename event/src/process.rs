//! Who did it: a process as it was at the moment of the event.

use std::sync::Arc;

use bstr::BString;

use crate::{ProcessKey, Timestamp};

/// A user account: the number the kernel knows and, where the host's user database has one, its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Account {
    /// The uid in the initial user namespace.
    pub id: u32,
    /// The name the host's user database gives the uid; absent when it has none.
    pub name: Option<BString>,
}

/// The identities a process acts under.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Credentials {
    /// The real user: who started it.
    pub real: Account,
    /// The effective user: whose rights it has. Differs from `real` after the exec of a set-uid file.
    pub effective: Account,
    /// The real group id.
    pub gid: u32,
    /// The effective group id.
    pub egid: u32,
    /// The audit login uid: who logged in, kept over su and sudo. Absent for daemons and where the kernel has no audit.
    pub login: Option<Account>,
}

/// A process as it was when the event happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its name, stable over exec.
    pub key: ProcessKey,
    /// Thread group id in the initial pid namespace.
    pub pid: u32,
    /// When it started.
    pub start: Timestamp,
    /// The kernel's `comm`: at most 15 bytes, and the process may set it to anything.
    pub comm: BString,
    /// The resolved path of its image. A deleted file keeps the path it had; a memfd is `/memfd:NAME`.
    pub executable: BString,
    /// Arguments as the kernel holds them, program name first.
    pub args: Vec<BString>,
    /// True when `args` was longer than the probe takes, so that the last one is cut.
    pub args_cut: bool,
    /// Working directory at exec.
    pub cwd: BString,
    /// Identities.
    pub credentials: Credentials,
    /// The container's id, by the cgroup.
    pub container: Option<BString>,
    /// Where it stands: session, namespaces, capabilities, pod.
    pub context: Context,
    /// Parent first, then its parent, and so on; at most [`Process::ANCESTORS_MAX`]. The children of one parent share it.
    pub ancestors: Arc<[Ancestor]>,
}

impl Process {
    /// How many ancestors an event carries at most.
    pub const ANCESTORS_MAX: usize = 8;

    /// The arguments joined by spaces: what rules call `CommandLine`.
    #[must_use]
    pub fn command_line(&self) -> BString {
        join(&self.args)
    }

    /// The parent, when it is known.
    #[must_use]
    pub fn parent(&self) -> Option<&Ancestor> {
        self.ancestors.first()
    }
}

/// Where a process stands. All of it is shared by most processes of a host, or of a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Context {
    /// The session's id: the pid of its leader. Absent where nobody could tell.
    pub session: Option<u32>,
    /// The controlling terminal: `pts/0`, `tty1`. Absent for daemons.
    pub terminal: Option<BString>,
    /// What it may do, a bit for each capability as linux/capability.h numbers them.
    pub capabilities: Option<u64>,
    /// The namespaces it lives in.
    pub namespaces: Option<Namespaces>,
    /// The Kubernetes pod it belongs to.
    pub pod: Option<Pod>,
    /// What its container is called; absent when nobody was there to ask, or nobody knew.
    pub container_names: Option<ContainerNames>,
}

/// The namespaces of a process, by the inode numbers that /proc/PID/ns shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Namespaces {
    /// What it sees mounted.
    pub mount: u32,
    /// What it sees of processes.
    pub pid: u32,
    /// What it sees of the network.
    pub net: u32,
    /// Whom its user ids mean.
    pub user: u32,
}

/// A Kubernetes pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Pod {
    /// Its UID.
    pub uid: BString,
    /// Its name; empty when nobody was there to ask.
    pub name: BString,
    /// Its Kubernetes namespace; empty when nobody was there to ask.
    pub namespace: BString,
}

/// What people call a container: its id says nothing to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ContainerNames {
    /// The name that it was given, in Kubernetes within its pod. May be empty.
    pub name: BString,
    /// The image, as whoever started it called it. May be empty.
    pub image: BString,
}

/// A process above another one, as it was when the event happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ancestor {
    /// Its name.
    pub key: ProcessKey,
    /// Thread group id.
    pub pid: u32,
    /// The kernel's `comm`.
    pub comm: BString,
    /// The resolved path of its image.
    pub executable: BString,
    /// Its arguments. Only the parent carries them; further up the list is empty.
    pub args: Vec<BString>,
    /// Its real user.
    pub user: Account,
}

impl Ancestor {
    /// The arguments joined by spaces.
    #[must_use]
    pub fn command_line(&self) -> BString {
        join(&self.args)
    }
}

fn join(args: &[BString]) -> BString {
    bstr::join(b" ", args).into()
}
