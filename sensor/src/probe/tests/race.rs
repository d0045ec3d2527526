//! Programs that write something else into the arguments of a call while the kernel takes them.
//!
//! Two processes share the memory of the arguments: one asks the kernel, again and again, the other changes some bits of what is asked for, back
//! and forth. What the kernel took is seen by what came of it, and what one would have said who reads that memory as the call returns is noted
//! beside it. Where there is one processor, the other comes in between by its priority, at moments that have nothing to do with what the first is at.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
};

use bongsu_event::{Activity, Event};

use super::{budget::limited, lab::Lab};
use crate::probe::ProbeConfig;

/// What both processes do. A script without a room of its own gets the names `page` (the shared memory), `address` (where it is) and `i` (the
/// number of the round).
pub(super) struct Race<'a> {
    /// What is done first, in Python, as one process.
    pub(super) prepare: &'a str,
    /// What the memory holds at first, as Python says it.
    pub(super) page: &'a str,
    /// Which bits of which bytes change.
    pub(super) flips: &'a [(usize, u8)],
    /// A round, indented by one space: makes the call, and sets `left` to what the memory holds right behind it, `took` to what the kernel took,
    /// both in the same words, and `key` to what tells the round from others. None of them with a space or a line's end.
    pub(super) round: &'a str,
    /// So many rounds, at least.
    pub(super) rounds: usize,
    /// So many at most, until the kernel took different things and the memory was once not what the kernel had taken.
    pub(super) rounds_max: usize,
}

/// What came of a round.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) key: String,
    pub(super) took: String,
    left: String,
}

impl Race<'_> {
    fn script(&self) -> String {
        let Self { prepare, page, flips, round, rounds, rounds_max } = self;
        let flips: Vec<String> = flips.iter().map(|(at, bits)| format!("({at}, {bits})")).collect();
        let flips = flips.join(", ");
        format!(
            "import ctypes, mmap, os, signal, time
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.mmap(-1, 4096)
{prepare}
begin = {page}
page[:len(begin)] = begin
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
flips = [{flips}]
alone = os.cpu_count() == 1
racer = os.fork()
if racer == 0 and alone:
 os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
while racer == 0:
 for at, bits in flips:
  page[at] ^= bits
 if alone:
  time.sleep(0.00003)
while page[:len(begin)] == begin: pass
lines, seen, fooled, i, key = [], set(), 0, 0, '-'
while i < {rounds} or (i < {rounds_max} and (len(seen) < 2 or not fooled)):
{round}
 lines.append(f'{{key}} {{took}} {{left}}')
 seen.add(took)
 fooled += took != left
 i += 1
os.kill(racer, signal.SIGKILL)
os.waitpid(racer, 0)
print('\\n'.join(lines))"
        )
    }

    /// Lets it happen; gives what came of each round, and the events of the first process and its children, in their order.
    pub(super) fn run(&self, lab: &mut Lab, folder: &Path) -> (Vec<Round>, Vec<Event>) {
        let script = self.script();
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-I", "-S", "-B", "-c", &script]).current_dir(folder).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = child.id();
        let waiting = thread::spawn(move || child.wait_with_output().unwrap());
        let mut events = Vec::new();
        lab.each(|event| {
            let Some(process) = &event.process else { return false };
            let is_its = process.pid == pid;
            if is_its || process.parent().is_some_and(|parent| parent.pid == pid) {
                events.push(event.clone());
            }
            is_its && matches!(event.activity, Activity::Exit { .. })
        });
        let output = waiting.join().unwrap();
        assert!(output.status.success(), "{script}");
        let rounds: Vec<Round> = String::from_utf8(output.stdout).unwrap().lines().map(Round::read).collect();
        assert!(rounds.len() >= self.rounds, "every round had a truth");
        (rounds, events)
    }
}

impl Round {
    fn read(line: &str) -> Self {
        let [key, took, left] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("not three words: {line}") };
        Self { key: key.to_owned(), took: took.to_owned(), left: left.to_owned() }
    }
}

/// That there was a race: the kernel took different things, and who reads the memory afterwards is wrong at least once.
pub(super) fn assert_raced(what: &str, rounds: &[Round]) {
    let fooled = rounds.iter().filter(|round| round.took != round.left).count();
    println!("{what}: in {fooled} of {} rounds the memory held something else right behind the call", rounds.len());
    assert!(rounds.iter().any(|round| round.took != rounds[0].took), "{what}: the kernel took one and the same thing");
    assert!(fooled > 0, "{what}: nobody could have been fooled");
}

/// Probes whose tests make more of a kind than one process is allowed.
pub(super) fn unlimited(tracepoints_only: bool) -> Option<Lab> {
    Lab::open_with(&ProbeConfig { tracepoints_only, budgets: limited(0, 1), ..ProbeConfig::default() })
}

/// Races on the best rung, where nothing may differ if it is one that sees the kernel's own objects, and then on the last, whose figure is only
/// said. Events say in `told` what rounds say in `took`, in the same order.
pub(super) fn judge(hook: &str, prepare: impl Fn(&Path), race: &Race<'_>, told: impl Fn(&Event) -> Option<String>) {
    for tracepoints_only in [false, true] {
        let Some(mut lab) = unlimited(tracepoints_only) else { return };
        let rung = lab.rung(hook);
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let (rounds, events) = race.run(&mut lab, folder.path());
        let told: Vec<String> = events.iter().filter_map(&told).collect();
        assert_eq!(told.len(), rounds.len(), "{hook} on {rung}: each is told, true or not");
        let wrong = rounds.iter().zip(&told).filter(|(round, told)| round.took != **told).count();
        println!("{hook} on {rung}: {wrong} of {} say something else than the kernel took", rounds.len());
        assert_raced(hook, &rounds);
        if !rung.contains("fexit:") {
            return;
        }
        assert_eq!(wrong, 0);
    }
}
