//! Who is who: threads that exec, adopted processes, pids given out twice, containers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bongsu_event::{Activity, Event, Process};
use bstr::BString;

use super::lab::{Lab, execs};
use crate::process_table::proc_fs;

/// Runs the script to its end; what it printed, word by word.
fn told(script: &str) -> (u32, Vec<u64>) {
    let mut command = Command::new("/usr/bin/python3");
    let child = command.args(["-W", "ignore", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let words = String::from_utf8(output.stdout).unwrap();
    (pid, words.split_whitespace().map(|word| word.parse().unwrap()).collect())
}

fn ends<'a>(events: &'a [Event], pid: u32) -> Vec<(&'a Process, u8)> {
    let end = |event: &'a Event| match (&event.process, &event.activity) {
        (Some(process), Activity::Exit { code, signal: 0 }) if process.pid == pid => Some((&**process, *code)),
        _ => None,
    };
    events.iter().filter_map(end).collect()
}

#[test]
fn a_thread_that_execs_is_the_process_it_was_a_thread_of() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "import os, threading, time\nfor _ in range(3): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n\
                  threading.Thread(target=os.execv, args=('/bin/sh', ['sh', '-c', 'exit 4'])).start()\ntime.sleep(60)";
    let (status, events) = lab.run(Command::new("/usr/bin/python3").args(["-c", script]));
    assert_eq!(status.code(), Some(4));
    let seen = execs(&events);
    assert_eq!(seen.len(), 2, "{events:#?}");
    assert_eq!(seen[0].0.key, seen[1].0.key, "the number and the start are the leader's");
    assert_eq!(seen[1].1.previous_executable.as_ref(), Some(&seen[0].0.executable));
    assert_eq!(seen[1].0.parent().unwrap().pid, std::process::id());
    let exits: Vec<_> = events.iter().filter(|event| matches!(event.activity, Activity::Exit { .. })).collect();
    assert_eq!(exits.len(), 1);
    assert_eq!(exits[0].activity, Activity::Exit { code: 4, signal: 0 });
    assert!(!events.iter().any(|event| matches!(event.activity, Activity::Fork { .. })), "{events:#?}");
}

#[test]
fn whoever_adopts_a_process_did_not_make_it() {
    let Some(mut lab) = Lab::open() else { return };
    // The grandchild becomes another program when somebody else is its parent already; its output tells us its number and its makers'.
    let script = "import os\nmade = os.fork()\n\
                  if made == 0:\n middle = os.getpid()\n if os.fork(): os._exit(0)\n\
                  \x20while os.getppid() == middle: pass\n\
                  \x20print(middle, os.getpid(), os.getppid(), flush=True)\n os.execv('/bin/true', ['true', 'adopted'])\n\
                  os.waitpid(made, 0)";
    let (top, words) = told(script);
    let [middle, grandchild, adopter] = words[..] else { panic!("{words:?}") };
    let grandchild = u32::try_from(grandchild).unwrap();
    let events = lab.life_of(grandchild);
    let [(process, _)] = execs(&events)[..] else { panic!("not one exec: {events:#?}") };
    let line: Vec<u64> = process.ancestors.iter().take(2).map(|above| above.pid.into()).collect();
    assert_eq!(line, [middle, top.into()]);
    assert!(adopter != middle);
}

#[test]
fn a_pid_given_out_again_is_another_process() {
    let Some(mut lab) = Lab::open() else { return };
    // clone3 with a chosen number, once the clock shows another tick than when the first one started.
    let script = "import ctypes, os, time\nlibc = ctypes.PyDLL(None)\ntick = lambda: int(time.clock_gettime(time.CLOCK_BOOTTIME) * 100)\n\
                  first = os.fork()\nif first == 0: os.execv('/bin/sh', ['sh', '-c', 'exit 1', 'first'])\nos.waitpid(first, 0)\n\
                  then = tick()\nwhile tick() < then + 2: pass\n\
                  wanted = (ctypes.c_int * 1)(first)\n\
                  args = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(wanted), 1, 0)\n\
                  second = libc.syscall(435, args, 88)\nif second == 0: os.execv('/bin/sh', ['sh', '-c', 'exit 2', 'second'])\n\
                  assert second == first, 'somebody else got the number'\nos.waitpid(second, 0)\nprint(first)";
    let (maker, words) = told(script);
    let pid = u32::try_from(words[0]).unwrap();
    let mut seen = 0;
    let events = lab.until(|event| {
        let is_its = event.process.as_ref().is_some_and(|process| process.pid == pid);
        seen += usize::from(is_its && matches!(event.activity, Activity::Exit { .. }));
        seen == 2
    });
    let [(first, 1), (second, 2)] = ends(&events, pid)[..] else { panic!("not two ends: {events:#?}") };
    assert_ne!(first.key, second.key);
    assert_eq!((&first.args[3][..], &second.args[3][..]), (&b"first"[..], &b"second"[..]));
    for process in [first, second] {
        assert_eq!(process.parent().unwrap().pid, maker);
    }
    let forks = |event: &&Event| matches!(event.activity, Activity::Fork { child } if child.pid == pid);
    assert_eq!(events.iter().filter(forks).count(), 2);
}

