use std::fs;

use super::{
    touch::{Touch, Touched},
    *,
};

fn hook(name: &str, rung: &str, points: &[&'static str]) -> Hook {
    let (name, rung, detail) = (name.to_owned(), rung.to_owned(), "why".to_owned());
    Hook { name, rung, detail, programs: Vec::new(), points: points.to_vec() }
}

#[test]
fn a_hook_that_misses_one_of_its_calls_is_silent_and_says_which() {
    let hooks = [
        hook("file-delete", "tracepoint:a,b", &["sys_exit_unlinkat", "sys_exit_linkat"]),
        hook("listen", "tracepoint:c", &["sys_exit_listen"]),
    ];
    let silent = [Exercise::Call(libc::SYS_unlinkat)];
    let [delete, listen] = &judged(&hooks, &silent)[..] else { panic!("two") };
    assert_eq!(delete.rung, "silent");
    assert_eq!(delete.detail, "does not notice sys_exit_unlinkat any more");
    assert_eq!(*listen, hooks[1]);
    assert_eq!(judged(&hooks, &[]), hooks);
}

#[test]
fn a_point_that_nothing_passes_is_never_called_silent() {
    let hooks = [hook("other", "lsm:x", &["a_hook_of_tomorrow"])];
    let all = [Exercise::Thread, Exercise::Name, Exercise::Connection, Exercise::Call(libc::SYS_openat)];
    assert!(!exercised(&hooks[0], &all));
    assert_eq!(judged(&hooks, &all), hooks);
}

#[test]
fn each_step_gets_where_hooks_stand_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let touched = Touched::new(Some(folder.path())).unwrap();
    for touch in [Touch::Unlink, Touch::Rename, Touch::Link, Touch::Mode, Touch::Owner, Touch::Length] {
        touched.touch(touch).unwrap_or_else(|error| panic!("{touch:?}: {error}"));
    }
    let names = |path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(folder.path().to_owned()), ["pulse"]);
    assert!(names(folder.path().join("pulse")).is_empty());
}

#[test]
fn a_step_that_is_stopped_on_its_way_says_nothing() {
    // Nothing can be linked into a folder of proc: the kernel finds that out before it asks anybody.
    let touched = Touched::new(None).unwrap();
    assert!(touched.touch(Touch::Link).is_err());
    assert!(touched.touch(Touch::Rename).is_ok());
}
