//! In a process of its own each, as rights are given up there: see the tests of [`crate::rights`].

use std::{
    fs,
    io::Read as _,
    process::{Command, Stdio},
};

use super::{IMAGE, Link, image, link, start};
use crate::rights;

#[test]
fn the_opener_opens_what_a_confined_sensor_may_not_and_ends_with_it() {
    let said = rights::tests::inside("opener::tests::asks_the_opener");
    let pid: u32 = said.split("opener ").find_map(|rest| rest.split_whitespace().next()?.parse().ok()).expect(&said);
    let path = format!("/proc/{pid}/status");
    // It is nobody's child any more, and ends by itself as soon as it is scheduled.
    for _ in 0..1_000 {
        match fs::read_to_string(&path) {
            Err(_) => return,
            Ok(status) if status.contains("State:\tZ") || !status.starts_with("Name:\tbongsu-opener") => return,
            Ok(_) => std::thread::yield_now(),
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("the opener {pid} goes on");
}

/// Not of its own: run by the test above.
#[test]
#[expect(clippy::zombie_processes, reason = "waiting for a child is a right that is given up here")]
fn asks_the_opener() {
    let Some(folder) = rights::tests::folder() else { return };
    // It ends with us, when its input does.
    let other = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let expected = fs::canonicalize("/bin/cat").unwrap();
    // The child is not yet the other program when spawn returns on every system: wait until it is.
    while fs::read_link(format!("/proc/{}/exe", other.id())).unwrap() != expected {
        std::thread::yield_now();
    }
    let opener = start().unwrap();
    let kept = rights::keep(&rights::tests::needs(&folder, Vec::new()), || true).unwrap();
    let confined = fs::read_link(format!("/proc/{}/exe", other.id())).is_err();
    assert_eq!(confined, kept.to_string().contains("abi"), "{kept}");
    opener.hand_over();

    assert_eq!(link(other.id(), Link::Executable).unwrap(), expected.as_os_str().as_encoded_bytes());
    assert!(link(other.id(), Link::MountNamespace).unwrap().starts_with(b"mnt:["));
    let mut start = [0; 4];
    image(other.id()).unwrap().read_exact(&mut start).unwrap();
    assert_eq!(&start, b"\x7fELF");
    assert_eq!(image(u32::MAX).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    let nonsense = super::IN_FORCE.get().unwrap().ask(IMAGE - 1, other.id());
    assert_eq!(nonsense.unwrap_err().raw_os_error(), Some(libc::EINVAL));

    let pid = opener_of(std::process::id());
    println!("opener {pid}");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let says = |line: &str| status.lines().any(|known| known == line);
    // DAC_READ_SEARCH and SYS_PTRACE, for a test that is root.
    assert!(says("CapEff:\t0000000000080004") || says("CapEff:\t0000000000000000"), "{status}");
    assert!(says("NoNewPrivs:\t1") && says("Seccomp:\t2"), "{status}");
    let held = fs::read_dir(format!("/proc/{pid}/fd")).map_or(4, Iterator::count);
    assert!(held <= 4, "it holds {held} descriptors");
}

fn opener_of(parent: u32) -> u32 {
    let is_opener = |pid: &u32| fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name == b"bongsu-opener\n");
    // Children are listed by the thread that made them.
    let threads = fs::read_dir(format!("/proc/{parent}/task")).unwrap();
    let children = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("children")).unwrap());
    let children: String = children.collect();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_opener).unwrap()
}
