//! The table of processes: who each event's process is, and who its ancestors are.
//!
//! Fed by the records of the process ring in the order in which the kernel wrote them, and seeded once from /proc for those older than
//! the sensor. The table owns the snapshots ([`Arc<Process>`]) that events share; a snapshot is rebuilt only when the process or one of its
//! ancestors became something else. It refuses to guess: a process that neither a record nor /proc explains is shown with its key
//! alone.
//!
//! Bounded, in processes and in bytes: see [`room`]. The last [`EXITED_MAX`] that ended stay so that events read late still find them.

pub(crate) mod image;
pub(crate) mod proc_fs;
pub(crate) mod room;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

use ahash::{AHashMap, AHashSet};
use bongsu_event::{Ancestor, Context, Credentials, Process, ProcessKey, Timestamp};
use bstr::BString;

use crate::{enrich::container, runtime::Names};

/// Bytes of a process's arguments that stay once its exec is told, each with its NUL: a record may bring eight times that.
pub(crate) const ARGS_KEPT: usize = 4096;

/// How many ended processes stay.
const EXITED_MAX: usize = 4_096;

/// What an exec makes of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewProgram {
    pub(crate) comm: BString,
    pub(crate) executable: BString,
    pub(crate) args: Vec<BString>,
    pub(crate) args_cut: bool,
    pub(crate) cwd: BString,
    pub(crate) credentials: Credentials,
    pub(crate) container: Option<BString>,
    pub(crate) context: Context,
}

/// A process that has just been met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newcomer {
    pub(crate) key: ProcessKey,
    pub(crate) start: Timestamp,
    pub(crate) parent: Option<ProcessKey>,
}

struct Node {
    parent: Option<ProcessKey>,
    start: Timestamp,
    /// What events show. While `inherited`, it is still the maker's: most children exec before anything else is told of them, so a
    /// snapshot of their own would be built for nothing.
    shown: Arc<Process>,
    inherited: bool,
    /// The parent's snapshot that `shown` was built with.
    parent_shown: Option<Arc<Process>>,
    /// The ancestors of children that see `shown` as their parent. Made for the first of them; the others share it.
    line: Option<Arc<[Ancestor]>>,
    /// `shown` was found to be right, so many levels up, when [`ProcessTable::changes`] had that value.
    checked: Option<(u64, usize)>,
    exited: bool,
    /// What it weighs: see [`room`].
    bytes: usize,
}

impl Node {
    /// The ancestors of this node when its parent is not at hand. While it still shows its maker, the maker is the nearest.
    fn line_alone(&self) -> Arc<[Ancestor]> {
        if self.inherited { line(&self.shown) } else { Arc::clone(&self.shown.ancestors) }
    }
}

/// The table.
pub(crate) struct ProcessTable {
    nodes: AHashMap<ProcessKey, Node>,
    /// How often a snapshot was replaced that snapshots of children are built on. While it stays, what was right is right.
    changes: u64,
    /// Those that ended, in that order.
    exited: VecDeque<ProcessKey>,
    /// What all of them weigh.
    bytes: usize,
    /// Whether that very process runs now.
    runs: fn(ProcessKey) -> bool,
}

impl Default for ProcessTable {
    fn default() -> Self {
        Self { nodes: AHashMap::new(), changes: 0, exited: VecDeque::new(), bytes: 0, runs: proc_fs::runs }
    }
}

impl ProcessTable {
    /// Whether the process is known.
    pub(crate) fn contains(&self, key: ProcessKey) -> bool {
        self.nodes.contains_key(&key)
    }

    /// Takes in a process as /proc or an exec shows it. One that is there already is left alone: live events know better.
    pub(crate) fn seed(&mut self, newcomer: Newcomer, program: NewProgram) {
        if self.contains(newcomer.key) {
            return;
        }
        let shown = Arc::new(build(newcomer.key, newcomer.start, program, Arc::default()));
        self.insert(newcomer, shown, false);
    }

    /// `maker` made a child, which is what its maker is until it execs.
    pub(crate) fn fork(&mut self, maker: ProcessKey, child: Newcomer) {
        if self.contains(child.key) {
            return;
        }
        if let Some(shown) = self.shown(maker) {
            self.insert(child, shown, true);
        }
    }

