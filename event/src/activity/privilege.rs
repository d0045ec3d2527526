//! Capabilities and namespaces.

/// The capabilities of a process, a bit for each as linux/capability.h numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities {
    /// What it may do now.
    pub effective: u64,
    /// What it may give itself.
    pub permitted: u64,
    /// What it may pass on to programs it starts.
    pub inheritable: u64,
}

/// How a process came into another namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamespaceWay {
    /// unshare(2): into new ones.
    Unshare,
    /// setns(2): into those of somebody else.
    Join,
}

/// Kinds of namespaces, a bit for each: the CLONE_NEW flags of clone(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NamespaceKinds(pub u32);

impl NamespaceKinds {
    const NAMES: [(u32, &'static str); 8] = [
        (0x0000_0080, "time"),
        (0x0002_0000, "mount"),
        (0x0200_0000, "cgroup"),
        (0x0400_0000, "uts"),
        (0x0800_0000, "ipc"),
        (0x1000_0000, "user"),
        (0x2000_0000, "pid"),
        (0x4000_0000, "net"),
    ];

    /// All bits that mean a namespace.
    pub const ALL: Self = Self(0x7e02_0080);

    /// Their names, in the order of their bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| name)
    }
}

/// A process that went into other namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamespaceChange {
    /// How.
    pub way: NamespaceWay,
    /// Which kinds.
    pub kinds: NamespaceKinds,
}
