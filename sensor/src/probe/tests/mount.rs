//! Mounts, by a python script in a mount namespace of its own.

use std::{fs, process::Command};

use bongsu_event::{Activity, Mount, MountOperation};
use bstr::BString;

use super::lab::Lab;

const PRELUDE: &str = "import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def must(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def mount(source, target, kind, flags): must(libc.mount(source, target, kind, ctypes.c_ulong(flags), None))
def call(number, *args): return must(libc.syscall(number, *args))
must(libc.unshare(0x20000))
mount(None, b'/', None, 0x44000)
";

/// What a script did to mounts, after it made its namespace private.
fn mounts(lab: &mut Lab, folder: &std::path::Path, script: &str) -> Vec<Mount> {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &format!("{PRELUDE}{script}")]).current_dir(folder);
    let (status, events) = lab.run(&mut command);
    assert!(status.success(), "{script}");
    let of = |event: bongsu_event::Event| match event.activity {
        Activity::Mount(mount) => Some(mount),
        _ => None,
    };
    let mut mounts: Vec<Mount> = events.into_iter().filter_map(of).collect();
    assert!(!mounts.is_empty());
    assert_eq!(mounts.remove(0), made("", "/", "", 0x44000), "the change of propagation");
    mounts
}

fn made(source: &str, target: &str, kind: &str, flags: u64) -> Mount {
    let [source, target, kind] = [source, target, kind].map(BString::from);
    Mount { operation: MountOperation::Mount, source, target, kind, flags }
}

fn gone(target: &str, flags: u64) -> Mount {
    Mount { operation: MountOperation::Unmount, ..made("", target, "", flags) }
}

fn folder() -> (tempfile::TempDir, std::path::PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    for name in ["t", "b", "m"] {
        fs::create_dir(path.join(name)).unwrap();
    }
    let name = path.display().to_string();
    (folder, path, name)
}

#[test]
fn mounts_binds_moves_and_unmounts_are_told_and_what_fails_is_not() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder, path) = folder();
    let script = "mount(b'here', b't', b'tmpfs', 2)
assert libc.mount(b'here', b'nowhere', b'tmpfs', ctypes.c_ulong(0), None) < 0
mount(b't', os.fsencode(os.getcwd()) + b'/./b', b'ignored', 0x1000)
mount(None, b'b', None, 0xc0ed1021)
mount(b't', b'm', None, 0x2000)
must(libc.umount2(b'b', 2))
assert libc.umount2(b'b', 0) < 0
must(libc.umount2(b'm', 0))";
    let at = |name: &str| format!("{path}/{name}");
    let expected = [
        made("here", &at("t"), "tmpfs", 2),
        made(&at("t"), &at("b"), "", 0x1000),
        made("", &at("b"), "", 0x1021),
        made(&at("t"), &at("m"), "", 0x2000),
        gone(&at("b"), 2),
        gone(&at("m"), 0),
    ];
    assert_eq!(mounts(&mut lab, &folder, script), expected);
}

#[test]
fn a_mount_made_by_descriptors_shows_what_the_kernel_has_mounted_and_where() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder, path) = folder();
    // fsopen, fsconfig twice, fsmount, move_mount to a symbolic link; then move_mount from path to path.
    let script = "os.symlink('t', 'link')
f = call(430, b'tmpfs', 0)
call(431, f, 1, b'source', b'named', 0); call(431, f, 6, None, None, 0)
m = call(432, f, 0, 0)
call(429, m, b'', -100, b'link', 4 | 0x10)
call(429, -100, b't', os.open('.', os.O_RDONLY), b'm', 0)";
    let at = |name: &str| format!("{path}/{name}");
    let expected = [made("named", &at("t"), "tmpfs", 0), made(&at("t"), &at("m"), "", 0x2000)];
    assert_eq!(mounts(&mut lab, &folder, script), expected);
}
