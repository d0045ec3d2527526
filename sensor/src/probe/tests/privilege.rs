//! Capabilities and namespaces, by python scripts that really change them.

use std::process::Command;

use bongsu_event::{Activity, Capabilities, Event, NamespaceChange, NamespaceKinds, NamespaceWay};

use super::lab::Lab;

const NEWNS: u32 = 0x0002_0000;
const NEWUTS: u32 = 0x0400_0000;
const NEWIPC: u32 = 0x0800_0000;
const NEWNET: u32 = 0x4000_0000;

fn run(lab: &mut Lab, script: &str) -> Vec<Event> {
    let script = format!(
        "import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def must(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
{script}"
    );
    let mut command = Command::new("/usr/bin/python3");
    let (status, events) = lab.run(command.args(["-I", "-S", "-B", "-c", &script]));
    assert!(status.success(), "{script}");
    events
}

fn namespaces(events: Vec<Event>) -> Vec<NamespaceChange> {
    let of = |event: Event| match event.activity {
        Activity::Namespace(change) => Some(change),
        _ => None,
    };
    events.into_iter().filter_map(of).collect()
}

fn own(set: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(set)).unwrap();
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
}

#[test]
fn a_change_of_capabilities_shows_the_sets_before_and_after() {
    let Some(mut lab) = Lab::open() else { return };
    // Version 3: lower halves of effective, permitted and inheritable, then the upper halves. The second call changes nothing.
    let script = "head = (ctypes.c_uint32 * 2)(0x20080522, 0)
sets = (ctypes.c_uint32 * 6)(0x400, 0x401, 0x1, 0x1, 0x1, 0)
must(libc.capset(head, sets)); must(libc.capset(head, sets))
sets[4] = 0xff
assert libc.capset(head, sets) < 0";
    let of = |event: Event| match event.activity {
        Activity::SetCapabilities { before, after } => Some((before, after)),
        _ => None,
    };
    let changes: Vec<_> = run(&mut lab, script).into_iter().filter_map(of).collect();
    let before = Capabilities { effective: own("CapEff"), permitted: own("CapPrm"), inheritable: own("CapInh") };
    let after = Capabilities { effective: 0x1_0000_0400, permitted: 0x1_0000_0401, inheritable: 1 };
    assert_eq!(changes, [(before, after)]);
}

#[test]
fn new_namespaces_show_their_kinds_and_what_else_unshare_does_is_not_told() {
    let Some(mut lab) = Lab::open() else { return };
    // CLONE_FILES; then two kinds together with CLONE_FS; then one that does not exist.
    let script = format!(
        "must(libc.unshare(0x400)); must(libc.unshare({NEWUTS} | {NEWIPC} | 0x200)); assert libc.unshare(1) < 0"
    );
    let expected = NamespaceChange { way: NamespaceWay::Unshare, kinds: NamespaceKinds(NEWUTS | NEWIPC) };
    assert_eq!(namespaces(run(&mut lab, &script)), [expected]);
}

#[test]
fn the_kinds_of_joined_namespaces_are_found_also_when_the_caller_names_none() {
    let Some(mut lab) = Lab::open() else { return };
    let script = format!(
        "for kind in ['uts', 'ipc', 'net', 'mnt']:
    must(libc.setns(os.open('/proc/self/ns/' + kind, os.O_RDONLY), 0))
must(libc.setns(os.open('/proc/self/ns/uts', os.O_RDONLY), {NEWUTS}))
assert libc.setns(os.open('/dev/null', os.O_RDONLY), 0) < 0
must(libc.setns(os.pidfd_open(os.getpid()), {NEWUTS} | {NEWNET}))"
    );
    let expected = [NEWUTS, NEWIPC, NEWNET, NEWNS, NEWUTS, NEWUTS | NEWNET]
        .map(|kinds| NamespaceChange { way: NamespaceWay::Join, kinds: NamespaceKinds(kinds) });
    assert_eq!(namespaces(run(&mut lab, &script)), expected);
}

#[test]
fn a_change_of_groups_is_a_change_of_identity() {
    let Some(mut lab) = Lab::open() else { return };
    let events = run(&mut lab, "os.setegid(0); os.setresgid(-1, 65534, -1); os.setgid(0); os.setregid(65533, 65533)");
    let of = |event: Event| match event.activity {
        Activity::SetCredentials { before } => {
            let after = &event.process.as_ref()?.credentials;
            Some([before.gid, before.egid, after.gid, after.egid])
        }
        _ => None,
    };
    let changes: Vec<_> = events.into_iter().filter_map(of).collect();
    assert_eq!(changes, [[0, 0, 0, 65534], [0, 65534, 0, 0], [0, 0, 65533, 65533]]);
}

#[test]
fn what_a_thread_does_under_identities_of_its_own_is_told_under_these_and_what_others_do_is_not() {
    let Some(mut lab) = Lab::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    // Past glibc, which would change all threads: setuid of x86_64 and arm64.
    let script = "import ctypes, os, threading
def make(name): os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
def other():
    assert ctypes.CDLL(None).syscall({'x86_64': 105, 'aarch64': 146}[os.uname().machine], 65534) == 0
    make('by-other')
thread = threading.Thread(target=other); thread.start(); thread.join(); make('by-first')";
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", script]).current_dir(folder.path());
    let (status, events) = lab.run(&mut command);
    assert!(status.success());
    let made = events.iter().filter_map(|event| match &event.activity {
        Activity::File(file) if file.operation == bongsu_event::FileOperation::Create => {
            let name = file.path.rsplit(|byte| *byte == b'/').next()?.to_owned();
            let who = &event.process.as_ref()?.credentials;
            Some((String::from_utf8(name).ok()?, who.real.id, who.effective.id))
        }
        _ => None,
    });
    let expected = [("by-other".to_owned(), 65534, 65534), ("by-first".to_owned(), 0, 0)];
    assert_eq!(made.collect::<Vec<_>>(), expected);
}
