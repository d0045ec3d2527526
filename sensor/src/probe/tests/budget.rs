//! Processes that make more than their budgets allow, and others beside them.

use std::{
    env, fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use ahash::{AHashMap, AHashSet};
use bongsu_event::{Activity, Event, Family, FileOperation, Suppressed};
use bongsu_sensor_abi as abi;

use super::{
    lab::Lab,
    storm::{reader_time, write_noop},
};
use crate::{
    config::{Budget, Budgets},
    probe::ProbeConfig,
};

const PROCESSES: u32 = 4;
const THREADS: u64 = 4;
const EXECS: usize = 300;
/// Where the generator finds its folder, and how often each of its threads opens its file.
const FOLDER: &str = "BONGSU_FLOOD_FOLDER";
const OPENS: &str = "BONGSU_FLOOD_OPENS";
/// One of so many opens reads the secret.
const SECRET_EACH: u64 = 10;

/// Not a test: what the tests here start as a process of its own, with as many threads as that has.
#[test]
#[ignore = "is started by the other tests"]
fn generator() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let opens: u64 = env::var(OPENS).unwrap().parse().unwrap();
    let secret = folder.join("secret");
    // The files are there before the first of them is opened: each open is one event.
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (own, secret) = (folder.join(format!("file-{number}")), &secret);
            scope.spawn(move || {
                for open in 0..opens {
                    let opened = if open % SECRET_EACH == 0 {
                        fs::File::open(secret)
                    } else {
                        fs::OpenOptions::new().append(true).open(&own)
                    };
                    drop(opened.unwrap());
                }
            });
        }
    });
}

struct Ground {
    _guard: tempfile::TempDir,
    folder: PathBuf,
}

impl Ground {
    fn new() -> io::Result<Self> {
        let guard = tempfile::tempdir()?;
        let folder = fs::canonicalize(guard.path())?;
        fs::write(folder.join("secret"), "")?;
        for number in 0..THREADS {
            fs::write(folder.join(format!("file-{number}")), "")?;
        }
        Ok(Self { _guard: guard, folder })
    }

    fn config(&self, budgets: Budgets) -> ProbeConfig {
        ProbeConfig { sensitive_paths: vec![self.folder.join("secret")], budgets, ..ProbeConfig::default() }
    }

    /// Starts a generator whose threads open a file so often each.
    fn flood(&self, opens: u64) -> io::Result<Child> {
        Command::new(env::current_exe()?)
            .args(["--ignored", "--exact", "probe::tests::budget::generator"])
            .env(FOLDER, &self.folder)
            .env(OPENS, opens.to_string())
            .stdout(std::process::Stdio::null())
            .spawn()
    }

    fn is_here(&self, path: &[u8]) -> bool {
        path.starts_with(self.folder.as_os_str().as_bytes())
    }
}

/// What was told of one process: opens for writing, reads of the secret, and what was left out of both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Account {
    written: u64,
    read: u64,
    writes_left_out: u64,
    reads_left_out: u64,
    ended: bool,
    told_after_end: bool,
}

#[derive(Default)]
struct Accounts {
    by_pid: AHashMap<u32, Account>,
    /// Left out of processes that were forgotten.
    nobodys: u64,
}

impl Accounts {
    /// Of the processes `pids` alone, whatever else runs.
    fn add(&mut self, event: &Event, ground: &Ground, pids: &AHashSet<u32>) {
        let pid = event.process.as_ref().map(|process| process.pid);
        if let (None, Activity::Suppressed(left)) = (pid, &event.activity) {
            self.nobodys += left.count;
        }
        let Some(pid) = pid.filter(|pid| pids.contains(pid)) else { return };
        let account = self.by_pid.entry(pid).or_default();
        match &event.activity {
            Activity::File(file) if ground.is_here(&file.path) => match file.operation {
                FileOperation::Write => account.written += 1,
                FileOperation::Read => account.read += 1,
                _ => {}
            },
            Activity::Suppressed(Suppressed { family, count, first, last }) => {
                assert!(first <= last && *last <= event.time, "{event:?}");
                assert!(*count > 0);
                account.told_after_end |= account.ended;
                match family {
                    Family::File => account.writes_left_out += count,
                    Family::Sensitive => account.reads_left_out += count,
                    other => panic!("{other:?} of a process that only opens files"),
                }
            }
            Activity::Exit { .. } => account.ended = true,
            _ => {}
        }
    }
}

pub(super) fn limited(per_second: u32, burst: u32) -> Budgets {
    Budgets([Budget { per_second, burst }; abi::FAMILIES])
}

/// Opens of a generator's threads for writing, and reads of the secret.
fn truth(opens: u64) -> (u64, u64) {
    let reads = opens.div_ceil(SECRET_EACH);
    (THREADS * (opens - reads), THREADS * reads)
}