    /// The process became another program. Says what its executable was before.
    pub(crate) fn exec(&mut self, newcomer: Newcomer, program: NewProgram) -> Option<BString> {
        let key = newcomer.key;
        self.make_room(Some(key));
        let Some(node) = self.nodes.get_mut(&key) else {
            self.seed(newcomer, program);
            return None;
        };
        let previous = node.shown.executable.clone();
        // Who adopted it since is no story; who made it is.
        node.parent = node.parent.or(newcomer.parent);
        let parent = self.refresh_parent(key, Process::ANCESTORS_MAX);
        let ancestors = self.line_above(key, parent.is_some());
        self.show(key, build(key, newcomer.start, program, ancestors), parent);
        Some(previous)
    }

    /// The process changed its identities.
    pub(crate) fn set_credentials(&mut self, key: ProcessKey, credentials: &Credentials) {
        let Some(shown) = self.shown(key) else { return };
        if shown.credentials != *credentials {
            self.show(key, Process { credentials: credentials.clone(), ..Process::clone(&shown) }, None);
        }
    }

    /// Keeps of the process's arguments what is kept of any: from now on events show these, and say that they are cut.
    pub(crate) fn shorten_args(&mut self, key: ProcessKey) {
        let Some(shown) = self.shown(key) else { return };
        let mut left = ARGS_KEPT;
        if shown.args.iter().map(|arg| arg.len() + 1).sum::<usize>() <= left {
            return;
        }
        let mut args = Vec::new();
        for arg in &shown.args {
            args.push(arg[..arg.len().min(left)].into());
            left = left.saturating_sub(arg.len() + 1);
            if left == 0 {
                break;
            }
        }
        self.show(key, Process { args, args_cut: true, ..Process::clone(&shown) }, None);
    }

    /// The process gave itself another name.
    pub(crate) fn set_name(&mut self, key: ProcessKey, comm: BString) {
        let Some(shown) = self.shown(key) else { return };
        if shown.comm != comm {
            self.show(key, Process { comm, ..Process::clone(&shown) }, None);
        }
    }

    /// The runtime said what a container is called: from now on all of its processes show it.
    pub(crate) fn name_container(&mut self, id: &BString, names: &Names) {
        let its = |node: &Node| node.shown.container.as_ref() == Some(id);
        let keys: Vec<ProcessKey> = self.nodes.iter().filter(|(_, node)| its(node)).map(|(key, _)| *key).collect();
        for key in keys {
            let Some(shown) = self.shown(key) else { continue };
            let mut context = shown.context.clone();
            container::name(&mut context, names);
            self.show(key, Process { context, ..Process::clone(&shown) }, None);
        }
    }

    /// The containers whose names are not known.
    pub(crate) fn unnamed_containers(&self) -> AHashSet<BString> {
        let unnamed = |node: &Node| {
            let container = node.shown.container.as_ref()?;
            let is_named = container::is_named(&node.shown.context);
            if node.exited || is_named { None } else { Some(container.clone()) }
        };
        self.nodes.values().filter_map(unnamed).collect()
    }

    /// The process ended. It stays for a while; says whether this was news.
    pub(crate) fn exit(&mut self, key: ProcessKey) -> bool {
        let Some(node) = self.nodes.get_mut(&key) else { return true };
        if node.exited {
            return false;
        }
        node.exited = true;
        self.exited.push_back(key);
        if self.exited.len() > EXITED_MAX
            && let Some(oldest) = self.exited.pop_front()
        {
            self.remove(oldest);
        }
        true
    }

    /// The process as events show it now.
    pub(crate) fn shown(&mut self, key: ProcessKey) -> Option<Arc<Process>> {
        self.refresh(key, Process::ANCESTORS_MAX)
    }

