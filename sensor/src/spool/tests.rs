use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};

use super::{Account, Class, Config, Entry, PageMax, Reason, Spool, SpoolError};

const MAX: PageMax = PageMax { events: 100, bytes: 1 << 20 };

fn config(dir: &Path) -> Config {
    Config { dir: dir.to_owned(), bytes_max: 1 << 20, segment_bytes: 4096 }
}

fn open(dir: &Path) -> Spool {
    Spool::open(config(dir)).unwrap()
}

fn event(number: u64) -> Entry {
    Entry::Event(Class::Process, format!("event {number}").into_bytes())
}

fn fill(spool: &mut Spool, from: u64, to: u64) {
    (from..=to).for_each(|number| spool.append(event(number)));
    spool.commit().unwrap();
}

/// Every durable event after `from`, by number; checks that pages cover the numbers without gaps.
fn drain(spool: &mut Spool, from: u64) -> BTreeMap<u64, Bytes> {
    let mut events = BTreeMap::new();
    let mut next = from;
    loop {
        let page = spool.page(next, MAX).unwrap();
        if page.next_seq == next {
            assert_eq!(next, spool.durable_seq() + 1, "the pages reach the end");
            return events;
        }
        let shed: u64 = page.shed.iter().map(|range| range.last - range.first + 1).sum();
        assert_eq!(page.next_seq - next, page.events.len() as u64 + shed, "no number is left out");
        events.extend(page.numbers.into_iter().zip(page.events));
        next = page.next_seq;
    }
}

/// The account balances, and what it says waits is what there is to read.
fn checked(spool: &mut Spool) -> Account {
    let account = spool.account().unwrap();
    assert_eq!(account.last_seq, account.stored + account.spooled + account.shed.total(), "{account:?}");
    let waiting = drain(spool, account.acked + 1).len() as u64;
    assert_eq!(account.spooled, waiting);
    account
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn events_are_numbered_from_one_and_survive_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let epoch = spool.epoch();
    fill(&mut spool, 1, 1000);
    drop(spool);
    let mut spool = open(dir.path());
    assert_eq!(spool.epoch(), epoch);
    fill(&mut spool, 1001, 1100);
    let events = drain(&mut spool, 1);
    assert!(events.into_iter().all(|(seq, bytes)| bytes == format!("event {seq}").into_bytes()));
    assert_eq!(checked(&mut spool).last_seq, 1100);
}

#[test]
fn only_what_was_acknowledged_is_freed_and_only_by_whole_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    fill(&mut spool, 1, 100);
    fill(&mut spool, 101, 300);
    fill(&mut spool, 301, 500);
    let before = segments(dir.path()).len();
    spool.acked(99).unwrap();
    assert_eq!(segments(dir.path()).len(), before);
    assert_eq!(checked(&mut spool).spooled, 401);
    spool.acked(500).unwrap();
    assert_eq!(segments(dir.path()).len(), 1);
    let account = checked(&mut spool);
    assert_eq!((account.stored, account.spooled), (500, 0));
    drop(spool);
    let mut spool = open(dir.path());
    assert_eq!((spool.durable_seq(), checked(&mut spool).acked), (500, 500));
    assert!(matches!(spool.acked(501), Err(SpoolError::Behind { stored: 501, last: 500, .. })));
}

#[test]
fn a_log_cut_off_at_any_byte_keeps_whole_commits_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    fill(&mut spool, 1, 5);
    let path = segments(dir.path()).remove(0);
    let committed = fs::metadata(&path).unwrap().len();
    spool.append(event(6));
    spool.append(Entry::Mark(b"position".to_vec(), b"6".to_vec()));
    spool.append(event(7));
    spool.commit().unwrap();
    drop(spool);
    let whole = fs::read(&path).unwrap();
    for length in committed..whole.len() as u64 {
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join(path.file_name().unwrap()), &whole[..usize::try_from(length).unwrap()]).unwrap();
        let mut spool = open(copy.path());
        assert_eq!(spool.durable_seq(), 5, "cut at {length}");
        assert_eq!(spool.marks().get(&b"position"[..]), None, "the mark goes with the events before it");
        assert_eq!(checked(&mut spool).torn_bytes, length - committed);
        fill(&mut spool, 6, 8);
        assert_eq!(drain(&mut spool, 1).len(), 8);
    }
}

