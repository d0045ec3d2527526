//! Mounts whose paths and sources change while the kernel takes them.

use std::{fs, path::Path};

use bongsu_event::{Activity, Event, Mount, MountOperation};

use super::race::{Race, judge};

/// In a mount namespace of its own. `on` says whether something is mounted there.
const PREPARE: &str = "def must(result): assert result == 0, ctypes.get_errno()
def mount(source, target, kind, flags): must(libc.mount(source, target, kind, ctypes.c_ulong(flags), None))
must(libc.unshare(0x20000))
mount(None, b'/', None, 0x44000)
here = os.stat('.').st_dev
def on(name): return os.stat(name).st_dev != here";

/// Kernels take some milliseconds to unmount.
const ROUNDS: usize = 300;

fn make_directories(folder: &Path) {
    for name in ["a", "b"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
}

fn race<'a>(page: &'a str, flips: &'a [(usize, u8)], round: &'a str) -> Race<'a> {
    Race { prepare: PREPARE, page, flips, round, rounds: ROUNDS, rounds_max: 20 * ROUNDS }
}

fn mount(event: &Event) -> Option<&Mount> {
    match &event.activity {
        Activity::Mount(mount) => Some(mount),
        _ => None,
    }
}

#[test]
fn a_path_and_a_source_that_change_during_a_mount_fool_no_rung_inside_the_kernel() {
    // What was mounted last stands last.
    let round = " mount(ctypes.c_void_p(address + 16), ctypes.c_void_p(address), b'tmpfs', 2)
 left = chr(page[0]) + chr(page[16])
 name = 'a' if on('a') else 'b'
 took = name + open('/proc/self/mounts').read().splitlines()[-1].split()[0]
 must(libc.umount2(name.encode(), 0))";
    let told = |event: &Event| {
        let made = mount(event).filter(|mount| mount.kind == "tmpfs" && mount.operation == MountOperation::Mount)?;
        Some(format!("{}{}", char::from(*made.target.last()?), made.source))
    };
    let race = race("b'a\\0' + bytes(14) + b'x\\0'", &[(0, 3), (16, 3)], round);
    judge("mount", make_directories, &race, told);
}

#[test]
fn a_path_that_changes_during_an_unmount_fools_no_rung_inside_the_kernel() {
    // The call that is raced has a flag, by which it is told from the one that cleans up.
    let round = " mount(b'x', b'a', b'tmpfs', 0)
 mount(b'x', b'b', b'tmpfs', 0)
 must(libc.umount2(ctypes.c_void_p(address), 8))
 left = chr(page[0])
 took = 'b' if on('a') else 'a'
 must(libc.umount2(b'a' if took == 'b' else b'b', 0))";
    let told = |event: &Event| {
        let gone = mount(event).filter(|mount| mount.operation == MountOperation::Unmount && mount.flags == 8)?;
        Some(char::from(*gone.target.last()?).to_string())
    };
    judge("mount", make_directories, &race("b'a\\0'", &[(0, 3)], round), told);
}
