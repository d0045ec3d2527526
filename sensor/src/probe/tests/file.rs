//! Files, by python scripts that make the very system calls.

use std::{
    fs,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::Path,
    process::Command,
};

use bongsu_event::{Activity, Event, FileActivity, FileOperation};
use bstr::{BString, ByteSlice as _};
use tempfile::TempDir;

use super::lab::Lab;
use crate::probe::ProbeConfig;

/// A folder under its real name.
fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    (folder, path)
}

fn bytes(path: &Path) -> BString {
    path.to_path_buf().into_os_string().into_vec().into()
}

/// What a python script, run in `folder`, did to files under `folder`.
fn files_of(lab: &mut Lab, folder: &Path, script: &str) -> Vec<FileActivity> {
    let script = format!("import os\n{script}");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &script]).current_dir(folder);
    let (status, events) = lab.run(&mut command);
    assert!(status.success(), "{script}");
    files(events, folder)
}

fn files(events: Vec<Event>, folder: &Path) -> Vec<FileActivity> {
    let folder = bytes(folder);
    let of = |event: Event| match event.activity {
        Activity::File(file) if file.path.starts_with(&folder) => Some(file),
        _ => None,
    };
    events.into_iter().filter_map(of).collect()
}

fn done(operation: FileOperation, path: &Path) -> FileActivity {
    FileActivity::new(operation, bytes(path))
}

#[test]
fn a_file_made_and_one_written_are_told_apart() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    let script = "f = os.open('new', os.O_CREAT | os.O_WRONLY, 0o640); os.close(f)
f = os.open('new', os.O_CREAT | os.O_WRONLY, 0o600); os.close(f)
f = os.open('./../' + os.path.basename(os.getcwd()) + '/new', os.O_RDWR); os.close(f)
f = os.open('new', os.O_RDONLY); os.close(f)";
    let path = folder.join("new");
    let expected = [
        FileActivity { mode: Some(0o640), ..done(FileOperation::Create, &path) },
        done(FileOperation::Write, &path),
        done(FileOperation::Write, &path),
    ];
    assert_eq!(files_of(&mut lab, &folder, script), expected);
}

#[test]
fn the_path_of_an_open_is_the_files_own_and_not_what_the_program_said() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::create_dir(folder.join("real")).unwrap();
    std::os::unix::fs::symlink("real", folder.join("link")).unwrap();
    let script = "f = os.open('link/\\udcff\\n', os.O_CREAT | os.O_WRONLY, 0o600); os.close(f)";
    let [file] = &files_of(&mut lab, &folder, script)[..] else { panic!("not one") };
    let mut expected = bytes(&folder.join("real"));
    expected.extend_from_slice(b"/\xff\n");
    assert_eq!(file.path, expected);
}

#[test]
fn deletions_are_told_however_they_are_asked_for() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    for name in ["a", "b", "c"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let script = "os.mkdir('d')
os.unlink('a')
os.unlink(os.getcwd() + '/d/../b')
os.chdir('d'); f = os.open('..', os.O_RDONLY); os.unlink('c', dir_fd=f)
os.rmdir('../d')
try: os.unlink('/nonexistent/file')
except FileNotFoundError: pass";
    let expected = ["a", "b", "c"].map(|name| done(FileOperation::Delete, &folder.join(name)));
    assert_eq!(files_of(&mut lab, &folder, script), expected);
}

#[test]
fn symbolic_links_are_followed_where_the_rung_sees_what_the_kernel_took() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::create_dir(folder.join("real")).unwrap();
    std::os::unix::fs::symlink("real", folder.join("link")).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(folder.join("real").join(name), "").unwrap();
    }
    let script = "os.unlink('link/a'); os.rename('link/b', 'link/d'); os.chmod('link/c', 0o600)";
    let files = files_of(&mut lab, &folder, script);
    let in_kernel = ["file-delete", "file-rename", "file-chmod"].iter().all(|hook| lab.rung(hook).contains("fexit:"));
    let directory = folder.join(if in_kernel { "real" } else { "link" });
    let expected = [
        done(FileOperation::Delete, &directory.join("a")),
        FileActivity {
            previous_path: Some(bytes(&directory.join("b"))),
            ..done(FileOperation::Rename, &directory.join("d"))
        },
        FileActivity { mode: Some(0o600), ..done(FileOperation::Chmod, &directory.join("c")) },
    ];
    assert_eq!(files, expected);
}

