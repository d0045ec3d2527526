//! Fork, exec and exit.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{MetadataExt, PermissionsExt},
        process::{CommandExt, ExitStatusExt},
    },
    process::{Command, Stdio},
};

use bongsu_event::{Account, Activity, Credentials, ImageTraits};
use bstr::BString;

use super::lab::{Lab, execs};
use crate::process_table::proc_fs;

fn real(path: &str) -> BString {
    fs::canonicalize(path).unwrap().into_os_string().into_vec().into()
}

#[test]
fn an_exec_is_told_field_by_field() {
    let Some(mut lab) = Lab::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut args: Vec<Vec<u8>> = (0..99).map(|n| format!("argument number {n}").into_bytes()).collect();
    args.push(b"\xff\xfe not utf-8 \x01".to_vec());
    let mut command = Command::new("/bin/true");
    command.arg0("other name").args(args.iter().map(|arg| OsStr::from_bytes(arg))).current_dir(&folder);
    let (_, events) = lab.run(&mut command);

    let [(process, exec)] = execs(&events)[..] else { panic!("not one exec: {events:#?}") };
    let mut expected: Vec<BString> = vec!["other name".into()];
    expected.extend(args.into_iter().map(BString::from));
    assert_eq!(process.args, expected);
    assert!(!process.args_cut);
    assert_eq!(process.executable, real("/bin/true"));
    assert_eq!(process.comm, "true");
    assert_eq!(process.cwd, real(folder.path().to_str().unwrap()));
    assert_eq!(process.container, None);
    let root = Account { id: 0, name: Some("root".into()) };
    let login = fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.parse().ok());
    let login = login.filter(|uid| *uid != u32::MAX).map(|id| Account { id, name: None });
    assert_eq!(process.credentials, Credentials { real: root.clone(), effective: root, gid: 0, egid: 0, login });
    assert_eq!(exec.image, ImageTraits::default());
    assert_eq!(exec.inode, fs::metadata("/bin/true").unwrap().ino());
    assert_eq!(exec.script, None);
    assert_eq!(exec.previous_executable, Some(std::env::current_exe().unwrap().into_os_string().into_vec().into()));

    let parent = process.parent().unwrap();
    assert_eq!(parent.pid, std::process::id());
    assert_eq!(parent.key.start, proc_fs::start_ticks(parent.pid).unwrap());
    assert_eq!(parent.args[0], std::env::args_os().next().unwrap().into_vec());
    assert_eq!(process.ancestors[1].pid, nix::unistd::getppid().as_raw().cast_unsigned());
    let start = process.start.0 / 1_000_000_000;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    assert!((now - 60..=now).contains(&start), "started at {start}, now {now}");
}

#[test]
fn arguments_beyond_32_kibibytes_are_cut_and_said_to_be() {
    let Some(mut lab) = Lab::open() else { return };
    const MAX: usize = 32 * 1024;
    let before = "/bin/true\0first\0".len();
    for (length, kept, cut) in
        [(MAX - before - 1, MAX - before - 1, false), (MAX - before, MAX - before, true), (100_000, MAX - before, true)]
    {
        let (_, events) = lab.run(Command::new("/bin/true").args(["first", &"x".repeat(length)]));
        let [(process, _)] = execs(&events)[..] else { panic!("not one exec: {events:#?}") };
        assert_eq!((process.args.len(), process.args_cut), (3, cut));
        assert_eq!(process.args[1], "first");
        assert_eq!(process.args[2], "x".repeat(kept));
        let after = events.last().unwrap().process.as_ref().unwrap();
        assert!(after.args_cut, "what follows has less");
        assert_eq!(after.args[2], "x".repeat(4096 - before));
    }
}

#[test]
fn a_fork_names_the_child_and_the_child_is_known() {
    let Some(mut lab) = Lab::open() else { return };
    // A subshell that does not exec: it lives and ends as a copy of the shell.
    let mut command = Command::new("/bin/sh");
    let mut child = command.args(["-c", "(exit 7); true"]).spawn().unwrap();
    child.wait().unwrap();
    let events = lab.until(|event| {
        matches!(event.activity, Activity::Exit { .. }) && event.process.as_ref().is_some_and(|p| p.pid == child.id())
    });
    let forks: Vec<_> = events
        .iter()
        .filter_map(|event| match event.activity {
            Activity::Fork { child: key } if event.process.as_ref()?.pid == child.id() => Some(key),
            _ => None,
        })
        .collect();
    let [key] = forks[..] else { panic!("not one fork: {events:#?}") };
    let end = events.iter().find(|event| event.process.as_ref().is_some_and(|process| process.key == key)).unwrap();
    assert_eq!(end.activity, Activity::Exit { code: 7, signal: 0 });
    let process = end.process.as_ref().unwrap();
    assert_eq!(process.executable, real("/bin/sh"));
    assert_eq!(process.parent().unwrap().pid, child.id());
    assert_eq!(process.args, ["/bin/sh", "-c", "(exit 7); true"]);
}

#[test]
fn exits_carry_the_code_or_the_signal() {
    let Some(mut lab) = Lab::open() else { return };
    for (script, code, signal) in [("exit 0", 0, 0), ("exit 42", 42, 0), ("kill -9 $$", 0, 9), ("kill -SEGV $$", 0, 11)]
    {
        let (status, events) = lab.run(Command::new("/bin/sh").args(["-c", script]));
        assert_eq!(status.code(), (signal == 0).then_some(code.into()));
        assert_eq!(status.signal(), (signal != 0).then_some(signal.into()));
        assert_eq!(events.last().unwrap().activity, Activity::Exit { code, signal }, "{script}");
        assert_eq!(events.iter().filter(|event| matches!(event.activity, Activity::Exit { .. })).count(), 1);
    }
}

