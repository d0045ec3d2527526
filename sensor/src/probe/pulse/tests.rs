use super::*;

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