#[test]
fn renames_carry_both_names() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::write(folder.join("a"), "").unwrap();
    let script = "os.mkdir('d'); os.rename('a', 'b')
f = os.open('d', os.O_RDONLY); os.rename('b', 'c', dst_dir_fd=f)";
    let moved = |from: &str, to: &str| FileActivity {
        previous_path: Some(bytes(&folder.join(from))),
        ..done(FileOperation::Rename, &folder.join(to))
    };
    assert_eq!(files_of(&mut lab, &folder, script), [moved("a", "b"), moved("b", "d/c")]);
}

#[test]
fn mode_changes_carry_the_new_mode() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::write(folder.join("a"), "").unwrap();
    let script = "os.chmod('a', 0o4755)
f = os.open('a', os.O_RDONLY); os.fchmod(f, 0o600)
d = os.open('.', os.O_RDONLY); os.chmod('a', 0o711, dir_fd=d)";
    let expected = [0o4755, 0o600, 0o711]
        .map(|mode| FileActivity { mode: Some(mode), ..done(FileOperation::Chmod, &folder.join("a")) });
    assert_eq!(files_of(&mut lab, &folder, script), expected);
}

#[test]
fn links_carry_the_other_name_and_what_they_say() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::write(folder.join("a"), "").unwrap();
    let script = "os.mkdir('d'); os.link('a', 'b')
f = os.open('d', os.O_RDONLY); os.link('b', 'c', dst_dir_fd=f)
os.symlink('../a', 'd/s'); os.symlink('/no where\\udcff', 't', dir_fd=f)
try: os.link('a', 'b')
except FileExistsError: pass";
    let two = |operation, path: &str, other: BString| FileActivity {
        previous_path: Some(other),
        ..done(operation, &folder.join(path))
    };
    let expected = [
        two(FileOperation::Link, "b", bytes(&folder.join("a"))),
        two(FileOperation::Link, "d/c", bytes(&folder.join("b"))),
        two(FileOperation::Symlink, "d/s", "../a".into()),
        two(FileOperation::Symlink, "d/t", b"/no where\xff".into()),
    ];
    assert_eq!(files_of(&mut lab, &folder, script), expected);
}

#[test]
fn owners_are_told_where_they_were_set() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::write(folder.join("a"), "").unwrap();
    std::os::unix::fs::symlink("a", folder.join("s")).unwrap();
    let script = "os.chown('a', 1, 2); os.lchown('s', -1, 3)
f = os.open('a', os.O_RDONLY); os.fchown(f, 4, -1)
d = os.open('.', os.O_RDONLY); os.chown('a', 5, 6, dir_fd=d)";
    let owned = |path: &str, uid, gid| FileActivity {
        owner: Some(bongsu_event::Owner { uid, gid }),
        ..done(FileOperation::Chown, &folder.join(path))
    };
    let expected = [
        owned("a", Some(1), Some(2)),
        owned("s", None, Some(3)),
        owned("a", Some(4), None),
        owned("a", Some(5), Some(6)),
    ];
    assert_eq!(files_of(&mut lab, &folder, script), expected);
}

#[test]
fn lengths_that_are_set_are_told_but_not_of_memory() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::write(folder.join("a"), "abc").unwrap();
    let script = "os.truncate('a', 1); m = os.memfd_create('m'); os.ftruncate(m, 4096)
