//! Hooks whose programs are taken away behind the sensor's back.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, RawFd},
    process::Command,
    time::Duration,
};

use bongsu_event::Activity;
use tokio::time::timeout;

use super::lab::Lab;
use crate::probe::{Hook, SILENT};

/// What is promised: 30 s between two pulses, and 5 s.
const KNOWN_WITHIN: Duration = Duration::from_secs(35);

/// Closes the link of a program as somebody with a debugger would: the descriptor stays valid, and is another's.
fn cut(program: u32) {
    let names = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
    let descriptors = names.filter_map(|name| name.to_str()?.parse::<RawFd>().ok());
    let holds = |fd: &RawFd| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let says = |key: &str, value: &str| {
            info.lines().filter_map(|line| line.split_once(':')).any(|(name, said)| name == key && said.trim() == value)
        };
        says("tp_name", "task_rename") && says("prog_id", &program.to_string())
    };
    let link: Vec<RawFd> = descriptors.filter(holds).collect();
    let [link] = link[..] else { panic!("not one link: {link:?}") };
    let null = fs::File::open("/dev/null").unwrap();
    // SAFETY: the number stays open, so whoever owns it closes the copy of /dev/null in the end.
    let put = unsafe { libc::dup2(null.as_raw_fd(), link) };
    assert_eq!(put, link, "{}", io::Error::last_os_error());
}

fn names(hooks: &[Hook], rung: &str) -> Vec<String> {
    hooks.iter().filter(|hook| hook.rung == rung).map(|hook| hook.name.clone()).collect()
}

/// The processor time of the thread that beats.
fn pulse_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let thread = tasks.into_iter().find(|task| fs::read(task.join("comm")).is_ok_and(|name| name == b"probe-pulse\n"));
    let times = fs::read_to_string(thread.unwrap().join("schedstat")).unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_hook_cut_off_behind_the_sensors_back_is_known_within_35_seconds_and_no_other_is_accused() {
    let Some(mut lab) = Lab::open() else { return };
    let mut hooks = lab.probes.hooks.clone();
    let before = hooks.borrow_and_update().clone();
    assert_eq!(names(&before, SILENT), Vec::<String>::new());
    for name in [
        "fork",
        "set-name",
        "set-credentials",
        "file-open",
        "file-delete",
        "file-rename",
        "connect",
        "accept",
        "bind",
        "listen",
    ] {
        let hook = before.iter().find(|hook| hook.name == name).unwrap();
        assert!(!hook.detail.contains("not exercised"), "{hook:?}");
    }
    cut(lab.probes.figures.number("set_name").unwrap());
    let known = lab.wait(async { timeout(KNOWN_WITHIN, hooks.changed()).await });
    known.expect("in time").unwrap();
    let now = hooks.borrow().clone();
    assert_eq!(names(&now, SILENT), ["set-name"]);
    let hook = now.iter().find(|hook| hook.rung == SILENT).unwrap();
    assert_eq!(hook.detail, "does not notice task_rename any more");
    println!("learning and one pulse took {:?} of a processor", pulse_time());

    // The others go on.
    let (_, events) = lab.run(&mut Command::new("/bin/true"));
    assert!(events.iter().any(|event| matches!(event.activity, Activity::Exec(_))));
}
