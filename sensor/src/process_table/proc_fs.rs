//! What /proc tells of a process that started before the sensor, or that no record explained.
//!
//! Everything read here is a claim about a pid at some moment; the start time is checked last, so that a pid that was given to
//! another process meanwhile is not mistaken for the first.

use std::{fs, io, os::unix::ffi::OsStringExt as _};

use bongsu_event::{Context, Namespaces, ProcessKey};
use bongsu_sensor_abi::Creds;
use bstr::{BString, ByteSlice};

use crate::opener::{self, Link};

/// Nanoseconds of one tick of /proc, and of process keys.
pub(crate) const TICK_NS: u64 = 10_000_000;

/// The kernel caps a line of arguments at its stack limit, megabytes; a snapshot takes what the table keeps.
const ARGS_MAX: usize = super::ARGS_KEPT;

/// A process as /proc shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) pid: u32,
    pub(crate) start_ticks: u64,
    pub(crate) parent_pid: u32,
    pub(crate) comm: BString,
    pub(crate) executable: BString,
    pub(crate) args: Vec<BString>,
    pub(crate) args_cut: bool,
    pub(crate) cwd: BString,
    pub(crate) creds: Creds,
    pub(crate) cgroup: BString,
    /// Without the pod.
    pub(crate) context: Context,
}

/// All pids that exist now.
pub(crate) fn pids() -> io::Result<Vec<u32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// Reads one process. Kernel threads have no executable, no arguments and no directory worth naming.
pub(crate) fn read(pid: u32) -> io::Result<Shown> {
    let (mut args, args_cut) = arguments(&read_some(&format!("/proc/{pid}/cmdline"))?);
    args.shrink_to_fit();
    let executable = link(pid, Link::Executable);
    let cwd = link(pid, Link::Directory);
    let cgroup = cgroup_path(&fs::read(format!("/proc/{pid}/cgroup")).unwrap_or_default());
    let status = fs::read(format!("/proc/{pid}/status"))?;
    let mut creds = credentials(&status);
    creds.login = fs::read_to_string(format!("/proc/{pid}/loginuid"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(u32::MAX);
    let namespaces = namespaces(pid);
    let stat = stat(pid)?;
    Ok(Shown {
        pid,
        start_ticks: stat.start_ticks,
        parent_pid: stat.parent_pid,
        comm: stat.comm,
        executable: executable.strip_suffix(b" (deleted)").unwrap_or(&executable).into(),
        args,
        args_cut,
        cwd,
        creds,
        cgroup,
        context: Context {
            session: (stat.session != 0).then_some(stat.session),
            terminal: terminal(stat.terminal),
            capabilities: capabilities(&status),
            namespaces,
            pod: None,
            container_names: None,
        },
    })
}

/// When the process that has this pid now started, in ticks since boot.
pub(crate) fn start_ticks(pid: u32) -> io::Result<u64> {
    Ok(stat(pid)?.start_ticks)
}

/// Whether that very process is there, if only as a zombie.
pub(crate) fn runs(key: ProcessKey) -> bool {
    start_ticks(key.pid).is_ok_and(|start| start == key.start)
}

struct Stat {
    comm: BString,
    parent_pid: u32,
    session: u32,
    /// Its device number, 0 for none.
    terminal: u32,
    start_ticks: u64,
}

fn stat(pid: u32) -> io::Result<Stat> {
    let bytes = fs::read(format!("/proc/{pid}/stat"))?;
    parse_stat(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is garbled")))
}

/// The name stands in parentheses and may hold any byte, parentheses too: the last one ends it.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let (open, close) = (bytes.find_byte(b'(')?, bytes.rfind_byte(b')')?);
    let comm = bytes.get(open + 1..close)?.into();
    let rest = bytes.get(close + 1..)?.to_str().ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let parent_pid = fields.nth(1)?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let terminal: i32 = fields.next()?.parse().ok()?;
    let start_ticks = fields.nth(14)?.parse().ok()?;
    Some(Stat { comm, parent_pid, session, terminal: terminal.cast_unsigned(), start_ticks })
}

/// The terminal with that number, as it lies under /dev. The pseudo-terminals have major 136; sysfs knows the others.
fn terminal(device: u32) -> Option<BString> {
    // The way the kernel shows such numbers to userland: the minor's low byte, the major, the rest of the minor.
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
    match major {
        0 => None,
        136 => Some(format!("pts/{minor}").into()),
        _ => {
            let path = fs::read_link(format!("/sys/dev/char/{major}:{minor}")).ok()?;
            Some(path.file_name()?.to_owned().into_vec().into())
        }
    }
}

/// Effective ones.
fn capabilities(status: &[u8]) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(b"CapEff:"))?;
    u64::from_str_radix(line.to_str().ok()?.trim(), 16).ok()
}