f = os.open('a', os.O_RDWR); os.ftruncate(f, 0)";
    let expected = [
        done(FileOperation::Truncate, &folder.join("a")),
        done(FileOperation::Write, &folder.join("a")),
        done(FileOperation::Truncate, &folder.join("a")),
        // The end of the program closes it.
        done(FileOperation::CloseWrite, &folder.join("a")),
    ];
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &format!("import os\n{script}")]).current_dir(&folder);
    let (status, events) = lab.run(&mut command);
    assert!(status.success());
    assert_eq!(files(events, Path::new("/")), expected);
}

#[test]
fn attributes_are_told_by_their_names() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::write(folder.join("a"), "").unwrap();
    // cap_net_raw+ep, as setcap(8) writes it.
    let script = "caps = bytes.fromhex('0100000200200000000000000000000000000000')
os.setxattr('a', 'security.capability', caps)
f = os.open('a', os.O_RDONLY); os.setxattr(f, 'trusted.x', b'1')
os.removexattr(f, 'trusted.x'); os.removexattr('a', 'security.capability')
acl = 'system.posix_acl_access'
os.setxattr('a', acl, bytes.fromhex('0200000001000600ffffffff04000400ffffffff20000400ffffffff')); os.removexattr('a', acl)
try: os.removexattr('a', 'trusted.x')
except OSError: pass";
    let acl = "system.posix_acl_access";
    let names = ["security.capability", "trusted.x", "trusted.x", "security.capability", acl, acl];
    let expected = names.map(|name| FileActivity {
        attribute: Some(name.into()),
        ..done(FileOperation::SetAttribute, &folder.join("a"))
    });
    assert_eq!(files_of(&mut lab, &folder, script), expected);
}

#[test]
fn a_sensitive_file_is_followed_when_another_takes_its_place() {
    let (_guard, folder) = folder();
    let secret = folder.join("secret");
    fs::write(&secret, "old").unwrap();
    fs::write(folder.join("plain"), "").unwrap();
    let config = ProbeConfig { sensitive_paths: vec![secret.clone()], ..ProbeConfig::default() };
    let Some(mut lab) = Lab::open_with(&config) else { return };
    let read = "open('plain').close(); open('secret').close()";
    assert_eq!(files_of(&mut lab, &folder, read), [done(FileOperation::Read, &secret)]);

    let replace = "open('new', 'w').close(); os.rename('new', 'secret')";
    assert_eq!(files_of(&mut lab, &folder, replace).len(), 2);
    // The reader has handed out the rename, so it has looked the path up again.
    assert_eq!(files_of(&mut lab, &folder, read), [done(FileOperation::Read, &secret)]);
}

#[test]
fn a_sensitive_file_that_was_just_made_is_told_by_whoever_reads_it_at_once() {
    let (_guard, folder) = folder();
    let config = ProbeConfig { sensitive_paths: vec![folder.join("key*")], ..ProbeConfig::default() };
    let Some(mut lab) = Lab::open_with(&config) else { return };
    let script = "import ctypes
for name in ['plain', 'key1']: open(name, 'w').write('x'); open(name).read()
os.rename('key1', 'key2'); open('key2').read(); os.close(os.open('key2', os.O_RDWR))";
    let key = |number: u8| folder.join(format!("key{number}"));
    let mut told = files_of(&mut lab, &folder, script);
    told.retain(|file| file.path.contains_str("key") && file.operation != FileOperation::CloseWrite);
    let operations: Vec<_> = told.iter().map(|file| (file.operation, file.path.clone())).collect();
    let expected = [
        (FileOperation::Create, bytes(&key(1))),
        (FileOperation::Read, bytes(&key(1))),
        (FileOperation::Rename, bytes(&key(2))),
        (FileOperation::Read, bytes(&key(2))),
        (FileOperation::Write, bytes(&key(2))),
    ];
    assert_eq!(operations, expected);
}