/// A cgroup, gone when the test is.
pub(super) struct Cgroup(Vec<PathBuf>);

impl Cgroup {
    /// Below the root of the unified hierarchy, where there is one.
    pub(super) fn make(path: &[&str]) -> Option<Self> {
        Self::make_in(path, |kind, _| kind == "cgroup2")
    }

    /// Below the root of the first mount whose kind and options will do.
    fn make_in(path: &[&str], will_do: impl Fn(&str, &str) -> bool) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        let mount = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (place, kind, options) = (words.next()?, words.next()?, words.next()?);
            will_do(kind, options).then(|| PathBuf::from(place))
        })?;
        let mut made = Self(Vec::new());
        for component in path {
            let place = made.0.last().unwrap_or(&mount).join(component);
            fs::create_dir(&place).unwrap();
            made.0.push(place);
        }
        Some(made)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.last().unwrap()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for place in self.0.iter().rev() {
            if let Err(error) = fs::remove_dir(place) {
                println!("cannot remove {}: {error}", place.display());
            }
        }
    }
}

#[test]
fn a_containers_first_program_is_known_to_be_in_it() {
    let Some(mut lab) = Lab::open() else { return };
    let id = format!("{:064x}", std::process::id());
    let names = [
        format!("kubepods-test{}.slice", std::process::id()),
        "kubepods-besteffort-podd5b1f7f4_0a3c_4c5e_9a52_0f5b6f3f1c11.slice".to_owned(),
        format!("cri-containerd-{id}.scope"),
    ];
    let Some(cgroup) = Cgroup::make(&names.each_ref().map(String::as_str)) else {
        return println!("skipped: no cgroup2 here");
    };
    // As runtimes do it: into the cgroup first, then the container's own program.
    let enter = format!("echo $$ > {}/cgroup.procs; exec /bin/true entry", cgroup.path().display());
    let (status, events) = lab.run(Command::new("/bin/sh").args(["-c", &enter]));
    assert!(status.success());
    let [(outside, _), (inside, _)] = execs(&events)[..] else { panic!("not two execs: {events:#?}") };
    assert_eq!((&outside.container, &outside.context.pod), (&None, &None));
    assert_eq!(inside.container, Some(BString::from(id)));
    assert_eq!(inside.context.pod.as_ref().unwrap().uid, "d5b1f7f4-0a3c-4c5e-9a52-0f5b6f3f1c11");
    assert_eq!(inside.context.session, outside.context.session);
}

#[test]
fn a_container_is_known_where_version_1_says_it() {
    let Some(mut lab) = Lab::open() else { return };
    let id = format!("{:064x}", u64::from(std::process::id()) << 32);
    let own = fs::read("/proc/self/cgroup").unwrap();
    let Some(controller) = proc_fs::container_controller(&own) else {
        return println!("skipped: no controller has a hierarchy of version 1 here");
    };
    let is_its = |kind: &str, options: &str| kind == "cgroup" && options.split(',').any(|option| option == controller);
    let name = format!("bongsu-test-{}", std::process::id());
    let container = Cgroup::make_in(&[&name, &id], is_its).expect("the hierarchy is mounted");
    // Beside it systemd has the runtime's service in the unified hierarchy, and many runtimes leave the container's processes there.
    let service = Cgroup::make(&[&format!("{name}.service")]);
    let places = [Some(&container), service.as_ref()].into_iter().flatten();
    let enter: String = places.map(|place| format!("echo $$ > {}/cgroup.procs; ", place.path().display())).collect();
    let command = format!("{enter} exec /bin/true entry");
    let (status, events) = lab.run(Command::new("/bin/sh").args(["-c", &command]));
    assert!(status.success());
    let [(outside, _), (inside, _)] = execs(&events)[..] else { panic!("not two execs: {events:#?}") };
    assert_eq!(outside.container, None);
    assert_eq!(inside.container, Some(BString::from(id)));
}
