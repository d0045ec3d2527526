//! From patterns to the files there are: in a thread of its own, because a file system of another machine may never answer.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use ahash::{AHashMap, AHashSet};
use bongsu_sensor_abi::SENSITIVE_MAX;
use bstr::ByteSlice as _;
use glob::{MatchOptions, Pattern};

use crate::decode::FileIdentity;

/// How often all patterns are looked up again.
const EVERY: Duration = Duration::from_secs(30);
/// On a host with so many homes that looking takes long, not more than this part of the time goes into it.
const PAUSE: u32 = 500;
/// The first answer is waited for, so that nothing is missed after the start; a file system that does not answer must not hold the sensor.
const FIRST_WITHIN: Duration = Duration::from_secs(2);
/// Homes that are looked into, first come first served in the user database.
const HOMES_MAX: usize = 256;
/// Users below this are services; their homes hold other things. Root is not.
const FIRST_PERSON: u32 = 1000;
/// In these a name may be anywhere else, and a look may take for ever.
const DISTANT: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "autofs", "ceph", "9p", "fuse"];

/// `*` and `?` stay within one part of a path.
const WITHIN_A_NAME: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: AHashSet<FileIdentity>,
    pub(super) listed: Listed,
}

/// The patterns with the homes put in: which paths they mean, whether or not there is a file.
#[derive(Debug, Default)]
pub(super) struct Listed {
    plain: AHashSet<Vec<u8>>,
    /// By the folder before the first wildcard.
    wild: AHashMap<PathBuf, Vec<Pattern>>,
}

impl Listed {
    fn of(patterns: &[PathBuf], homes: &[PathBuf]) -> Self {
        let mut listed = Self::default();
        for pattern in patterns.iter().flat_map(|pattern| at_home(pattern, homes)) {
            match wildcard_folder(&pattern) {
                None => drop(listed.plain.insert(pattern.into_os_string().into_encoded_bytes())),
                Some(folder) => {
                    if let Some(pattern) = pattern.to_str().and_then(|pattern| Pattern::new(pattern).ok()) {
                        listed.wild.entry(folder).or_default().push(pattern);
                    }
                }
            }
        }
        listed
    }

    /// Whether a pattern means this path.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        if self.plain.contains(path) {
            return true;
        }
        let path = Path::new(OsStr::from_bytes(path));
        let patterns = path.ancestors().skip(1).filter_map(|folder| self.wild.get(folder)).flatten();
        patterns.into_iter().any(|pattern| pattern.matches_path_with(path, WITHIN_A_NAME))
    }

    /// The files that are there.
    fn files(&self) -> AHashSet<FileIdentity> {
        let plain = self.plain.iter().map(|path| PathBuf::from(OsStr::from_bytes(path)));
        let expand = |pattern: &Pattern| glob::glob_with(pattern.as_str(), WITHIN_A_NAME).ok();
        // A folder that cannot be listed holds nothing that we could open either.
        let wild = self.wild.values().flatten().filter_map(expand).flatten().filter_map(Result::ok);
        plain
            .chain(wild)
            .filter_map(|path| fs::metadata(path).ok())
            .filter(fs::Metadata::is_file)
            .map(|metadata| FileIdentity { device: kernel_device(metadata.dev()), inode: metadata.ino() })
            .take(SENSITIVE_MAX as usize)
            .collect()
    }
}

/// A pattern with each home in the place of its `~`; one without stays as it is.
fn at_home(pattern: &Path, homes: &[PathBuf]) -> Vec<PathBuf> {
    match pattern.strip_prefix("~") {
        Ok(rest) => homes.iter().map(|home| home.join(rest)).collect(),
        Err(_) => vec![pattern.to_owned()],
    }
}

/// The folder above the first part that has a wildcard; `None` when none has.
fn wildcard_folder(pattern: &Path) -> Option<PathBuf> {
    let is_wild = |part: &Path| part.as_os_str().as_bytes().find_byteset(b"*?[").is_some();
    pattern.ancestors().filter(|part| is_wild(part)).last().and_then(Path::parent).map(Path::to_owned)
}

/// stat(2)'s device number in the encoding of the kernel's own structs.
fn kernel_device(device: u64) -> u32 {
    (libc::major(device) << 20) | libc::minor(device)
}

/// The homes of root and of people, by the user database, but for those on other machines.
fn homes(passwd: &Path) -> Vec<PathBuf> {
    let distant = distant_mounts(&fs::read("/proc/self/mountinfo").unwrap_or_default());
    homes_in(&fs::read(passwd).unwrap_or_default())
        .into_iter()
        .filter(|home| !distant.iter().any(|mount| home.starts_with(mount)))
        .take(HOMES_MAX)
        .collect()
}

/// `name:password:uid:gid:comment:home:shell`.
fn homes_in(passwd: &[u8]) -> Vec<PathBuf> {
    let home = |line: &[u8]| {
        let fields: Vec<&[u8]> = line.split_str(b":").collect();
        let uid: u32 = fields.get(2)?.to_str().ok()?.parse().ok()?;
        let home = Path::new(OsStr::from_bytes(fields.get(5)?));
        let person = uid == 0 || (FIRST_PERSON..65_534).contains(&uid);
        (person && home.is_absolute() && home != Path::new("/")).then(|| home.to_owned())
    };
    let mut homes = Vec::new();
    for home in passwd.lines().filter_map(home) {
        if !homes.contains(&home) {
            homes.push(home);
        }
    }
    homes
}

