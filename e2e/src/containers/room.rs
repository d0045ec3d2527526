//! A room: a pid namespace, a mount namespace and a cgroup, so that whatever a runtime leaves behind goes with its story.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::wait;

/// Where the packages are unpacked; `cargo xtask test` says it.
const PACKAGES: &str = "BONGSU_CONTAINER_RUNTIMES";
/// Why they are not.
const NO_PACKAGES: &str = "BONGSU_NO_CONTAINER_RUNTIMES";
/// For what the kernel does at once, as soon as it comes to it.
const SOON: Duration = Duration::from_secs(20);

/// A room with nothing in it but a process that waits.
pub struct Room {
    unshare: Child,
    /// The first process of the pid namespace, as the host knows it: all others go with it.
    first: u32,
    packages: PathBuf,
    cgroup: String,
    folder: tempfile::TempDir,
}

impl Room {
    /// Opens one; `None`, said aloud, on a machine where nobody can run containers.
    ///
    /// # Errors
    /// When the packages are missing without a reason, or the room cannot be made where it should be possible.
    pub fn open() -> Result<Option<Self>> {
        if let Some(why) = why_not()? {
            // Past the capture of tests that pass: a story that was not told must not look like one that was.
            writeln!(io::stderr(), "SKIPPED, no container runtime can be tried here: {why}")?;
            return Ok(None);
        }
        let packages = PathBuf::from(std::env::var_os(PACKAGES).context("cargo xtask test unpacks the runtimes")?);
        let folder = tempfile::Builder::new().prefix("bongsu-room-").tempdir_in("/var/tmp")?;
        let unshare = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sleep", "infinity"])
            .stdin(Stdio::null())
            // Its end is not one that it likes.
            .stderr(File::create(folder.path().join("unshare.log"))?)
            .spawn()
            .context("cannot start unshare")?;
        let cgroup = format!("bongsu-e2e-{}", unshare.id());
        let mut room = Self { unshare, first: 0, packages, cgroup, folder };
        room.first = only_child(room.unshare.id(), "sleep")?;
        Ok(Some(room))
    }

    /// Starts a program of the packages, or of the host, in here; gives its pid as the host knows it. Its output goes to that file.
    pub(super) fn start(&self, program: &str, arguments: &[&str], log: &Path) -> Result<Inhabitant> {
        let out = File::options().create(true).append(true).open(log)?;
        let nsenter = self.command(program, arguments)?.stdout(out.try_clone()?).stderr(out).spawn()?;
        let mut inhabitant = Inhabitant { nsenter, pid: 0, log: log.to_owned() };
        inhabitant.pid = only_child(inhabitant.nsenter.id(), program)?;
        Ok(inhabitant)
    }

    /// Runs a program in here to its end.
    pub(super) fn run(&self, program: &str, arguments: &[&str]) -> Result<Output> {
        let output = self.command(program, arguments)?.output()?;
        ensure!(
            output.status.success(),
            "{program} {} ended with {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(output)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Result<Command> {
        ensure!(self.first != 0, "the room is not open yet");
        let below = |folders: &[&str]| folders.iter().map(|folder| self.packages.join(folder)).collect::<Vec<_>>();
        let mut path = below(&["usr/sbin", "usr/bin", "sbin", "bin"]);
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        let libraries = below(&[&format!("usr/lib/{triplet}"), &format!("lib/{triplet}")]);
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--mount", "--pid", "--", "env"]);
        command.arg(assigned("PATH", std::env::join_paths(path)?));
        command.arg(assigned("LD_LIBRARY_PATH", std::env::join_paths(libraries)?));
        command.arg(program).args(arguments).stdin(Stdio::null());
        Ok(command)
    }

    /// A file of the room.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The cgroup below which everything here is to stand, in each hierarchy.
    pub(super) fn cgroup(&self) -> &str {
        &self.cgroup
    }

    /// The busybox among the packages.
    pub(super) fn busybox(&self) -> Result<PathBuf> {
        let places = ["usr/bin/busybox", "bin/busybox"].map(|place| self.packages.join(place));
        places.into_iter().find(|place| place.is_file()).context("busybox is not among the packages")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // The kernel ends all processes of the namespace with its first one.
        let first = i32::try_from(self.first).unwrap_or(0);
        if first == 0 || kill(Pid::from_raw(first), Signal::SIGKILL).is_err() {
            let (Ok(()) | Err(_)) = self.unshare.kill();
        }
        let (Ok(_) | Err(_)) = self.unshare.wait();
        for root in cgroup_roots().unwrap_or_default() {
            let ours = root.join(&self.cgroup);
            // Those that end hold their cgroups until they have.
            let gone = wait::until("the cgroups are empty", SOON, || remove(&ours));
            if let Err(error) = gone {
                let (Ok(()) | Err(_)) = writeln!(io::stderr(), "{} stays: {error:#}", ours.display());
            }
        }
    }
}

/// A program that runs in a room.
pub(super) struct Inhabitant {
    nsenter: Child,
    pid: u32,
    log: PathBuf,
}

impl Inhabitant {
    /// Waits until `look` has an answer, or the program has ended.
    pub(super) fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Result<T>) -> Result<T> {
        let answer = wait::until(what, SOON, || match self.nsenter.try_wait()? {
            None => look().map(Some),
            Some(_) => Ok(None),
        });
        let log = || fs::read_to_string(&self.log).unwrap_or_default();
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => bail!("{what}: it has ended, and printed:\n{}", log()),
            Err(error) => Err(error.context(format!("it prints:\n{}", log()))),
        }
    }

    /// Asks it to end, and waits for it.
    pub(super) fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGTERM).context("it had ended")?;
        wait::until("the runtime ends", SOON, || self.nsenter.try_wait()?.context("it goes on")).map(drop)
    }
}