#[test]
fn what_a_noisy_process_had_left_out_is_told_before_its_end_and_its_neighbour_is_heard() {
    const NOISE: u64 = 2000;
    let ground = Ground::new().unwrap();
    let Some(mut lab) = Lab::open_with(&ground.config(limited(10, 50))) else { return };
    let mut noisy = ground.flood(NOISE).unwrap();
    let mut quiet = ground.flood(10).unwrap();
    let pids: AHashSet<u32> = [noisy.id(), quiet.id()].into();
    let (loud, calm) = (noisy.id(), quiet.id());
    let mut accounts = Accounts::default();
    let mut ended = 0;
    lab.each(|event| {
        accounts.add(event, &ground, &pids);
        let is_theirs = event.process.as_ref().is_some_and(|process| pids.contains(&process.pid));
        ended += u32::from(is_theirs && matches!(event.activity, Activity::Exit { .. }));
        ended == 2
    });
    assert!(noisy.wait().unwrap().success() && quiet.wait().unwrap().success());
    let (rest, counters) = lab.close();
    rest.iter().for_each(|event| accounts.add(event, &ground, &pids));

    let told = accounts.by_pid[&loud];
    let (writes, reads) = truth(NOISE);
    assert_eq!((told.written + told.writes_left_out, told.read + told.reads_left_out), (writes, reads), "{told:?}");
    assert!(told.writes_left_out > writes / 2 && told.written >= 50, "{told:?}");
    assert!(told.reads_left_out > 0 && told.read >= 50, "the secret has a budget of its own: {told:?}");
    assert!(!told.told_after_end);
    let (writes, reads) = truth(10);
    let expected = Account { written: writes, read: reads, ended: true, ..Account::default() };
    assert_eq!(accounts.by_pid[&calm], expected, "not one of the neighbour's was left out");
    assert!(counters.suppressed() >= told.writes_left_out + told.reads_left_out);
}

/// What came of a flood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) opens: u64,
    pub(super) told: u64,
    pub(super) left_out: u64,
    /// Of the whole host, as long as the flood lasted.
    pub(super) lost: u64,
    pub(super) took: Duration,
    pub(super) reader: Duration,
}

/// Every open is told, left out and counted, or lost and counted; and no exec is lost. Each batch goes to `keep` in the end.
pub(super) fn flood(budgets: Budgets, opens: u64, mut keep: impl FnMut(Vec<Event>)) -> Option<Outcome> {
    let ground = Ground::new().unwrap();
    let noop = ground.folder.join("noop");
    write_noop(&noop).unwrap();
    let mut lab = Lab::open_with(&ground.config(budgets))?;
    let start = Instant::now();
    let mut children: Vec<Child> = (0..PROCESSES).map(|_| ground.flood(opens).unwrap()).collect();
    let pids: AHashSet<u32> = children.iter().map(Child::id).collect();
    let path = noop.clone();
    let execs = thread::spawn(move || run_all(&path));
    let (mut accounts, mut arguments) = (Accounts::default(), AHashSet::new());
    let mut see = |event: &Event| {
        accounts.add(event, &ground, &pids);
        if let (Activity::Exec(_), Some(process)) = (&event.activity, &event.process)
            && process.executable == noop.as_os_str().as_bytes()
        {
            assert!(arguments.insert(process.args[1].clone()), "{event:?} twice");
        }
    };
    let mut ended = 0;
    while ended < PROCESSES {
        let batch = lab.batch();
        for event in &batch {
            see(event);
            let is_theirs = event.process.as_ref().is_some_and(|process| pids.contains(&process.pid));
            ended += u32::from(is_theirs && matches!(event.activity, Activity::Exit { .. }));
        }
        keep(batch);
    }
    let (took, reader) = (start.elapsed(), reader_time());
    execs.join().unwrap();
    children.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
    let (rest, counters) = lab.close();
    rest.iter().for_each(see);
    keep(rest);

    assert_eq!(arguments.len(), EXECS, "execs during the flood");
    assert_eq!(counters.process.lost, 0);
    assert_eq!(counters.emitted(), counters.read() + counters.ring_lost());
    let (writes, reads) = truth(opens);
    let (mut told, mut left_out) = (0, 0);
    for account in accounts.by_pid.values() {
        assert!(account.written + account.writes_left_out <= writes && account.read + account.reads_left_out <= reads);
        told += account.written + account.read;
        left_out += account.writes_left_out + account.reads_left_out;
    }
    let missing = u64::from(PROCESSES) * (writes + reads) - told - left_out;
    let (lost, nobodys) = (counters.ring_lost(), accounts.nobodys);
    let outcome = Outcome { opens: told + left_out + missing, told, left_out, lost, took, reader };
    // What others of this host lost is among the lost, and what they left out among nobody's.
    assert!(missing <= lost + nobodys, "{missing} are told of nowhere, {nobodys} are nobody's: {outcome:?}");
    println!("{missing} missing, {nobodys} nobody's: {outcome:?}");
    Some(outcome)
}

fn run_all(noop: &Path) {
    for number in 0..EXECS {
        assert!(Command::new(noop).arg(number.to_string()).status().unwrap().success());
    }
}

#[test]
fn every_open_of_a_flood_within_no_limits_is_told_or_counted_as_lost() {
    let Some(outcome) = flood(limited(0, 1), 5000, drop) else { return };
    assert_eq!(outcome.left_out, 0);
}

#[test]
fn every_open_of_a_flood_is_told_or_counted_as_left_out() {
    let Some(outcome) = flood(Budgets::default(), 10_000, drop) else { return };
    assert!(outcome.left_out > 0);
}