/// Where file systems of other machines are mounted (proc(5), mountinfo).
fn distant_mounts(mountinfo: &[u8]) -> Vec<PathBuf> {
    let distant = |line: &[u8]| {
        let (before, after) = line.split_once_str(" - ")?;
        let kind = after.split_str(" ").next()?;
        let is_distant = DISTANT.iter().any(|name| kind == name.as_bytes()) || kind.starts_with(b"fuse.");
        let point = before.split_str(" ").nth(4)?;
        is_distant.then(|| PathBuf::from(OsStr::from_bytes(point)))
    };
    mountinfo.lines().filter_map(distant).collect()
}

/// The thread, from outside. It ends when this goes.
pub(super) struct Finder {
    ask: SyncSender<()>,
    found: Receiver<Found>,
}

impl Finder {
    /// Starts the thread, and waits a while for its first answer.
    pub(super) fn start(patterns: Vec<PathBuf>, passwd: PathBuf) -> io::Result<(Self, Found)> {
        let (ask, asked) = sync_channel(1);
        // One answer waits; the thread waits with the next until it was taken.
        let (tell, found) = sync_channel(1);
        thread::Builder::new()
            .name("probe-sensitive".to_owned())
            .spawn(move || run(&patterns, &passwd, &asked, &tell))?;
        let first = found.recv_timeout(FIRST_WITHIN).unwrap_or_else(|_| {
            tracing::warn!("a file system does not answer: reads of sensitive files are not told until it does");
            Found::default()
        });
        Ok((Self { ask, found }, first))
    }

    /// Something may have changed: looks again soon.
    pub(super) fn look(&self) {
        // Full when it is asked already.
        let (Ok(()) | Err(_)) = self.ask.try_send(());
    }

    /// What was found since the last time; `None` when nothing new.
    pub(super) fn take(&self) -> Option<Found> {
        self.found.try_iter().last()
    }
}

fn run(patterns: &[PathBuf], passwd: &Path, asked: &Receiver<()>, tell: &SyncSender<Found>) {
    loop {
        let start = Instant::now();
        let listed = Listed::of(patterns, &homes(passwd));
        let found = Found { files: listed.files(), listed };
        if tell.send(found).is_err() {
            return;
        }
        match asked.recv_timeout(EVERY.max(start.elapsed() * PAUSE)) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_roots_and_peoples_each_once_and_not_of_other_machines() {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/var/www:/bin/false\nann:x:1000:1000:A:/home/ann:/bin/sh\n\
            bob:x:1001:1001::/home/ann:/bin/sh\nnobody:x:65534:65534::/nonexistent:/x\neve:x:1002:1002::/:/x\nbroken:x\n";
        assert_eq!(homes_in(passwd), [PathBuf::from("/root"), "/home/ann".into()]);
        let mounts =
            b"36 35 98:0 / / rw shared:1 - ext4 /dev/a rw\n40 36 0:40 / /home rw shared:2 - nfs4 srv:/home rw\n\
            41 36 0:41 / /mnt/s rw - fuse.sshfs x rw\n";
        assert_eq!(distant_mounts(mounts), [PathBuf::from("/home"), "/mnt/s".into()]);
    }

    #[test]
    fn a_pattern_means_paths_with_its_wildcards_filled_within_one_name() {
        let patterns = ["/etc/shadow", "/etc/ssh/ssh_host_*_key", "~/.ssh/id_*", "/p/*/k/*.pem"].map(PathBuf::from);
        let listed = Listed::of(&patterns, &["/root".into(), "/home/ann".into()]);
        for path in
            ["/etc/shadow", "/etc/ssh/ssh_host_rsa_key", "/root/.ssh/id_x", "/home/ann/.ssh/id_rsa", "/p/.a/k/b.pem"]
        {
            assert!(listed.has(path.as_bytes()), "{path}");
        }
        for path in [
            "/etc/shadow2",
            "/etc/ssh/ssh_host_a/b_key",
            "/home/bob/.ssh/id_rsa",
            "/p/a/b/k/c.pem",
            "",
            "/",
            "~/.ssh/id_x",
        ] {
            assert!(!listed.has(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn files_are_found_behind_wildcards_and_homes_and_new_ones_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("ann");
        fs::create_dir_all(home.join(".ssh")).unwrap();
        fs::write(home.join(".ssh/id_a"), "a").unwrap();
        let passwd = folder.path().join("passwd");
        fs::write(&passwd, format!("ann:x:1000:1000::{}:/bin/sh\n", home.display())).unwrap();
        let (finder, first) = Finder::start(vec!["~/.ssh/id_*".into()], passwd).unwrap();
        let inode = |name: &str| fs::metadata(home.join(name)).unwrap().ino();
        let inodes = |found: &Found| found.files.iter().map(|file| file.inode).collect::<AHashSet<_>>();
        assert_eq!(inodes(&first), [inode(".ssh/id_a")].into());
        fs::write(home.join(".ssh/id_b"), "b").unwrap();
        finder.look();
        let second = finder.found.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(inodes(&second), [inode(".ssh/id_a"), inode(".ssh/id_b")].into());
    }
}
