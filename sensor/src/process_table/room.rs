//! The table's bounds, and who goes when they are reached.
//!
//! A process that ends leaves by itself. What fills the table is processes whose end was lost with a full ring, and more that run than
//! anybody expected: so first go those that do not run any more, then half of those that ended, and only then some that run, the longest
//! running first: they are the ones that /proc can best explain again when they act.

use bongsu_event::{Ancestor, Process, ProcessKey};

use super::{EXITED_MAX, ProcessTable};

/// Processes that run, as far as we know. With those that ended, the bound of entries.
const LIVE_MAX: usize = 32_768;
/// Entries at most.
pub(crate) const ENTRIES_MAX: usize = LIVE_MAX + EXITED_MAX;
/// Bytes of their texts at most. What several share (ancestors, a snapshot that a child still has of its maker) counts for each of them.
pub(crate) const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a process weighs in the table.
pub(super) fn weight(process: &Process) -> usize {
    let args = |args: &[bstr::BString]| args.iter().map(|arg| arg.len() + size_of::<bstr::BString>()).sum::<usize>();
    let ancestor =
        |above: &Ancestor| size_of::<Ancestor>() + above.comm.len() + above.executable.len() + args(&above.args);
    let pod = process.context.pod.as_ref().map_or(0, |pod| pod.uid.len() + pod.name.len() + pod.namespace.len());
    let names = process.context.container_names.as_ref().map_or(0, |names| names.name.len() + names.image.len());
    let own = process.comm.len() + process.executable.len() + process.cwd.len() + args(&process.args) + pod + names;
    size_of::<Process>() + own + process.ancestors.iter().map(ancestor).sum::<usize>()
}

impl ProcessTable {
    /// Makes room for one more, when there is none. `but` stays.
    pub(super) fn make_room(&mut self, but: Option<ProcessKey>) {
        if !self.is_full() {
            return;
        }
        let mut live: Vec<ProcessKey> =
            self.nodes.iter().filter(|(key, node)| !node.exited && Some(**key) != but).map(|(key, _)| *key).collect();
        let runs = self.runs;
        live.retain(|key| {
            let stays = runs(*key);
            if !stays {
                self.remove(*key);
            }
            stays
        });
        if self.is_full() {
            let half = self.exited.len().div_ceil(2);
            let oldest: Vec<ProcessKey> = self.exited.drain(..half).collect();
            oldest.into_iter().for_each(|key| self.remove(key));
        }
        if self.is_full() {
            // A sixteenth at once, so that the search for them is rare.
            live.sort_unstable_by_key(|key| key.start);
            let some = live.len().div_ceil(16);
            live.into_iter().take(some).for_each(|key| self.remove(key));
        }
    }

    pub(super) fn remove(&mut self, key: ProcessKey) {
        if let Some(node) = self.nodes.remove(&key) {
            self.bytes -= node.bytes;
        }
    }

    fn is_full(&self) -> bool {
        self.nodes.len() >= ENTRIES_MAX || self.bytes >= BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use bongsu_event::Timestamp;

    use super::*;
    use crate::process_table::{NewProgram, Newcomer};

    const MANY: u32 = 1_000_000;
    /// These run, whatever becomes of the rest.
    const DAEMONS: u32 = 100;

    fn key(pid: u32) -> ProcessKey {
        ProcessKey { boot: 1, pid, start: u64::from(pid) }
    }

    fn newcomer(pid: u32) -> Newcomer {
        Newcomer { key: key(pid), start: Timestamp(i64::from(pid)), parent: (pid != 1).then_some(key(1)) }
    }

    fn program(args: usize) -> NewProgram {
        NewProgram {
            comm: "x".into(),
            executable: "/usr/bin/x".into(),
            args: vec![vec![b'x'; args].into()],
            args_cut: false,
            cwd: "/".into(),
            credentials: bongsu_event::Credentials::default(),
            container: None,
            context: bongsu_event::Context::default(),
        }
    }

    fn table() -> ProcessTable {
        let mut table = ProcessTable { runs: |key| key.pid <= DAEMONS, ..ProcessTable::default() };
        (1..=DAEMONS).for_each(|pid| table.seed(newcomer(pid), program(8)));
        table
    }

    fn pid(count: usize) -> u32 {
        u32::try_from(count).unwrap()
    }

    fn daemons(table: &ProcessTable) -> usize {
        (1..=DAEMONS).filter(|pid| table.contains(key(*pid))).count()
    }

    fn counted(table: &ProcessTable) -> usize {
        table.nodes.values().map(|node| weight(&node.shown)).sum()
    }

    #[test]
    fn a_million_short_lived_processes_leave_the_table_as_large_as_a_few_thousand() {
        let mut table = table();
        let run = |table: &mut ProcessTable, pids: std::ops::Range<u32>| {
            for pid in pids {
                table.fork(key(1), newcomer(pid));
                table.exec(newcomer(pid), program(8));
                assert!(table.shown(key(pid)).is_some());
                assert!(table.exit(key(pid)));
            }
        };
        let few = DAEMONS + 1 + 2 * pid(EXITED_MAX);
        run(&mut table, DAEMONS + 1..few);
        let size = |table: &ProcessTable| (table.nodes.len(), table.exited.capacity(), table.bytes);
        let (after_few, room) = (size(&table), table.nodes.capacity());
        run(&mut table, few..MANY);
        assert_eq!(size(&table), after_few);
        assert!(table.nodes.capacity() <= 2 * room, "{} after {room}", table.nodes.capacity());
        assert_eq!((table.bytes, daemons(&table)), (counted(&table), DAEMONS as usize));
    }

    #[test]
    fn a_million_processes_whose_end_was_lost_make_room_before_any_that_runs() {
        let mut table = table();
        let mut most = 0;
        for pid in DAEMONS + 1..MANY {
            table.fork(key(1), newcomer(pid));
            most = most.max(table.nodes.len());
        }
        assert_eq!(most, ENTRIES_MAX);
        assert_eq!((table.bytes, daemons(&table)), (counted(&table), DAEMONS as usize));
    }

    #[test]
    fn processes_with_long_arguments_reach_the_bound_of_bytes_first() {
        let mut table = table();
        let mut most = 0;
        for pid in DAEMONS + 1..pid(ENTRIES_MAX) {
            table.seed(newcomer(pid), program(4096));
            most = most.max(table.bytes);
        }
        assert!((BYTES_MAX..BYTES_MAX + 8192).contains(&most), "{most}");
        assert_eq!((table.bytes, daemons(&table)), (counted(&table), DAEMONS as usize));
    }

    #[test]
    fn when_all_of_them_run_the_longest_running_go() {
        let mut table = ProcessTable { runs: |_| true, ..ProcessTable::default() };
        (1..=pid(ENTRIES_MAX) + 1).for_each(|pid| table.seed(newcomer(pid), program(8)));
        assert!(table.nodes.len() < ENTRIES_MAX);
        assert!(!table.contains(key(1)) && table.contains(key(pid(ENTRIES_MAX))));
    }
}
