//! As many programs as the machine can start, with nothing lost.

use std::{
    fs, io,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use ahash::AHashSet;
use bongsu_event::{Activity, Event};
use bstr::BString;

use super::lab::Lab;

const EXECS: usize = 10_000;
const SPAWNERS: usize = 2;

/// A static program that ends at once: an ELF header, one segment, and `exit(0)`.
#[cfg(target_arch = "x86_64")]
pub(super) fn write_noop(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    const HEADERS: u64 = 64 + 56;
    let code = [0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];
    let (base, size) = (0x40_0000_u64, HEADERS + code.len() as u64);
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    elf.extend([base + HEADERS, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
    elf.extend([0_u16, 0, 64, 56, 1, 64, 0, 0].iter().flat_map(|half| half.to_le_bytes()));
    elf.extend([1_u32, 5].iter().flat_map(|word| word.to_le_bytes()));
    elf.extend([0, base, base, size, size, 0x1000].iter().flat_map(|word| word.to_le_bytes()));
    elf.extend(code);
    fs::write(path, elf)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn write_noop(path: &Path) -> io::Result<()> {
    fs::copy("/bin/true", path).map(|_| ())
}

/// The time the reader has spent on a processor since it began.
pub(super) fn reader_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let reader = tasks.into_iter().find(|task| fs::read(task.join("comm")).is_ok_and(|name| name == b"probe-reader\n"));
    let times = fs::read_to_string(reader.unwrap().join("schedstat")).unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

pub(super) fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn run_all(program: &Path) {
    thread::scope(|scope| {
        for spawner in 0..SPAWNERS {
            scope.spawn(move || {
                for number in (spawner..EXECS).step_by(SPAWNERS) {
                    let status = Command::new(program).arg(format!("unique-{number}")).status().unwrap();
                    assert!(status.success());
                }
            });
        }
    });
}

#[test]
fn ten_thousand_programs_as_fast_as_they_start_all_arrive() {
    let Some(mut lab) = Lab::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let noop = folder.path().join("noop");
    write_noop(&noop).unwrap();
    let path = noop.clone();
    let storm = thread::spawn(move || {
        let start = Instant::now();
        run_all(&path);
        start.elapsed()
    });
    let name: BString = fs::canonicalize(&noop).unwrap().into_os_string().into_encoded_bytes().into();
    let mut exits = 0;
    let events = lab.until(|event| {
        let is_noop = event.process.as_ref().is_some_and(|process| process.executable == name);
        exits += usize::from(is_noop && matches!(event.activity, Activity::Exit { .. }));
        exits == EXECS
    });
    let took = storm.join().unwrap();
    let spent = reader_time();

    // By its path, for others may run this test on the same host.
    let argument = |event: &Event| match (&event.activity, &event.process) {
        (Activity::Exec(_), Some(process)) if process.executable == name => process.args.get(1).cloned(),
        _ => None,
    };
    let expected: AHashSet<BString> = (0..EXECS).map(|number| BString::from(format!("unique-{number}"))).collect();
    let own: Vec<BString> = events.iter().filter_map(argument).filter(|argument| expected.contains(argument)).collect();
    assert_eq!(own.len(), EXECS, "each once");
    assert_eq!(own.into_iter().collect::<AHashSet<_>>(), expected, "with its own argument");
    let counters = lab.close().1;
    assert_eq!(counters.ring_lost(), 0, "{counters:?}");
    assert_eq!(counters.emitted(), counters.read());
    let per_exec = spent.as_nanos() / EXECS as u128;
    let rate = EXECS as f64 / took.as_secs_f64();
    println!(
        "{rate:.0} programs/s; reader {per_exec} ns for each (fork, exec and exit); {} KiB resident",
        resident_kib()
    );
}
