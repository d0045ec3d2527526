//! Paths that change while the kernel takes them, and the rungs that cannot be fooled by that.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use bongsu_event::{Activity, Event, FileActivity, FileOperation};
use bstr::{BString, ByteSlice};

use super::{
    lab::Lab,
    race::{Race, assert_raced, judge, unlimited},
};

const ROUNDS: usize = 1000;

/// The file `a`, or `b`, by the one letter that changes.
fn race(round: &str) -> Race<'_> {
    Race { prepare: "", page: "b'a\\0'", flips: &[(0, 3)], round, rounds: ROUNDS, rounds_max: 20 * ROUNDS }
}

/// The letter that an event of `operation` names, by `name_of`.
fn letter(event: &Event, operation: FileOperation, name_of: fn(&FileActivity) -> BString) -> Option<String> {
    match &event.activity {
        Activity::File(file) if file.operation == operation => Some(char::from(*name_of(file).last()?).to_string()),
        _ => None,
    }
}

fn make_nothing(_: &Path) {}

fn make_both(folder: &Path) {
    for name in ["a", "b"] {
        fs::write(folder.join(name), "").unwrap();
    }
}

#[test]
fn a_path_that_changes_during_an_unlink_fools_no_rung_inside_the_kernel() {
    let round = " open('a', 'w').close(); open('b', 'w').close()
 assert libc.unlink(ctypes.c_void_p(address)) == 0
 left = chr(page[0])
 took = 'b' if os.path.exists('a') else 'a'";
    let told = |event: &Event| letter(event, FileOperation::Delete, |file| file.path.clone());
    judge("file-delete", make_nothing, &race(round), told);
}

#[test]
fn a_path_that_changes_during_a_rename_fools_no_rung_inside_the_kernel() {
    let round = " open('a', 'w').close(); open('b', 'w').close()
 assert libc.rename(ctypes.c_void_p(address), b'c') == 0
 left = chr(page[0])
 took = 'b' if os.path.exists('a') else 'a'";
    let told = |event: &Event| letter(event, FileOperation::Rename, |file| file.previous_path.clone().unwrap());
    judge("file-rename", make_nothing, &race(round), told);
}

#[test]
fn a_path_that_changes_during_a_chmod_fools_no_rung_inside_the_kernel() {
    let round = " mode = i % 0o7777 + 1
 assert libc.chmod(ctypes.c_void_p(address), mode) == 0
 left = chr(page[0])
 took = 'a' if os.stat('a').st_mode & 0o7777 == mode else 'b'";
    let told = |event: &Event| letter(event, FileOperation::Chmod, |file| file.path.clone());
    judge("file-chmod", make_both, &race(round), told);
}

#[test]
fn a_path_and_a_name_that_change_as_an_attribute_is_set_fool_no_rung_inside_the_kernel() {
    // The value tells which round it was.
    let race = Race {
        prepare: "def value(name, attribute):
 try: return os.getxattr(name, attribute)
 except OSError: return b''",
        page: "b'a\\0' + bytes(14) + b'trusted.x\\0'",
        flips: &[(0, 3), (24, 3)],
        round: " mark = b'%d' % i
 assert libc.setxattr(ctypes.c_void_p(address), ctypes.c_void_p(address + 16), mark, len(mark), 0) == 0
 left = chr(page[0]) + chr(page[24])
 took = next(name + letter for name in 'ab' for letter in 'x{' if value(name, 'trusted.' + letter) == mark)",
        rounds: ROUNDS,
        rounds_max: 20 * ROUNDS,
    };
    let told = |event: &Event| match &event.activity {
        Activity::File(file) if file.operation == FileOperation::SetAttribute => {
            let letters = [*file.path.last()?, *file.attribute.as_ref()?.last()?];
            Some(letters.map(char::from).iter().collect())
        }
        _ => None,
    };
    judge("file-attribute", make_both, &race, told);
}

#[test]
fn a_path_that_changes_during_an_open_fools_nobody() {
    let Some(mut lab) = unlimited(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    make_both(folder.path());
    let round = " f = libc.open(ctypes.c_void_p(address), os.O_WRONLY)
 left = chr(page[0])
 took = 'a' if os.fstat(f).st_ino == os.stat('a').st_ino else 'b'
 os.close(f)";
    let (rounds, events) = race(round).run(&mut lab, folder.path());
    assert_raced("open", &rounds);
    let told = events.iter().filter_map(|event| letter(event, FileOperation::Write, |file| file.path.clone()));
    assert_eq!(told.collect::<String>(), rounds.iter().map(|round| &*round.took).collect::<String>());
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
    let told: Vec<String> =
        events.iter().filter_map(|event| letter(event, FileOperation::Delete, |file| file.path.clone())).collect();
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
