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
use crate::probe::{Hook, ProbeConfig, SILENT};

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
        info.contains("link_type:") && says("prog_id", &program.to_string())
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
    let folder = tempfile::tempdir().unwrap();
    let config = ProbeConfig { folder: Some(folder.path().to_owned()), ..ProbeConfig::default() };
    let Some(mut lab) = Lab::open_with(&config) else { return };
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
        "file-chmod",
        "file-link",
        "file-chown",
        "file-truncate",
        "file-ftruncate",
        "file-attribute",
        "connect",
        "accept",
        "bind",
        "listen",
    ] {
        let hook = before.iter().find(|hook| hook.name == name).unwrap();
        assert!(!hook.detail.contains("not exercised"), "{hook:?}");
    }
    let in_kernel = before.iter().any(|hook| hook.name == "file-delete" && hook.rung.contains("fexit:"));
    cut(lab.probes.figures.number("set_name").unwrap());
    cut(lab.probes.figures.number(if in_kernel { "unlink_done" } else { "unlink" }).unwrap());
    let known = lab.wait(async { timeout(KNOWN_WITHIN, hooks.changed()).await });
    known.expect("in time").unwrap();
    let now = hooks.borrow().clone();
    assert_eq!(names(&now, SILENT), ["set-name", "file-delete"]);
    let details: Vec<&str> = now.iter().filter(|hook| hook.rung == SILENT).map(|hook| &*hook.detail).collect();
    let deletions = if in_kernel { "security_path_unlink, vfs_unlink" } else { "sys_enter_unlink, sys_exit_unlink" };
    assert_eq!(details[0], "does not notice task_rename any more");
    assert_eq!(details[1], format!("does not notice {deletions} any more"));
    println!("learning and one pulse took {:?} of a processor", pulse_time());

    // The others go on.
    let (_, events) = lab.run(&mut Command::new("/bin/true"));
    assert!(events.iter().any(|event| matches!(event.activity, Activity::Exec(_))));
}
