//! Rights are given up for good, so each test does it in a process of its own: this test program, started again for one test.

use std::{
    env, fs, io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _},
    path::{Path, PathBuf},
    process::Command,
    ptr, thread,
};

use super::{Needs, keep, paths};

/// Set in the process that gives its rights up: a folder to work in.
const INSIDE: &str = "BONGSU_TEST_INSIDE";

/// Runs `test` of this program in a process that may give its rights up; what it printed.
pub(crate) fn inside(test: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    // With one thread for tests they run on the main thread, and there is no other.
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(INSIDE, folder.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// The folder, in such a process.
pub(crate) fn folder() -> Option<PathBuf> {
    env::var_os(INSIDE).map(PathBuf::from)
}

pub(crate) fn needs(state_dir: &Path, addresses: Vec<String>) -> Needs {
    let failing_calls = crate::probe::pulse_calls().collect();
    Needs { state_dir: Some(state_dir.to_owned()), addresses, ports: Vec::new(), failing_calls }
}

/// A line of /proc/self/task/TID/status of the thread that asks.
pub(crate) fn status(key: &str) -> String {
    let text = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {key} in {text}")).trim().to_owned()
}

#[test]
fn what_is_not_needed_is_refused_and_what_is_needed_works() {
    let said = inside("rights::tests::gives_its_rights_up");
    assert!(said.contains("rights: capabilities "), "{said}");
}

/// errno of a call, 0 when it succeeded.
fn errno(result: libc::c_long) -> i32 {
    if result >= 0 { 0 } else { io::Error::last_os_error().raw_os_error().unwrap() }
}

macro_rules! call {
    ($name:ident $(, $argument:expr)*) => {
        // SAFETY: each call below either fails at once or asks for nothing but a change of rights; pointers are null or to what lives.
        errno(unsafe { libc::syscall(libc::$name $(, $argument)*) })
    };
}

/// Not of its own: run by the test above.
#[test]
fn gives_its_rights_up() {
    let Some(folder) = folder() else { return };
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [allowed, other] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let kept = keep(&needs(&folder, vec![allowed.to_string()]), || true).unwrap();
    println!("rights: {kept}");
    // What each thread started from now on has.
    thread::spawn(move || {
        assert!(["0000000000000000", "0000000000000004"].contains(&status("CapEff").as_str()), "{}", status("CapEff"));
        assert_eq!(status("CapPrm"), status("CapEff"));
        assert_eq!(
            (status("CapInh"), status("CapAmb")),
            ("0000000000000000".to_owned(), "0000000000000000".to_owned())
        );
        assert_eq!((status("NoNewPrivs").as_str(), status("Seccomp").as_str()), ("1", "2"));
        calls_are_refused();
        files_and_ports(&folder, kept.landlock, allowed, other);
    })
    .join()
    .unwrap();
}

fn calls_are_refused() {
    let program = c"/bin/true".as_ptr();
    let nothing = ptr::null::<libc::c_char>();
    let refused = [
        ("mount", call!(SYS_mount, nothing, c"/".as_ptr(), nothing, libc::MS_REMOUNT, nothing)),
        ("bpf: load a program", call!(SYS_bpf, 5, nothing, 0)),
        ("bpf: make a map", call!(SYS_bpf, 0, nothing, 0)),
        ("bpf: open by number", call!(SYS_bpf, 13, nothing, 0)),
        ("perf_event_open", call!(SYS_perf_event_open, nothing, 0, 0, -1, 0)),
        ("execve", call!(SYS_execve, program, nothing, nothing)),
        ("clone: a process", call!(SYS_clone, libc::SIGCHLD, 0, 0, 0, 0)),
        ("ptrace", call!(SYS_ptrace, libc::PTRACE_ATTACH, 1, 0, 0)),
        ("kill", call!(SYS_kill, 1, 0)),
        ("setuid", call!(SYS_setuid, 0)),
        ("capset", call!(SYS_capset, nothing, nothing)),
        ("unshare", call!(SYS_unshare, libc::CLONE_NEWNS)),
        ("init_module", call!(SYS_init_module, nothing, 0, nothing)),
        ("socket: raw", call!(SYS_socket, libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
        ("socket: packet", call!(SYS_socket, libc::AF_PACKET, libc::SOCK_DGRAM, 0)),
        ("listen", call!(SYS_listen, 0, 1)),
        (
            "executable memory",
            call!(SYS_mmap, nothing, 4096, libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0),
        ),
        ("mount, nearly as the pulse does", call!(SYS_mount, -1_i64, -1_i64, -1_i64, -1_i64, -1_i64, 0_i64)),
    ];
    for (what, error) in refused {
        assert_eq!(error, libc::EPERM, "{what}");
    }
    assert_eq!(call!(SYS_clone3, nothing, 0), libc::ENOSYS);
    // The kernel's own answer to what the pulse asks, and not the filter's.
    let minus = -1_i64;
    assert_eq!(call!(SYS_mount, minus, minus, minus, minus, minus, minus), libc::EFAULT);
    assert_eq!(call!(SYS_setns, minus, minus, minus, minus, minus, minus), libc::EBADF);
}

fn files_and_ports(folder: &Path, landlock: paths::Kept, allowed: SocketAddr, other: SocketAddr) {
    let (draft, file) = (folder.join("spool/draft"), folder.join("spool/file"));
    fs::create_dir(folder.join("spool")).unwrap();
    fs::write(&draft, "text").unwrap();
    fs::rename(&draft, &file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "text");
    fs::File::options().write(true).open(&file).unwrap().set_len(1).unwrap();
    fs::remove_file(&file).unwrap();
    fs::read_dir("/etc").unwrap();
    fs::read("/etc/passwd").unwrap();
    ("localhost", 1).to_socket_addrs().expect("names can be looked up");
    let paths::Kept::Abi(abi) = landlock else { return println!("no Landlock here: files and ports are not confined") };
    let outside = folder.parent().unwrap().join(format!("bongsu-outside-{}", std::process::id()));
    assert_eq!(fs::write(&outside, "").unwrap_err().raw_os_error(), Some(libc::EACCES));
    assert!(fs::File::options().append(true).open("/etc/passwd").is_err());
    assert!(fs::remove_file("/etc/passwd").is_err());
    if abi >= 4 {
        TcpStream::connect(allowed).unwrap();
        assert_eq!(TcpStream::connect(other).unwrap_err().raw_os_error(), Some(libc::EACCES));
        assert!(TcpListener::bind("127.0.0.1:0").is_err());
    }
}