/// All of them or none, for a process may be gone while we ask.
fn namespaces(pid: u32) -> Option<Namespaces> {
    let number = |name: Link| -> Option<u32> {
        let link = link(pid, name);
        link.find_byte(b'[').and_then(|at| link.get(at + 1..)?.strip_suffix(b"]")?.to_str().ok()?.parse().ok())
    };
    Some(Namespaces {
        mount: number(Link::MountNamespace)?,
        pid: number(Link::PidNamespace)?,
        net: number(Link::NetNamespace)?,
        user: number(Link::UserNamespace)?,
    })
}

fn read_some(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, ARGS_MAX as u64 + 1), &mut bytes)?;
    Ok(bytes)
}

fn arguments(bytes: &[u8]) -> (Vec<BString>, bool) {
    let cut = bytes.len() > ARGS_MAX;
    let bytes = bytes.get(..ARGS_MAX).unwrap_or(bytes);
    if bytes.is_empty() {
        return (Vec::new(), false);
    }
    (bytes.strip_suffix(b"\0").unwrap_or(bytes).split_str(b"\0").map(BString::from).collect(), cut)
}

fn link(pid: u32, link: Link) -> BString {
    opener::link(pid, link).unwrap_or_default().into()
}

/// The controllers that runtimes have a container of its own in, the likeliest first. Newer kernels know the first one in version 2 only.
pub(crate) const CONTROLLERS: [&str; 5] = ["memory", "pids", "cpu", "devices", "freezer"];

/// The first of them that has a hierarchy of version 1, by the lines of a process's cgroup file.
pub(crate) fn container_controller(hierarchies: &[u8]) -> Option<&'static str> {
    CONTROLLERS.into_iter().find(|controller| in_hierarchy(hierarchies, controller).is_some())
}

/// Where the process is in the hierarchy of that controller; the unified one's has no name.
fn in_hierarchy(hierarchies: &[u8], controller: &str) -> Option<BString> {
    hierarchies.lines().find_map(|line| {
        let mut parts = line.splitn_str(3, b":");
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        controllers.split_str(b",").any(|name| name == controller.as_bytes()).then(|| BString::from(path))
    })
}

/// The path in the unified hierarchy, and below it that in the hierarchy of version 1; as the kernel programs tell it.
fn cgroup_path(hierarchies: &[u8]) -> BString {
    let names = [Some(""), container_controller(hierarchies)].into_iter().flatten();
    let paths = names.filter_map(|name| in_hierarchy(hierarchies, name)).filter(|path| path != "/");
    paths.fold(BString::default(), |mut whole, path| {
        whole.extend_from_slice(&path);
        whole
    })
}

fn credentials(status: &[u8]) -> Creds {
    let ids = |name: &[u8]| -> [u32; 3] {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let mut fields = line.fields().filter_map(|field| field.to_str().ok()?.parse().ok());
        std::array::from_fn(|_| fields.next().unwrap_or(u32::MAX))
    };
    let ([uid, euid, suid], [gid, egid, sgid]) = (ids(b"Uid:"), ids(b"Gid:"));
    Creds { uid, gid, suid, sgid, euid, egid, login: u32::MAX, reserved: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = b"42 (a) b) c) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 999 1\n";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.comm.as_slice(), stat.parent_pid, stat.start_ticks), (b"a) b) c".as_slice(), 7, 12345));
        assert_eq!((stat.session, stat.terminal), (1, 0));
    }

    #[test]
    fn this_process_is_read_as_it_is() {
        let shown = read(std::process::id()).unwrap();
        assert_eq!(shown.executable, std::env::current_exe().unwrap().into_os_string().into_vec());
        assert_eq!(shown.args[0], std::env::args_os().next().unwrap().into_vec());
        assert_eq!(shown.cwd, std::env::current_dir().unwrap().into_os_string().into_vec());
        assert_eq!(shown.creds.uid, nix::unistd::getuid().as_raw());
        assert_eq!(shown.start_ticks, start_ticks(std::process::id()).unwrap());
    }

    #[test]
    fn both_hierarchies_are_told() {
        assert_eq!(cgroup_path(b"5:cpu,memory:/docker/x\n0::/\n"), "/docker/x");
        assert_eq!(cgroup_path(b"9:name=systemd:/a\n8:cpu,cpuacct:/b\n7:pids:/docker/x\n"), "/docker/x");
        let both = b"5:memory:/docker/x\n0::/system.slice/docker.service\n";
        assert_eq!(cgroup_path(both), "/system.slice/docker.service/docker/x");
        assert_eq!(cgroup_path(b"0::/system.slice/a.service\n"), "/system.slice/a.service");
        assert_eq!(cgroup_path(b""), "");
    }

    #[test]
    fn fuzz_proc() {
        let files = ["stat", "status", "cgroup", "cmdline"].map(|name| fs::read(format!("/proc/self/{name}")).unwrap());
        crate::fuzz::fuzz(files.to_vec(), |bytes| {
            let _total = (credentials(bytes), arguments(bytes));
            parse_stat(bytes).is_some() || capabilities(bytes).is_some() || !cgroup_path(bytes).is_empty()
        });
    }
}