#[test]
fn a_file_that_is_emptied_as_it_is_opened_is_truncated_and_one_that_was_empty_is_not_by_being_opened() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::write(folder.join("log"), "lines").unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    let script = "os.close(os.open('empty', os.O_WRONLY)); os.close(os.open('log', os.O_WRONLY | os.O_APPEND))
open('log', 'w').close()";
    let (log, empty) = (folder.join("log"), folder.join("empty"));
    let mut told = files_of(&mut lab, &folder, script);
    told.retain(|file| file.operation != FileOperation::CloseWrite);
    let write = |path| done(FileOperation::Write, path);
    assert_eq!(told, [write(&empty), write(&log), done(FileOperation::Truncate, &log), write(&log)]);
}

#[test]
fn a_file_opened_by_its_handle_is_told() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::write(folder.join("found"), "x").unwrap();
    let script = "import ctypes
libc = ctypes.CDLL(None, use_errno=True)
handle = ctypes.create_string_buffer(b'\\x80\\0\\0\\0', 136); mount = ctypes.c_int()
assert libc.name_to_handle_at(-100, b'found', handle, ctypes.byref(mount), 0) == 0, ctypes.get_errno()
folder = os.open('.', os.O_RDONLY)
f = libc.open_by_handle_at(folder, handle, os.O_WRONLY)
assert f >= 0, ctypes.get_errno()";
    assert_eq!(files_of(&mut lab, &folder, script)[..1], [done(FileOperation::Write, &folder.join("found"))]);
}

#[test]
fn a_tree_that_is_mounted_nowhere_cannot_pass_for_paths_of_this_host() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    fs::create_dir_all(folder.join("etc/cron.d")).unwrap();
    // open_tree(OPEN_TREE_CLONE), the same on every architecture; OPEN_TREE_CLOEXEC is O_CLOEXEC.
    let script = "import ctypes
tree = ctypes.CDLL(None).syscall(428, -100, b'.', 1 | os.O_CLOEXEC)
assert tree >= 0
os.close(os.open('etc/cron.d/job', os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=tree))";
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &format!("import os\n{script}")]).current_dir(&folder);
    let (status, events) = lab.run(&mut command);
    assert!(status.success());
    let made = events.iter().find_map(|event| match &event.activity {
        Activity::File(file) if file.operation == FileOperation::Create => Some(file.path.clone()),
        _ => None,
    });
    assert_eq!(made, Some("//.../etc/cron.d/job".into()));
}

#[test]
fn a_lever_of_the_kernel_that_is_opened_for_writing_is_told_and_other_windows_are_not() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "os.close(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)); os.close(os.open('/proc/sys/kernel/ostype', os.O_RDONLY))
os.close(os.open('/proc/self/comm', os.O_WRONLY))";
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &format!("import os\n{script}")]);
    let (status, events) = lab.run(&mut command);
    assert!(status.success());
    assert_eq!(
        files(events, Path::new("/proc")),
        [done(FileOperation::Write, Path::new("/proc/sys/kernel/core_pattern"))]
    );
}

#[test]
fn windows_into_the_kernel_are_no_files() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    let script =
        "open('/proc/self/comm', 'w').write('x'); open('/dev/null', 'w').close(); os.pipe(); open('seen', 'w').close()";
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &format!("import os\n{script}")]).current_dir(&folder);
    let (_, events) = lab.run(&mut command);
    let files = files(events, Path::new("/"));
    let mode = fs::metadata(folder.join("seen")).unwrap().mode() & 0o7777;
    assert_eq!(files, [FileActivity { mode: Some(mode), ..done(FileOperation::Create, &folder.join("seen")) }]);
}

#[test]
fn a_directory_a_hundred_levels_deep_says_that_its_path_is_cut() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    let script = "for i in range(110):\n os.mkdir(f'd{i}'); os.chdir(f'd{i}')\nopen('deep', 'w').close()";
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &format!("import os\n{script}")]).current_dir(&folder);
    let (_, events) = lab.run(&mut command);
    let files = files(events, Path::new("/"));
    let [file] = &files[..] else { panic!("not one: {files:?}") };
    assert!(file.path.starts_with(b"//.../d"), "{}", file.path);
    assert!(file.path.ends_with(b"/d108/d109/deep"), "{}", file.path);
}