#[test]
fn any_damaged_byte_is_noticed_and_the_account_still_balances() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    for batch in 0..6 {
        fill(&mut spool, batch * 60 + 1, batch * 60 + 60);
    }
    drop(spool);
    let paths = segments(dir.path());
    assert!(paths.len() > 2);
    let whole = fs::read(&paths[0]).unwrap();
    for at in (28..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        let copy = tempfile::tempdir().unwrap();
        for path in &paths {
            fs::copy(path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
        fs::write(copy.path().join(paths[0].file_name().unwrap()), &damaged).unwrap();
        let mut spool = open(copy.path());
        assert_eq!(spool.durable_seq(), 360, "byte {at}");
        let account = checked(&mut spool);
        assert_eq!(account.shed.get(Class::Unknown, Reason::Damaged), account.shed.total());
        assert!(account.spooled < 360 || account.shed.total() == 0);
        drop(spool);
        assert_eq!(
            checked(&mut open(copy.path())),
            Account { torn_bytes: 0, ..account },
            "opening again changes nothing"
        );
    }
}

#[test]
fn a_missing_first_segment_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    for batch in 0..6 {
        fill(&mut spool, batch * 60 + 1, batch * 60 + 60);
    }
    drop(spool);
    fs::remove_file(&segments(dir.path())[0]).unwrap();
    let mut spool = open(dir.path());
    let account = checked(&mut spool);
    assert!(account.shed.get(Class::Unknown, Reason::Damaged) > 0);
    assert_eq!(account.last_seq, 360);
}

#[test]
fn a_file_of_another_spool_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    fs::write(dir.path().join("99999999999999999999.seg"), b"something else").unwrap();
    assert!(matches!(Spool::open(config(dir.path())), Err(SpoolError::Foreign { .. })));
}

#[test]
fn over_the_cap_the_least_worth_goes_first_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(Config { bytes_max: 64 * 1024, ..config(dir.path()) }).unwrap();
    let classes = [Class::Process, Class::File, Class::Log, Class::Network];
    let mut expected = BTreeMap::new();
    for round in 0_u64..3_000 {
        let class = classes[usize::try_from(round % 4).unwrap()];
        spool.append(Entry::Event(class, vec![b'x'; 20]));
        expected.insert(round + 1, class);
        if round % 50 == 49 {
            spool.commit().unwrap();
            let account = checked(&mut spool);
            assert!(account.bytes <= 64 * 1024 + 8192, "{}", account.bytes);
        }
    }
    let account = checked(&mut spool);
    let shed = |class| account.shed.get(class, Reason::Cap);
    assert_eq!(account.shed.total(), Class::ALL.iter().map(|class| shed(*class)).sum::<u64>());
    assert!(shed(Class::File) >= shed(Class::Network), "{account:?}");
    assert!(shed(Class::Network) >= shed(Class::Log) && shed(Class::Log) > shed(Class::Process), "{account:?}");
    assert!(!account.runs.is_empty());
    drop(spool);
    let mut spool = Spool::open(Config { bytes_max: 64 * 1024, ..config(dir.path()) }).unwrap();
    assert_eq!(checked(&mut spool).shed, account.shed, "what was shed is remembered");
    spool.acked(spool.durable_seq()).unwrap();
    assert_eq!(checked(&mut spool).shed, account.shed, "also when it is freed");
}

#[test]
fn a_long_outage_does_not_fill_the_directory_with_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(Config { bytes_max: 32 * 1024, ..config(dir.path()) }).unwrap();
    for _ in 0..400 {
        (0..20).for_each(|_| spool.append(Entry::Event(Class::Process, vec![b'x'; 60])));
        spool.commit().unwrap();
    }
    assert!(segments(dir.path()).len() < 20, "{}", segments(dir.path()).len());
    let account = checked(&mut spool);
    assert_eq!(account.last_seq, 8_000);
    assert!(account.spooled > 100, "the newest are kept: {account:?}");
}

#[test]
fn what_may_have_been_sent_is_not_shed() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(Config { bytes_max: 32 * 1024, ..config(dir.path()) }).unwrap();
    fill(&mut spool, 1, 200);
    spool.sending(200).unwrap();
    drop(spool);
    let mut spool = Spool::open(Config { bytes_max: 32 * 1024, ..config(dir.path()) }).unwrap();
    for batch in 0..100 {
        fill(&mut spool, 201 + batch * 20, 220 + batch * 20);
    }
    let events = drain(&mut spool, 1);
    assert!((1..=200).all(|seq| events.contains_key(&seq)));
    let account = checked(&mut spool);
    assert!(account.shed.get(Class::Process, Reason::Cap) > 0, "what came later was shed at the door: {account:?}");
}

#[test]
fn a_disk_that_takes_no_more_costs_events_and_not_the_account() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    fill(&mut spool, 1, 10);
    // A limit on the size of files stands in for a full disk; it holds for this thread's process, so a child does it.
    drop(spool);
    let output = child("child_fills_a_full_disk", dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut spool = open(dir.path());
    let account = checked(&mut spool);
    assert_eq!(account.shed.get(Class::Process, Reason::DiskFull), 100);
    assert_eq!(account.last_seq, 111);
}