#[test]
fn threads_are_neither_forks_nor_exits() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "import threading, os\nfor _ in range(5):\n t = threading.Thread(target=lambda: 0); t.start(); t.join()\nos._exit(3)";
    let (_, events) = lab.run(Command::new("/usr/bin/python3").args(["-c", script]));
    assert!(!events.iter().any(|event| matches!(event.activity, Activity::Fork { .. })), "{events:#?}");
    assert_eq!(events.last().unwrap().activity, Activity::Exit { code: 3, signal: 0 });
}

#[test]
fn a_script_is_told_with_its_interpreter() {
    let Some(mut lab) = Lab::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("job.sh");
    fs::write(&script, "#!/bin/sh -e\nexit 0\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let (_, events) = lab.run(Command::new("./job.sh").current_dir(&folder).arg("now"));
    let [(process, exec)] = execs(&events)[..] else { panic!("not one exec: {events:#?}") };
    assert_eq!(process.executable, real("/bin/sh"));
    assert_eq!(exec.script, Some(real(script.to_str().unwrap())));
    assert_eq!(process.args, ["/bin/sh", "-e", "./job.sh", "now"]);
}

#[test]
fn images_without_a_name_are_told_and_can_be_fetched_when_their_process_is_gone() {
    let Some(mut lab) = Lab::open() else { return };
    let bytes = fs::read("/bin/sleep").unwrap();
    let run_memfd = "import os\nf = os.memfd_create('implant')\nos.write(f, open('/bin/sleep', 'rb').read())\nos.execv(f'/proc/self/fd/{f}', ['s', '1'])";
    let (_, events) = lab.run(Command::new("/usr/bin/python3").args(["-c", run_memfd]));
    let (process, exec) = *execs(&events).last().unwrap();
    assert_eq!(process.executable, "/memfd:implant");
    assert_eq!(exec.image, ImageTraits { memfd: true, deleted: false, setuid: false, upper_layer: false });
    let mut image = lab.probes.images.open_image(process.key).unwrap();
    let mut fetched = Vec::new();
    std::io::Read::read_to_end(&mut image, &mut fetched).unwrap();
    assert_eq!(fetched, bytes);

    let folder = tempfile::tempdir().unwrap();
    let implant = folder.path().join("implant");
    fs::copy("/bin/sleep", &implant).unwrap();
    let run_deleted = "import os, sys\nf = os.open(sys.argv[1], os.O_RDONLY)\nos.unlink(sys.argv[1])\nos.execv(f'/proc/self/fd/{f}', ['s', '1'])";
    let (_, events) = lab.run(Command::new("/usr/bin/python3").args(["-c", run_deleted]).arg(&implant));
    let (process, exec) = *execs(&events).last().unwrap();
    assert_eq!(process.executable, implant.into_os_string().into_vec());
    assert_eq!(exec.image, ImageTraits { memfd: false, deleted: true, setuid: false, upper_layer: false });
    assert_eq!(lab.probes.images.open_image(process.key).unwrap().metadata().unwrap().nlink(), 0);
}

#[test]
fn an_image_is_not_fetched_from_the_wrong_process() {
    let Some(mut lab) = Lab::open() else { return };
    let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let events =
        lab.until(|event| matches!(event.activity, Activity::Exec(_)) && event.process.as_ref().unwrap().pid == pid);
    let key = events.iter().rev().find_map(|event| event.process.as_ref().filter(|p| p.pid == pid)).unwrap().key;
    let images = &lab.probes.images;
    assert_eq!(images.open_image(key).unwrap().metadata().unwrap().ino(), fs::metadata("/bin/cat").unwrap().ino());
    for wrong in [
        bongsu_event::ProcessKey { start: key.start + 1, ..key },
        bongsu_event::ProcessKey { boot: key.boot + 1, ..key },
    ] {
        assert_eq!(images.open_image(wrong).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(images.open_image(key).is_err());
}

#[test]
fn a_set_uid_exec_shows_both_identities() {
    let Some(mut lab) = Lab::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let tool = folder.path().join("tool");
    fs::copy("/bin/true", &tool).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o4755)).unwrap();
    let (_, events) = lab.run(Command::new(&tool).uid(65534).gid(65534));
    let [(process, exec)] = execs(&events)[..] else { panic!("not one exec: {events:#?}") };
    assert!(exec.image.setuid);
    assert_eq!((process.credentials.real.id, process.credentials.effective.id), (65534, 0));
    assert_eq!((process.credentials.gid, process.credentials.egid), (65534, 65534));
    assert_eq!(process.credentials.real.name, Some("nobody".into()));
}

#[test]
fn what_the_kernel_emitted_was_read_or_is_counted_as_lost() {
    let Some(mut lab) = Lab::open() else { return };
    lab.run(Command::new("/bin/sh").args(["-c", "for i in 1 2 3 4 5 6 7 8 9; do /bin/true; done"]));
    let (_, counters) = lab.close();
    assert!(counters.process.read >= 30, "{counters:?}");
    assert_eq!(counters.emitted(), counters.read() + counters.ring_lost());
    assert_eq!(counters.ring_lost(), 0);
}