    /// The snapshot of `key`, rebuilt when something above it changed. `depth` bounds the way up, and with it a loop of parents that a
    /// hostile /proc could show.
    fn refresh(&mut self, key: ProcessKey, depth: usize) -> Option<Arc<Process>> {
        let node = self.nodes.get(&key)?;
        if node.checked >= Some((self.changes, depth)) {
            return Some(Arc::clone(&node.shown));
        }
        let parent = self.refresh_parent(key, depth);
        let node = self.nodes.get(&key)?;
        let above_changed = match (&parent, &node.parent_shown) {
            (Some(now), Some(then)) => !Arc::ptr_eq(now, then),
            (Some(_), None) => true,
            // The parent was forgotten: what we knew of it stays true.
            (None, _) => false,
        };
        if node.inherited || above_changed {
            let ancestors = self.line_above(key, parent.is_some());
            let node = self.nodes.get(&key)?;
            let shown = Process { key, pid: key.pid, start: node.start, ancestors, ..Process::clone(&node.shown) };
            self.show(key, shown, parent);
        }
        let checked = self.is_checked_above(key, depth).then_some((self.changes, depth));
        let node = self.nodes.get_mut(&key)?;
        node.checked = checked;
        Some(Arc::clone(&node.shown))
    }

    /// Whether all that is above `key`, so many levels up, was just checked. Not where a parent is unknown: it may yet become known.
    fn is_checked_above(&self, key: ProcessKey, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return true };
        let is_checked =
            |parent| self.nodes.get(&parent).is_some_and(|node| node.checked >= Some((self.changes, depth)));
        self.nodes.get(&key).and_then(|node| node.parent).is_none_or(is_checked)
    }

    /// From now on events show this of the process. `parent` is what it was built with, if that is another one than before.
    fn show(&mut self, key: ProcessKey, shown: Process, parent: Option<Arc<Process>>) {
        let Some(node) = self.nodes.get_mut(&key) else { return };
        let bytes = room::weight(&shown);
        self.bytes = self.bytes - node.bytes + bytes;
        node.bytes = bytes;
        node.shown = Arc::new(shown);
        node.inherited = false;
        node.checked = None;
        node.parent_shown = parent.or(node.parent_shown.take());
        if node.line.take().is_some() {
            self.changes += 1;
        }
    }

    /// The parent's snapshot, as [`ProcessTable::refresh`] does it; `None` when there is none or it is too far up.
    fn refresh_parent(&mut self, key: ProcessKey, depth: usize) -> Option<Arc<Process>> {
        let parent = self.nodes.get(&key)?.parent?;
        self.refresh(parent, depth.checked_sub(1)?)
    }

    /// The ancestors of `key`: what its parent shows now and what is above that, or, without the parent, what was known before.
    fn line_above(&mut self, key: ProcessKey, has_parent: bool) -> Arc<[Ancestor]> {
        let parent = self.nodes.get(&key).and_then(|node| node.parent).filter(|_| has_parent);
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(&parent)) {
            return Arc::clone(parent.line.get_or_insert_with(|| line(&parent.shown)));
        }
        self.nodes.get(&key).map(Node::line_alone).unwrap_or_default()
    }

    fn insert(&mut self, newcomer: Newcomer, shown: Arc<Process>, inherited: bool) {
        self.make_room(None);
        let Newcomer { key, start, parent } = newcomer;
        let bytes = room::weight(&shown);
        self.bytes += bytes;
        let (parent_shown, line, checked, exited) = (None, None, None, false);
        self.nodes.insert(key, Node { parent, start, shown, inherited, parent_shown, line, checked, exited, bytes });
    }
}

/// A process that runs this program.
pub(crate) fn build(key: ProcessKey, start: Timestamp, program: NewProgram, ancestors: Arc<[Ancestor]>) -> Process {
    let NewProgram { comm, executable, args, args_cut, cwd, credentials, container, context } = program;
    Process {
        key,
        pid: key.pid,
        start,
        comm,
        executable,
        args,
        args_cut,
        cwd,
        credentials,
        container,
        context,
        ancestors,
    }
}

/// The ancestors of a child of `parent`.
fn line(parent: &Process) -> Arc<[Ancestor]> {
    let nearest = Ancestor {
        key: parent.key,
        pid: parent.pid,
        comm: parent.comm.clone(),
        executable: parent.executable.clone(),
        args: parent.args.clone(),
        user: parent.credentials.real.clone(),
    };
    let further = parent.ancestors.iter().map(|ancestor| Ancestor { args: Vec::new(), ..ancestor.clone() });
    std::iter::once(nearest).chain(further).take(Process::ANCESTORS_MAX).collect()
}
