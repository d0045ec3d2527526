//! The guest: an initramfs with the tests and the programs they run, taken from this machine with the libraries they need.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::{machine::Machine, suite::Suite};
use crate::{
    command::{output, say},
    setup::{self, foreign::Source},
};

/// What the guest prints when its tests ended well.
pub(super) const PASSED: &str = "vm-test: the tests ended with 0";

/// What the tests run, and busybox for the init script.
const PROGRAMS: [&str; 14] = [
    "/bin/busybox",
    "/bin/sh",
    "/bin/true",
    "/bin/cat",
    "/bin/sleep",
    "/bin/cp",
    "/bin/mkdir",
    "/bin/mount",
    "/bin/readlink",
    "/usr/bin/unshare",
    "/bin/bash",
    "/bin/mv",
    "/bin/su",
    PYTHON,
];
const PYTHON: &str = "/usr/bin/python3";

/// PAM, and modules whose answers are known: below the folder of the libraries of this architecture, where PAM looks for them.
const PAM: [&str; 4] = ["libpam.so.0", "security/pam_permit.so", "security/pam_deny.so", "security/pam_rootok.so"];
const PAM_SU: &str = "auth sufficient pam_rootok.so\naccount required pam_permit.so\nsession required pam_permit.so\n";

/// The packages that hold them where this machine's own cannot run, with the libraries they need.
const PACKAGES: [&str; 25] = [
    "busybox-static",
    "dash",
    "coreutils",
    "mount",
    "util-linux",
    "python3-minimal",
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libc6",
    "libgcc-s1",
    "zlib1g",
    "libexpat1",
    "libssl3",
    "libffi8",
    "libmount1",
    "libblkid1",
    "libselinux1",
    "libpcre2-8-0",
    "libsmartcols1",
    "libacl1",
    "libattr1",
    "libgmp10",
    "libtinfo6",
    "libcap-ng0",
];

/// Prints the files behind the modules that the tests' scripts use, and the folders that Python misses when they are not there.
const LIST_MODULES: &str =
    "import ctypes, encodings.idna, mmap, os, pty, random, resource, signal, socket, sys, threading, time, warnings
print(*filter(os.path.isdir, sys.path), sep='\\n')
print(*filter(None, (getattr(module, '__file__', None) for module in [*sys.modules.values()])), sep='\\n')";

/// The identities the tests take on, by name.
const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";

const INIT: &str = include_str!("init");

/// Where the tests find modules that fit the kernel.
const MODULES: &str = "/modules";

/// Puts the initramfs together and says where it lies.
pub(super) fn build(tests: &str, all: &[String], modules: &Path, machine: &Machine, folder: &Path) -> Result<PathBuf> {
    let root = Root(folder.join("root"));
    setup::make_empty_dir(&root.0)?;
    if machine.is_native() {
        root.add_own(tests)?;
    } else {
        Source::of(machine.debian, false)?.unpack(&PACKAGES, &root.0)?;
        fs::remove_dir_all(root.0.join("usr/share")).context("the packages have documents")?;
        root.add(tests, "/tests")?;
    }
    for module in fs::read_dir(modules).with_context(|| format!("cannot list {}", modules.display()))? {
        let module = module?;
        root.add(&module.path().to_string_lossy(), &format!("{MODULES}/{}", module.file_name().to_string_lossy()))?;
    }
    for suite in Suite::EACH {
        root.write(&format!("/suites/{}", suite.name()), &suite.filters(all).join("\n"))?;
    }
    root.write("/init", INIT)?;
    root.write("/etc/passwd", PASSWD)?;
    root.write("/etc/pam.d/su", PAM_SU)?;
    for point in ["/proc", "/sys", "/dev", "/tmp", "/root"] {
        setup::make_dir(&root.place(point)?)?;
    }
    root.pack(&folder.join("initramfs"))
}

/// The folder that becomes the guest's root.
struct Root(PathBuf);

impl Root {
    /// Where a path of the guest's lies here, with the folder it lies in made.
    fn place(&self, path: &str) -> Result<PathBuf> {
        let place = self.0.join(path.trim_start_matches('/'));
        setup::make_dir(place.parent().context("the root has a parent")?)?;
        Ok(place)
    }

    /// The tests and what they run, as this machine has it.
    fn add_own(&self, tests: &str) -> Result<()> {
        for program in PROGRAMS {
            self.add_program(program, program)?;
        }
        for module in output(Command::new(PYTHON).args(["-c", LIST_MODULES]))?.lines() {
            self.add_program(module, module)?;
        }
        let libraries = format!("/lib/{}-linux-gnu", std::env::consts::ARCH);
        for library in PAM.map(|name| format!("{libraries}/{name}")) {
            self.add_program(&library, &library)?;
        }
        self.add_program(tests, "/tests")
    }

    /// A program, and its libraries where it looks for them.
    fn add_program(&self, program: &str, path: &str) -> Result<()> {
        self.add(program, path)?;
        // ldd fails on static programs, which need nothing.
        let libraries = output(Command::new("ldd").arg(program)).unwrap_or_default();
        let mut paths = libraries.split_whitespace().filter(|word| word.starts_with('/'));
        paths.try_for_each(|library| self.add(library, library))
    }

    /// A file of this machine's, or a folder without its contents.
    fn add(&self, from: &str, path: &str) -> Result<()> {
        let place = self.place(path)?;
        if Path::new(from).is_dir() {
            return setup::make_dir(&place);
        }
        fs::copy(from, &place).with_context(|| format!("cannot copy {from} into the guest"))?;
        Ok(())
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let place = self.place(path)?;
        fs::write(&place, text).with_context(|| format!("cannot write {}", place.display()))?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// Packs all into one archive. Not compressed: the guest would pay for that with emulated instructions.
    fn pack(&self, archive: &Path) -> Result<PathBuf> {
        let names = output(Command::new("find").arg(&self.0).args(["-printf", "%P\\n"]))?;
        let file = File::create(archive).with_context(|| format!("cannot create {}", archive.display()))?;
        let mut cpio = Command::new("cpio")
            .args(["--create", "--format=newc", "--quiet", "--owner=+0:+0"])
            .current_dir(&self.0)
            .stdin(Stdio::piped())
            .stdout(file)
            .spawn()
            .context("cannot start cpio")?;
        // cpio reads all names before it is waited for, and ends when they do.
        cpio.stdin.take().context("cpio has a standard input")?.write_all(names.trim_start().as_bytes())?;
        if !cpio.wait()?.success() {
            bail!("cpio cannot write {}", archive.display());
        }
        let size = fs::metadata(archive)?.len();
        say(&format!("the guest holds {} MiB", size >> 20));
        Ok(archive.to_owned())
    }
}