#[test]
#[ignore = "run by a_disk_that_takes_no_more_costs_events_and_not_the_account"]
fn child_fills_a_full_disk() {
    let dir = PathBuf::from(std::env::var_os("SPOOL_TEST_DIR").unwrap());
    let mut spool = open(&dir);
    let limit =
        |bytes| nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_FSIZE, bytes, u64::MAX).unwrap();
    // SAFETY: SIG_IGN is a valid disposition and no other code of this process depends on SIGXFSZ.
    unsafe { nix::sys::signal::signal(nix::sys::signal::Signal::SIGXFSZ, nix::sys::signal::SigHandler::SigIgn) }
        .unwrap();
    limit(600);
    (11..=110).for_each(|number| spool.append(event(number)));
    assert!(matches!(spool.commit(), Err(SpoolError::Io { .. })));
    assert_eq!(spool.durable_seq(), 10);
    let account = spool.account().unwrap();
    assert_eq!(account.last_seq, account.stored + account.spooled + account.shed.total());
    limit(u64::MAX);
    fill(&mut spool, 111, 111);
}

fn child(test: &str, dir: &Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "--nocapture", &format!("spool::tests::{test}")]);
    child.env("SPOOL_TEST_DIR", dir).stdout(Stdio::piped());
    child
}

/// A child writes and says what became durable; it is killed at some moment; all that it said must be there.
#[test]
fn kill_9_loses_nothing_that_was_durable() {
    for round in 0_usize..20 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = child("child_writes_until_killed", dir.path()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut durable = 0_u64;
        for line in said.by_ref() {
            if let Some(number) = line.unwrap().strip_prefix("durable ") {
                durable = number.parse().unwrap();
                if durable >= 37 * (round as u64 + 1) {
                    break;
                }
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let last = said.map_while(Result::ok).filter_map(|line| line.strip_prefix("durable ")?.parse().ok()).last();
        let durable = last.unwrap_or(durable);
        let mut spool = open(dir.path());
        assert!(spool.durable_seq() >= durable, "{} < {durable}", spool.durable_seq());
        let last = spool.durable_seq();
        assert_eq!(
            spool.marks().get(&b"position"[..]),
            Some(&last.to_string().into_bytes()),
            "the mark fits the events"
        );
        let events = drain(&mut spool, 1);
        assert!((1..=last).all(|seq| events[&seq] == format!("event {seq}").into_bytes()));
        checked(&mut spool);
    }
}

#[test]
#[ignore = "run by kill_9_loses_nothing_that_was_durable"]
fn child_writes_until_killed() {
    let dir = PathBuf::from(std::env::var_os("SPOOL_TEST_DIR").unwrap());
    let mut spool = open(&dir);
    let mut next = 1;
    loop {
        let batch = next % 7 + 1;
        (next..next + batch).for_each(|number| spool.append(event(number)));
        next += batch;
        spool.append(Entry::Mark(b"position".to_vec(), (next - 1).to_string().into_bytes()));
        spool.commit().unwrap();
        println!("durable {}", spool.durable_seq());
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Class, usize),
    Lose(Class),
    Commit,
    Send(u64),
    Ack(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let class = || select(vec![Class::File, Class::Network, Class::Log, Class::Process]);
    prop_oneof![
        8 => (class(), 0_usize..600).prop_map(|(class, size)| Step::Append(class, size)),
        1 => class().prop_map(Step::Lose),
        4 => Just(Step::Commit),
        1 => (1_u64..200).prop_map(Step::Send),
        1 => (1_u64..200).prop_map(Step::Ack),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_the_account_balances_and_no_event_changes(steps in vec(step(), 1..200)) {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { dir: dir.path().to_owned(), bytes_max: 16 * 1024, segment_bytes: 2048 };
        let mut spool = Spool::open(config.clone()).unwrap();
        // What was committed, by number.
        let mut appended: Vec<Option<Vec<u8>>> = Vec::new();
        let mut committed = 0;
        for step in steps {
            match step {
                Step::Append(class, size) => {
                    let bytes = vec![u8::try_from(appended.len() % 251).unwrap(); size];
                    spool.append(Entry::Event(class, bytes.clone()));
                    appended.push(Some(bytes));
                }
                Step::Lose(class) => {
                    spool.append(Entry::Lost(class, Reason::TooLarge));
                    appended.push(None);
                }
                Step::Commit => {
                    spool.commit().unwrap();
                    committed = appended.len();
                }
                Step::Send(_) | Step::Ack(_) if spool.durable_seq() < appended.len() as u64 => {}
                Step::Send(ahead) => spool.sending((spool.account().unwrap().acked + ahead).min(spool.durable_seq())).unwrap(),
                Step::Ack(ahead) => {
                    let up_to = (spool.account().unwrap().acked + ahead).min(spool.durable_seq());
                    spool.sending(up_to).unwrap();
                    spool.acked(up_to).unwrap();
                }
                Step::Reopen => {
                    drop(spool);
                    spool = Spool::open(config.clone()).unwrap();
                    appended.truncate(committed);
                    prop_assert_eq!(spool.durable_seq(), committed as u64);
                }
            }
            let account = checked(&mut spool);
            for (seq, bytes) in drain(&mut spool, account.acked + 1) {
                prop_assert_eq!(Some(&bytes[..]), appended[usize::try_from(seq).unwrap() - 1].as_deref());
            }
        }
    }
}
