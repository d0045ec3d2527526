//! Programs that cannot be started, and the environment of those that can.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::Command,
};

use bongsu_event::{Activity, Event};
use bstr::BString;

use super::lab::{Lab, execs};
use crate::{config::Environment, probe::ProbeConfig};

fn failures(events: &[Event]) -> Vec<(BString, u16)> {
    let failure = |event: &Event| match &event.activity {
        Activity::ExecFailed(failed) => Some((failed.path.clone(), failed.error)),
        _ => None,
    };
    events.iter().filter_map(failure).collect()
}

#[test]
fn a_program_that_could_not_be_started_is_told_and_the_search_of_path_is_not() {
    let Some(mut lab) = Lab::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let (forbidden, garbage) = (folder.path().join("forbidden"), folder.path().join("garbage"));
    fs::write(&forbidden, "#!/bin/sh\n").unwrap();
    fs::write(&garbage, "\x7fNOT").unwrap();
    fs::set_permissions(&garbage, fs::Permissions::from_mode(0o755)).unwrap();
    let script = "import os, sys\n\
                  def run(path, **more):\n try: os.execve(path, ['x'], {}, **more)\n except OSError: pass\n\
                  for path in sys.argv[1:] + ['/usr/local/bin/no such program', '/opt/none', '/tmp/gone', 'gone', '/dev/shm/gone']: run(path)\n\
                  run(os.open(sys.argv[2], os.O_RDONLY))\n\
                  os.execvp('sh', ['sh', '-c', 'no-such-program-anywhere; exit 3'])";
    let mut command = Command::new("/usr/bin/python3");
    let (status, events) =
        lab.run(command.args(["-c", script]).arg(&forbidden).arg(&garbage).env("PATH", "/nonesuch:/usr/bin:/bin"));
    assert_eq!(status.code(), Some(3));
    let (forbidden, garbage) =
        (forbidden.into_os_string().into_encoded_bytes(), garbage.into_os_string().into_encoded_bytes());
    let expected: Vec<(BString, u16)> = vec![
        (forbidden.into(), 13),
        (garbage.into(), 8),
        ("/tmp/gone".into(), 2),
        ("gone".into(), 2),
        ("/dev/shm/gone".into(), 2),
        ("/dev/fd/3".into(), 8),
    ];
    assert_eq!(failures(&events), expected);
    let failed = events.iter().find(|event| matches!(event.activity, Activity::ExecFailed(_))).unwrap();
    assert!(failed.process.as_ref().unwrap().args[1] == "-c", "told of who tried");
}

#[test]
fn the_environment_is_kept_when_somebody_asks_and_not_otherwise() {
    let run = |environment| {
        let mut lab = Lab::open_with(&ProbeConfig { environment, ..ProbeConfig::default() })?;
        let mut command = Command::new("/bin/true");
        let (_, events) =
            lab.run(command.env_clear().env("LD_PRELOAD", "/tmp/x.so").env("LD_PRELOADED", "no").env("A", "\u{e9}=1"));
        let [(process, exec)] = execs(&events)[..] else { panic!("not one exec: {events:#?}") };
        assert_eq!(process.args, ["/bin/true"]);
        let mut environment = exec.environment.clone();
        environment.sort();
        Some(environment)
    };
    let Some(nothing) = run(Environment::Nothing) else { return };
    assert_eq!(nothing, [""; 0]);
    let all = run(Environment::All).unwrap();
    assert_eq!(all, ["A=\u{e9}=1", "LD_PRELOAD=/tmp/x.so", "LD_PRELOADED=no"]);
    let named = run(Environment::Named(vec!["LD_PRELOAD".into(), "B".into()])).unwrap();
    assert_eq!(named, ["LD_PRELOAD=/tmp/x.so"]);
}

#[test]
fn an_environment_longer_than_its_room_loses_its_end_only() {
    let Some(mut lab) = Lab::open_with(&ProbeConfig { environment: Environment::All, ..ProbeConfig::default() }) else {
        return;
    };
    let mut command = Command::new("/bin/true");
    command.arg0("t").arg("y".repeat(40_000)).env_clear();
    for number in 100..150 {
        command.env(format!("V{number}"), "z".repeat(995));
    }
    let (_, events) = lab.run(&mut command);
    let [(process, exec)] = execs(&events)[..] else { panic!("not one exec: {events:#?}") };
    assert!(process.args_cut);
    // 1,001 bytes each with name and NUL.
    assert_eq!(exec.environment.len(), 32 * 1024 / 1001);
    assert!(exec.environment.iter().all(|variable| variable.len() == 1000 && variable.starts_with(b"V1")));
}