impl Drop for Inhabitant {
    fn drop(&mut self) {
        // The program itself goes with its room.
        let (Ok(()) | Err(_)) = self.nsenter.kill();
        let (Ok(_) | Err(_)) = self.nsenter.wait();
    }
}

fn assigned(name: &str, value: OsString) -> OsString {
    let mut word = OsString::from(format!("{name}="));
    word.push(value);
    word
}

/// The pid of the one child, once it runs that program.
fn only_child(parent: u32, program: &str) -> Result<u32> {
    wait::until(&format!("{program} runs"), SOON, || {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
        let child: u32 = children.split_whitespace().next().context("there is no child")?.parse()?;
        let comm = fs::read_to_string(format!("/proc/{child}/comm"))?;
        ensure!(program.starts_with(comm.trim_end()), "the child is {comm}");
        Ok(child)
    })
}

/// Why no container can be run on this machine; `None` when it can.
fn why_not() -> Result<Option<String>> {
    if let Some(why) = std::env::var_os(NO_PACKAGES) {
        return Ok(Some(why.to_string_lossy().into_owned()));
    }
    let namespaces = Command::new("unshare").args(["--mount", "--pid", "--fork", "--mount-proc", "true"]).output();
    match namespaces {
        Ok(tried) if tried.status.success() => {}
        Ok(tried) => return Ok(Some(String::from_utf8_lossy(&tried.stderr).trim().to_owned())),
        Err(error) => return Ok(Some(format!("unshare: {error}"))),
    }
    let roots = cgroup_roots()?;
    if roots.is_empty() {
        return Ok(Some("no cgroups are mounted".to_owned()));
    }
    // Pods are given a share of the processor.
    if let [only] = &roots[..]
        && let Ok(controllers) = fs::read_to_string(only.join("cgroup.controllers"))
        && !controllers.split_whitespace().any(|controller| controller == "cpu")
    {
        return Ok(Some(format!("{} has no cpu controller", only.display())));
    }
    for root in roots {
        let trial = root.join(format!("bongsu-e2e-trial-{}", std::process::id()));
        if let Err(error) = fs::create_dir(&trial).and_then(|()| fs::remove_dir(&trial)) {
            return Ok(Some(format!("no cgroup can be made in {}: {error}", root.display())));
        }
    }
    Ok(None)
}

/// Where hierarchies of cgroups are mounted.
fn cgroup_roots() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let root = |line: &str| {
        let mut words = line.split(' ');
        let (path, kind) = (words.nth(1)?, words.next()?);
        kind.starts_with("cgroup").then(|| PathBuf::from(path))
    };
    let mut roots: Vec<PathBuf> = mounts.lines().filter_map(root).collect();
    roots.sort();
    roots.dedup();
    Ok(roots)
}

/// Removes a cgroup and those below it; one that is not there is as good.
fn remove(cgroup: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(cgroup) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(cgroup)
}
