use bongsu_event::Account;

use super::*;

fn key(pid: u32) -> ProcessKey {
    ProcessKey { boot: 1, pid, start: u64::from(pid) * 10 }
}

fn newcomer(pid: u32, parent: u32) -> Newcomer {
    Newcomer { key: key(pid), start: Timestamp(i64::from(pid)), parent: Some(key(parent)) }
}

fn program(executable: &str) -> NewProgram {
    NewProgram {
        comm: executable.into(),
        executable: executable.into(),
        args: vec![executable.into()],
        args_cut: false,
        cwd: "/".into(),
        credentials: Credentials::default(),
        container: None,
        context: Context::default(),
    }
}

fn lineage(process: &Process) -> Vec<&str> {
    process.ancestors.iter().map(|ancestor| std::str::from_utf8(&ancestor.executable).unwrap()).collect()
}

#[test]
fn a_child_is_its_maker_until_it_execs() {
    let mut table = ProcessTable::default();
    table.seed(newcomer(1, 0), program("init"));
    table.fork(key(1), newcomer(2, 1));
    let child = table.shown(key(2)).unwrap();
    assert_eq!((child.pid, child.key, child.executable.as_slice()), (2, key(2), b"init".as_slice()));
    assert_eq!(lineage(&child), ["init"]);
    assert_eq!(table.exec(newcomer(2, 1), program("sh")), Some("init".into()));
    let child = table.shown(key(2)).unwrap();
    assert_eq!(child.executable, "sh");
    assert_eq!(lineage(&child), ["init"]);
}

#[test]
fn snapshots_are_shared_until_something_changes() {
    let mut table = ProcessTable::default();
    table.seed(newcomer(1, 0), program("init"));
    table.fork(key(1), newcomer(2, 1));
    table.exec(newcomer(2, 1), program("sh"));
    let first = table.shown(key(2)).unwrap();
    assert!(Arc::ptr_eq(&first, &table.shown(key(2)).unwrap()));
    table.exec(newcomer(1, 0), program("systemd"));
    let second = table.shown(key(2)).unwrap();
    assert_eq!(lineage(&first), ["init"], "what was told stays told");
    assert_eq!(lineage(&second), ["systemd"], "a parent that became another program shows in what follows");
}

#[test]
fn a_change_far_above_shows_below() {
    let mut table = ProcessTable::default();
    table.seed(newcomer(1, 0), program("init"));
    for pid in 2..=4 {
        table.fork(key(pid - 1), newcomer(pid, pid - 1));
        table.exec(newcomer(pid, pid - 1), program(&pid.to_string()));
    }
    assert_eq!(lineage(&table.shown(key(4)).unwrap()), ["3", "2", "init"]);
    table.exec(newcomer(1, 0), program("systemd"));
    assert_eq!(lineage(&table.shown(key(4)).unwrap()), ["3", "2", "systemd"]);
}

#[test]
fn a_parent_that_is_told_of_late_shows_from_then_on() {
    let mut table = ProcessTable::default();
    table.seed(newcomer(2, 1), program("sh"));
    table.fork(key(2), newcomer(3, 2));
    assert_eq!(lineage(&table.shown(key(3)).unwrap()), ["sh"]);
    table.seed(newcomer(1, 0), program("init"));
    assert_eq!(lineage(&table.shown(key(3)).unwrap()), ["sh", "init"]);
}

#[test]
fn children_of_one_parent_share_their_line() {
    let mut table = ProcessTable::default();
    table.seed(newcomer(1, 0), program("make"));
    for pid in [2, 3] {
        table.fork(key(1), newcomer(pid, 1));
        table.exec(newcomer(pid, 1), program("cc"));
    }
    let [first, second] = [2, 3].map(|pid| table.shown(key(pid)).unwrap());
    assert!(Arc::ptr_eq(&first.ancestors, &second.ancestors));
}

#[test]
fn ancestors_outlive_their_own_entries() {
    let mut table = ProcessTable::default();
    table.seed(newcomer(1, 0), program("init"));
    table.fork(key(1), newcomer(2, 1));
    table.exec(newcomer(2, 1), program("sh"));
    table.fork(key(2), newcomer(3, 2));
    table.exec(newcomer(3, 2), program("curl"));
    assert_eq!(lineage(&table.shown(key(3)).unwrap()), ["sh", "init"]);
    table.exit(key(2));
    table.nodes.remove(&key(2));
    table.exec(newcomer(3, 1), program("dash"));
    assert_eq!(lineage(&table.shown(key(3)).unwrap()), ["sh", "init"], "being adopted changes no story");
}

#[test]
fn no_line_is_longer_than_eight() {
    let mut table = ProcessTable::default();
    table.seed(newcomer(1, 0), program("1"));
    for pid in 2..20 {
        table.fork(key(pid - 1), newcomer(pid, pid - 1));
        table.exec(newcomer(pid, pid - 1), program(&pid.to_string()));
    }
    let last = table.shown(key(19)).unwrap();
    assert_eq!(lineage(&last), ["18", "17", "16", "15", "14", "13", "12", "11"]);
    assert_eq!(last.ancestors[0].args, ["18"]);
    assert!(last.ancestors[1].args.is_empty());
}

#[test]
fn ended_processes_stay_for_a_while_and_end_once() {
    let mut table = ProcessTable::default();
    for pid in 1..=u32::try_from(EXITED_MAX).unwrap() + 1 {
        table.seed(newcomer(pid, 0), program("true"));
        assert!(table.exit(key(pid)));
        assert!(!table.exit(key(pid)), "the second thread that was last is no news");
    }
    assert!(!table.contains(key(1)));
    assert!(table.contains(key(2)));
}

#[test]
fn the_table_does_not_grow_without_end() {
    let mut table = ProcessTable::default();
    for pid in 1..=u32::try_from(room::ENTRIES_MAX).unwrap() * 2 {
        table.seed(newcomer(pid, 0), program("sleep"));
    }
    assert!(table.nodes.len() <= room::ENTRIES_MAX);
}

#[test]
fn parents_in_a_circle_do_not_trap_us() {
    let mut table = ProcessTable::default();
    table.seed(newcomer(1, 2), program("a"));
    table.seed(newcomer(2, 1), program("b"));
    assert_eq!(table.shown(key(1)).unwrap().executable, "a");
}

#[test]
fn new_identities_show_in_what_follows() {
    let mut table = ProcessTable::default();
    table.seed(newcomer(1, 0), program("su"));
    let effective = Account { id: 1000, name: None };
    table.set_credentials(key(1), &Credentials { effective: effective.clone(), ..Credentials::default() });
    assert_eq!(table.shown(key(1)).unwrap().credentials.effective, effective);
}
