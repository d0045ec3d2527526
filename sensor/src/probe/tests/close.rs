//! Files that are closed after they were written, by python scripts that do it each way there is.

use std::{fs, path::Path, process::Command};

use bongsu_event::{Activity, Event, FileOperation};

use super::lab::Lab;

fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    fs::write(path.join("old"), "12345").unwrap();
    (folder, path)
}

fn python(folder: &Path, script: &str) -> Command {
    let prelude = "import ctypes, os
def make(name): return os.open(name, os.O_CREAT | os.O_WRONLY, 0o600)
def mark(name): os.unlink(name)
";
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &format!("{prelude}{script}")]).current_dir(folder);
    command
}

/// Which files under `folder` were made, closed after writing, or removed, in order: `+new`, `.new`, `-new`.
fn told(events: &[Event], folder: &Path) -> Vec<String> {
    let of = |event: &Event| {
        let Activity::File(file) = &event.activity else { return None };
        let name = file.path.strip_prefix(folder.as_os_str().as_encoded_bytes())?.strip_prefix(b"/")?;
        let sign = match file.operation {
            FileOperation::Create => '+',
            FileOperation::CloseWrite => '.',
            FileOperation::Delete => '-',
            _ => return None,
        };
        Some(format!("{sign}{}", String::from_utf8_lossy(name)))
    };
    events.iter().filter_map(of).collect()
}

fn told_of(lab: &mut Lab, script: &str) -> Vec<String> {
    let (_guard, folder) = folder();
    let (status, events) = lab.run(&mut python(&folder, script));
    assert!(status.success(), "{script}");
    told(&events, &folder)
}

#[test]
fn a_file_that_was_written_is_told_when_it_is_closed_and_others_are_not() {
    let Some(mut lab) = Lab::open() else { return };
    // One byte written over another shows in nothing but the time, which moves on in ticks: so the file is made old before.
    let script = "f = make('a'); os.write(f, b'x'); os.close(f)
f = make('untouched'); os.close(f)
f = os.open('old', os.O_RDONLY); os.read(f, 9); os.close(f)
f = os.open('old', os.O_RDWR); os.read(f, 9); os.close(f)
f = os.open('old', os.O_WRONLY | os.O_APPEND); os.write(f, b'6'); os.close(f)
os.utime('old', (1, 1)); f = os.open('old', os.O_RDWR); os.pwrite(f, b'0', 0); os.close(f)
f = os.open('old', os.O_RDWR | os.O_TRUNC); os.write(f, b'all'); os.close(f)";
    assert_eq!(told_of(&mut lab, script), ["+a", ".a", "+untouched", ".old", ".old", ".old"]);
}

#[test]
fn the_last_of_several_descriptors_counts_however_it_is_closed() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "f = make('a'); g = os.dup(f); os.close(f); make('1'); os.write(g, b'x'); os.close(g)
f = make('b'); os.write(f, b'x'); g = os.open('/dev/null', os.O_RDONLY); os.dup2(g, f); make('2')
f = make('c'); os.write(f, b'x'); os.dup2(f, 99); os.dup2(f, 100)
ctypes.CDLL(None).syscall(436, f, f, 0); make('3'); ctypes.CDLL(None).syscall(436, 90, 0xffffffff, 0); make('4')";
    let expected = ["+a", "+1", ".a", "+b", ".b", "+2", "+c", "+3", ".c", "+4"];
    assert_eq!(told_of(&mut lab, script), expected);
}

#[test]
fn what_a_process_leaves_open_is_told_when_it_ends_even_killed() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    // Two descriptors of one file, and one far up in the table.
    let script = "f = make('a'); os.write(f, b'x'); os.dup(f)
g = make('b'); os.write(g, b'x'); os.dup2(g, 200); os.close(g)
make('untouched'); os.kill(os.getpid(), 9)";
    let (status, events) = lab.run(&mut python(&folder, script));
    assert!(!status.success());
    assert_eq!(told(&events, &folder), ["+a", "+b", "+untouched", ".a", ".b"]);
}

#[test]
fn a_file_that_a_child_shares_is_told_once_when_the_last_of_the_two_closes_it() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    let script = "f = make('a'); r, w = os.pipe()
if os.fork() == 0:
    os.read(r, 1); os.write(f, b'x'); os._exit(0)
os.close(f); os.write(w, b'.'); os.wait()";
    let mut child = python(&folder, script).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let pid = child.id();
    let is_parent = |event: &Event| event.process.as_ref().is_some_and(|process| process.pid == pid);
    let events = lab.until(|event| is_parent(event) && matches!(event.activity, Activity::Exit { .. }));
    assert_eq!(told(&events, &folder), ["+a", ".a"]);
    let closed = events
        .iter()
        .find(|event| matches!(&event.activity, Activity::File(file) if file.operation == FileOperation::CloseWrite));
    assert!(!is_parent(closed.unwrap()), "it was the child");
}
