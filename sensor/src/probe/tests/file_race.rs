//! Programs that write something else into the path while the kernel takes it, and the rungs that cannot be fooled by that.
//!
//! The script's two processes share the memory of the path: one asks the kernel, again and again, the other changes one letter of what is
//! asked for, back and forth. Which file the kernel took is seen in the folder, and said on the standard output. Where there is one processor, the
//! other comes in between by its priority, at moments that have nothing to do with what the first is at.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use bongsu_event::{Activity, Event, FileActivity, FileOperation};
use bstr::{BString, ByteSlice};

use super::lab::Lab;
use crate::probe::ProbeConfig;

const ROUNDS: usize = 1000;

const PREPARE: &str = "import ctypes, mmap, os, signal, time
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.mmap(-1, 4096)
page[:2] = b'a\\0'
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
alone = os.cpu_count() == 1
racer = os.fork()
if racer == 0 and alone:
 os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
while racer == 0:
 page[0] ^= 3
 if alone:
  time.sleep(0.00003)
while page[0] == 97: pass
truth = []
";

/// Runs `round` [`ROUNDS`] times; it appends the letter that the kernel took to `truth`. Gives the truth, and what was seen of the process.
fn race(lab: &mut Lab, folder: &Path, round: &str) -> (BString, Vec<Event>) {
    let script = format!(
        "{PREPARE}for i in range({ROUNDS}):\n{round}\nos.kill(racer, signal.SIGKILL)\nos.waitpid(racer, 0)\nprint(''.join(truth), end='')"
    );
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &script]).current_dir(folder).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}");
    assert_eq!(output.stdout.len(), ROUNDS, "every round had a truth");
    (output.stdout.into(), lab.life_of(pid))
}

/// The letters that the events of `operation` name, by `name_of`, in their order.
fn told(events: &[Event], operation: FileOperation, name_of: impl Fn(&FileActivity) -> BString) -> BString {
    let of = |event: &Event| match &event.activity {
        Activity::File(file) if file.operation == operation => name_of(file).last().copied(),
        _ => None,
    };
    events.iter().filter_map(of).collect::<Vec<u8>>().into()
}

/// Races on the best rung, where nothing may differ if it is one that sees the kernel's own objects, and then on the last, whose figure is only
/// said.
fn judge(
    hook: &str,
    prepare: impl Fn(&Path),
    round: &str,
    operation: FileOperation,
    name_of: fn(&FileActivity) -> BString,
) {
    for tracepoints_only in [false, true] {
        let Some(mut lab) = Lab::open_with(&ProbeConfig { tracepoints_only, ..ProbeConfig::default() }) else { return };
        let rung = lab.rung(hook);
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let (truth, events) = race(&mut lab, folder.path(), round);
        let told = told(&events, operation, name_of);
        assert_eq!(told.len(), truth.len(), "{hook} on {rung}: each is told, true or not");
        let wrong = truth.bytes().zip(told.bytes()).filter(|(truth, told)| truth != told).count();
        println!("{hook} on {rung}: {wrong} of {ROUNDS} name another file than the kernel took");
        assert!(truth.contains(&b'a') && truth.contains(&b'b'), "there was a race");
        if !rung.contains("fexit:") {
            return;
        }
        assert_eq!(wrong, 0);
    }
}

fn make_both(folder: &Path) {
    for name in ["a", "b"] {
        fs::write(folder.join(name), "").unwrap();
    }
}

#[test]
fn a_path_that_changes_during_an_unlink_fools_no_rung_inside_the_kernel() {
    let round = " open('a', 'w').close(); open('b', 'w').close()
 assert libc.unlink(ctypes.c_void_p(address)) == 0
 truth.append('b' if os.path.exists('a') else 'a')";
    judge("file-delete", |_| (), round, FileOperation::Delete, |file| file.path.clone());
}

#[test]
fn a_path_that_changes_during_a_rename_fools_no_rung_inside_the_kernel() {
    let round = " open('a', 'w').close(); open('b', 'w').close()
 assert libc.rename(ctypes.c_void_p(address), b'c') == 0
 truth.append('b' if os.path.exists('a') else 'a')";
    judge("file-rename", |_| (), round, FileOperation::Rename, |file| file.previous_path.clone().unwrap());
}

#[test]
fn a_path_that_changes_during_a_chmod_fools_no_rung_inside_the_kernel() {
    let round = " mode = i + 1
 assert libc.chmod(ctypes.c_void_p(address), mode) == 0
 truth.append('a' if os.stat('a').st_mode & 0o7777 == mode else 'b')";
    judge("file-chmod", make_both, round, FileOperation::Chmod, |file| file.path.clone());
}

#[test]
fn a_path_that_changes_during_an_open_fools_nobody() {
    let Some(mut lab) = Lab::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    make_both(folder.path());
    let round = " f = libc.open(ctypes.c_void_p(address), os.O_WRONLY)
 truth.append('a' if os.fstat(f).st_ino == os.stat('a').st_ino else 'b')
 os.close(f)";
    let (truth, events) = race(&mut lab, folder.path(), round);
    assert_eq!(told(&events, FileOperation::Write, |file| file.path.clone()), truth);
}

#[test]
fn a_path_whose_memory_is_gone_when_the_call_returns_is_told_or_counted_as_lost() {
    let Some(mut lab) = Lab::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    // The page is taken away by a thread (ctypes lets go of the interpreter's lock) while the kernel is at work.
    let script = format!(
        "import ctypes, mmap, os, threading
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p] + [ctypes.c_long] * 5
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_long]
gone = 0
for i in range({ROUNDS}):
 open('a', 'w').close()
 page = libc.mmap(None, 4096, 3, 0x22, -1, 0)
 ctypes.memmove(page, b'a', 2)
 thread = threading.Thread(target=libc.munmap, args=(page, 4096))
 thread.start()
 gone += libc.unlink(ctypes.c_void_p(page)) == 0
 thread.join()
print(gone, end='')"
    );
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &script]).current_dir(folder.path()).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}");
    let gone: usize = output.stdout.to_str().unwrap().parse().unwrap();
    let events = lab.life_of(pid);
    let told = told(&events, FileOperation::Delete, |file| file.path.clone());
    let rung = lab.rung("file-delete");
    let (_, counters) = lab.close();
    let lost = counters.other.lost;
    println!("file-delete on {rung}: of {gone} removed {} are told, {lost} counted as lost", told.len());
    assert!(gone > 0, "some were removed before their path was gone");
    if rung.contains("fexit:") {
        assert_eq!(told.len(), gone);
    }
    // The rest of the host may have lost some, too.
    assert!(u64::try_from(gone - told.len()).unwrap() <= lost);
}
