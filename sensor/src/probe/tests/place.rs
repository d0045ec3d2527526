//! Where processes stand, what their images are, and what they call themselves.

use std::{
    fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use bongsu_event::{Activity, Context, Event, Namespaces};

use super::lab::{Lab, execs};
use crate::process_table::proc_fs;

/// The last exec of the command's own process.
fn last_exec(lab: &mut Lab, command: &mut Command) -> (bongsu_event::Process, bongsu_event::Exec) {
    let (status, events) = lab.run(command);
    assert!(status.success(), "{status}");
    let (process, exec) = *execs(&events).last().unwrap();
    (process.clone(), exec.clone())
}

fn namespaces(process: &bongsu_event::Process) -> Namespaces {
    process.context.namespaces.unwrap()
}

#[test]
fn an_exec_says_where_the_process_stands() {
    let Some(mut lab) = Lab::open() else { return };
    let (process, exec) = last_exec(&mut lab, Command::new("/bin/true").stdin(Stdio::null()));
    // A child stands where we stand; /proc shows that in the kernel's own words.
    let own = proc_fs::read(std::process::id()).unwrap().context;
    assert!(own.capabilities.is_some() && own.namespaces.is_some(), "{own:?}");
    assert_eq!(process.context, own);
    let image = fs::metadata("/bin/true").unwrap();
    assert_eq!((exec.device, u64::from(exec.links)), (image.dev(), image.nlink()));
    let seeded = process.parent().unwrap().pid;
    assert_eq!(seeded, std::process::id());
}

#[test]
fn a_session_of_its_own_on_a_terminal_is_told() {
    let Some(mut lab) = Lab::open() else { return };
    // The child of a fork becomes the leader of a session with the new terminal and then another program.
    let script = "import os, pty, ctypes\nname = ctypes.CDLL(None).ptsname\nname.restype = ctypes.c_char_p\npid, f = pty.fork()\nif pid == 0: os.execv('/bin/sleep', ['sleep', '0.1'])\n\
                  print(pid, name(f).decode(), flush=True)\nos.waitpid(pid, 0)";
    let child = Command::new("/usr/bin/python3").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let (pid, terminal) = said.trim().split_once(' ').unwrap();
    let pid: u32 = pid.parse().unwrap();
    let events = lab.life_of(pid);
    let [(process, _)] = execs(&events)[..] else { panic!("not one exec: {events:#?}") };
    assert_eq!(process.context.session, Some(pid));
    assert_eq!(process.context.terminal, Some(terminal.strip_prefix("/dev/").unwrap().into()));
    let Context { namespaces, .. } = proc_fs::read(std::process::id()).unwrap().context;
    assert_eq!(process.context.namespaces, namespaces);
}

#[test]
fn namespaces_and_capabilities_are_those_of_the_new_program() {
    let Some(mut lab) = Lab::open() else { return };
    let own = proc_fs::read(std::process::id()).unwrap().context.namespaces.unwrap();
    let print = "readlink /proc/self/ns/mnt /proc/self/ns/net; exec sleep 0";
    let mut command = Command::new("/usr/bin/unshare");
    let child = command.args(["-m", "-n", "/bin/sh", "-c", print]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let events = lab.life_of(pid);
    let seen = execs(&events);
    assert_eq!(seen.len(), 3, "unshare, sh, sleep");
    assert_eq!(namespaces(seen[0].0), own);
    let inside = namespaces(seen[2].0);
    assert_eq!(said, format!("mnt:[{}]\nnet:[{}]\n", inside.mount, inside.net));
    assert!(inside.mount != own.mount && inside.net != own.net);
    assert_eq!((inside.pid, inside.user), (own.pid, own.user));

    // A pid namespace holds the children of who made it, and there the first one is number 1.
    let child = Command::new("/usr/bin/unshare").args(["-U", "-r", "-p", "-f", "/bin/true"]).spawn().unwrap();
    let unshare = child.id();
    let mut child = child;
    assert!(child.wait().unwrap().success());
    let events = lab.until(|event| ended(event, unshare));
    let inner =
        execs(&events).into_iter().find(|(process, _)| process.parent().is_some_and(|above| above.pid == unshare));
    let inside = namespaces(inner.unwrap().0);
    assert!(inside.pid != own.pid && inside.user != own.user, "{inside:?}");
    assert_ne!(inner.unwrap().0.pid, 1, "pids are those of the host");

    // Nobody has no capabilities.
    let (process, _) = last_exec(&mut lab, Command::new("/bin/true").uid(65534).gid(65534));
    assert_eq!(process.context.capabilities, Some(0));
}

fn ended(event: &Event, pid: u32) -> bool {
    matches!(event.activity, Activity::Exit { .. }) && event.process.as_ref().is_some_and(|process| process.pid == pid)
}

/// Runs `what` with an overlay mount at `merged` of that folder, in a mount namespace of its own.
fn in_overlay(folder: &Path, what: &str) -> Command {
    let mut command = Command::new("/usr/bin/unshare");
    let script = format!(
        "set -e; mount -t tmpfs none '{0}'; cd '{0}'; mkdir lower upper work merged; cp /bin/true lower/old; cp /bin/true lower/changed\n\
         mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged\n\
         cp /bin/true merged/new; printf x >> merged/changed; {what}",
        folder.display()
    );
    command.args(["-m", "/bin/sh", "-c", &script]);
    command
}

#[test]
fn a_file_put_into_a_containers_layer_is_told_from_the_images_own() {
    let Some(mut lab) = Lab::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    if !in_overlay(folder.path(), "true").status().unwrap().success() {
        return println!("skipped: no overlay mounts here");
    }
    for (file, upper) in [("new", true), ("changed", true), ("old", false)] {
        let (process, exec) = last_exec(&mut lab, &mut in_overlay(folder.path(), &format!("exec ./merged/{file}")));
        assert!(process.executable.ends_with(format!("/merged/{file}").as_bytes()), "{}", process.executable);
        assert_eq!(exec.image.upper_layer, upper, "{file}");
    }
    // An upper layer without an overlay is a folder like any other.
    let (_, exec) = last_exec(&mut lab, &mut in_overlay(folder.path(), "exec ./upper/new"));
    assert!(!exec.image.upper_layer);
}

#[test]
fn a_name_that_a_process_gives_itself_is_told_once() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "import ctypes, threading\nc = ctypes.CDLL(None)\nn = lambda name: c.prctl(15, name, 0, 0, 0)\n\
                  n(b'kworker/0:1')\nn(b'kworker/0:1')\n\
                  t = threading.Thread(target=n, args=(b'only a thread',)); t.start(); t.join()\n\
                  open('/proc/self/comm', 'w').write('\\xe9 long enough to be cut')\n";
    let (status, events) = lab.run(Command::new("/usr/bin/python3").args(["-c", script]));
    assert!(status.success());
    let names: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.activity {
            Activity::SetName { before } => Some((before.clone(), event.process.as_ref().unwrap().comm.clone())),
            _ => None,
        })
        .collect();
    let cut = "\u{e9} long enough to be cut".as_bytes()[..15].to_vec();
    assert_eq!(names, [("python3".into(), "kworker/0:1".into()), ("kworker/0:1".into(), cut.clone().into())]);
    assert_eq!(events.last().unwrap().process.as_ref().unwrap().comm, cut, "and shows in what follows");
}
