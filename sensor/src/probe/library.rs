//! Hooks on functions of libraries and programs: libpam's, and the one by which shells read a line.
//!
//! The kernel watches a file and not a path. A package that is upgraded puts another file in the place, which nobody watches: so the path is looked at
//! again when an event says that such a file was made, and every [`EVERY`]. Programs that still run on the file before it are watched there,
//! too, until the next one comes. A hook whose new file cannot be watched is told as silent, and tried again.
//!
//! Files in containers are others, and are not watched.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aya::{
    Ebpf,
    programs::{
        Program, ProgramError,
        uprobe::{UProbeError, UProbeLinkId, UProbeScope},
    },
};
use bongsu_event::{Activity, FileOperation};
use tokio::sync::watch;

use super::{
    Hook,
    attach::{NEEDLESS, RungError, chain},
    pulse::{self, SILENT},
};

/// How often all paths are looked up again.
const EVERY: Duration = Duration::from_secs(30);

/// Program and function, each.
type Functions = &'static [(&'static str, &'static str)];

const PAM: Functions = &[
    ("pam_starting", "pam_start"),
    ("pam_started", "pam_start"),
    ("pam_starting_in", "pam_start_confdir"),
    ("pam_started", "pam_start_confdir"),
    ("pam_setting_item", "pam_set_item"),
    ("pam_item_set", "pam_set_item"),
    ("pam_asking_user", "pam_get_user"),
    ("pam_user_known", "pam_get_user"),
    ("pam_asked", "pam_authenticate"),
    ("pam_decided", "pam_authenticate"),
];
const SHELL: Functions = &[("line_typed", "readline")];
/// Since PAM 1.4.
const OPTIONAL: &str = "pam_start_confdir";

/// Where ld.so looks for a library of this architecture when nobody tells it otherwise.
fn library(name: &str) -> Vec<PathBuf> {
    let architecture = std::env::consts::ARCH;
    let multiarch = ["/lib", "/usr/lib"].map(|root| format!("{root}/{architecture}-linux-gnu"));
    let others = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(str::to_owned);
    multiarch.into_iter().chain(others).map(|folder| Path::new(&folder).join(name)).collect()
}

/// Where libpam may lie; the first that is there counts.
pub(crate) fn pam() -> Vec<PathBuf> {
    library("libpam.so.0")
}

/// Where the function lies by which shells read a line: in bash itself, as most distributions build it, or in a library, which other
/// programs use as well.
pub(crate) fn shells() -> Vec<PathBuf> {
    let bash = ["/bin/bash", "/usr/bin/bash"].map(PathBuf::from);
    bash.into_iter().chain(library("libreadline.so.8")).collect()
}

/// A file, and whether it is still as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        let changed = (file.mtime(), file.mtime_nsec());
        Ok(Self { device: file.dev(), inode: file.ino(), size: file.size(), changed })
    }

    fn same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// A file whose functions are watched. Links are detached when the object goes, or by [`Attached::detach`].
struct Attached {
    path: PathBuf,
    identity: Identity,
    /// With program and function.
    links: Vec<(&'static str, &'static str, UProbeLinkId)>,
}

/// A hook and where it stands.
struct Watched {
    hook: &'static str,
    functions: Functions,
    /// Best first.
    paths: Vec<PathBuf>,
    /// What is said of it while there is no file.
    without: &'static str,
    /// What was said of it last.
    said: Option<Hook>,
    now: Option<Attached>,
    before: Option<Attached>,
}

/// What the hooks on functions say of themselves once they have moved: stronger than what they said at the start.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved(Arc<Mutex<Vec<Hook>>>);

impl Moved {
    /// Puts what is newer in the place of what is older.
    pub(super) fn over(&self, hooks: &mut [Hook]) {
        for moved in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for hook in hooks.iter_mut().filter(|hook| hook.name == moved.name) {
                hook.clone_from(moved);
                pulse::not_exercised(hook);
            }
        }
    }

    fn note(&self, hook: &Hook) {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.retain(|older| older.name != hook.name);
        moved.push(hook.clone());
    }
}

/// All hooks on functions. Owned by the reader, for it owns the object.
pub(super) struct Libraries {
    watched: Vec<Watched>,
    looked: Instant,
    /// Something was put in the place of a file.
    replaced: bool,
    moved: Moved,
    told: Option<watch::Sender<Vec<Hook>>>,
}

impl Libraries {
    /// Attaches what can be attached. No path for shells: nobody asked for their lines.
    pub(super) fn attach(ebpf: &mut Ebpf, pam: &[PathBuf], shells: &[PathBuf]) -> (Self, Vec<Hook>) {
        let no_shell = if shells.is_empty() { "not asked for (probes.shell_lines)" } else { "no bash on this host" };
        let mut watched = vec![
            Watched::new("authentication", PAM, pam, "no PAM on this host"),
            Watched::new("shell-line", SHELL, shells, no_shell),
        ];
        let hooks = watched.iter_mut().filter_map(|watched| watched.news(ebpf)).collect();
        let libraries = Self { watched, looked: Instant::now(), replaced: false, moved: Moved::default(), told: None };
        (libraries, hooks)
    }

    /// Whom to tell of changes.
    pub(super) fn tell(&mut self, told: watch::Sender<Vec<Hook>>, moved: Moved) {
        self.told = Some(told);
        self.moved = moved;
    }

    /// Looks the paths up again at the next chance when that may have become necessary.
    pub(super) fn follow(&mut self, activity: &Activity) {
        let Activity::File(file) = activity else { return };
        let made = matches!(file.operation, FileOperation::Create | FileOperation::Rename);
        // A library is mostly a symbolic link, to a name that begins with its own.
        let name = Path::new(std::ffi::OsStr::from_bytes(&file.path)).file_name().unwrap_or_default().as_bytes();
        let mut paths = self.watched.iter().flat_map(|watched| &watched.paths);
        let is_ours = |path: &PathBuf| path.file_name().is_some_and(|ours| name.starts_with(ours.as_bytes()));
        self.replaced |= made && paths.any(is_ours);
    }

    /// Looks the paths up again when that was asked for, or is due.
    pub(super) fn refresh(&mut self, ebpf: &mut Ebpf) {
        if !self.replaced && self.looked.elapsed() < EVERY {
            return;
        }
        (self.looked, self.replaced) = (Instant::now(), false);
        for watched in &mut self.watched {
            let Some(hook) = watched.news(ebpf) else { continue };
            tracing::info!(hook = hook.name, rung = hook.rung, detail = hook.detail, "a hook stands elsewhere");
            self.moved.note(&hook);
            if let Some(told) = &self.told {
                told.send_if_modified(|hooks| {
                    let before = hooks.clone();
                    self.moved.over(hooks);
                    *hooks != before
                });
            }
        }
    }
}

impl Watched {
    fn new(hook: &'static str, functions: Functions, paths: &[PathBuf], without: &'static str) -> Self {
        Self { hook, functions, paths: paths.to_vec(), without, said: None, now: None, before: None }
    }

    /// Attaches to the file that is there; where the hook stands, when that is elsewhere than before.
    fn news(&mut self, ebpf: &mut Ebpf) -> Option<Hook> {
        let hook = self.look(ebpf)?;
        if self.said.as_ref() == Some(&hook) {
            return None;
        }
        self.said = Some(hook.clone());
        Some(hook)
    }

    /// `None` when the file is watched already. One that cannot be watched is tried again with each call.
    fn look(&mut self, ebpf: &mut Ebpf) -> Option<Hook> {
        let mut refused = Vec::new();
        for path in &self.paths {
            let Ok(identity) = Identity::of(path) else { continue };
            if self.now.as_ref().is_some_and(|now| now.identity == identity) {
                return None;
            }
            // One that was written over in its place: what stands on it stands somewhere in the middle of other functions now.
            if let Some(now) = self.now.take_if(|now| now.identity.same_file(&identity)) {
                now.detach(ebpf);
            }
            match Attached::to(path, identity, self.functions, ebpf) {
                Ok(attached) => {
                    tracing::debug!(hook = self.hook, path = %path.display(), "the functions of a file are watched");
                    if let Some(oldest) = std::mem::replace(&mut self.before, self.now.replace(attached)) {
                        oldest.detach(ebpf);
                    }
                    return Some(self.hook(&format!("uprobe:{}", path.display()), refused.join("; ")));
                }
                Err(error) => refused.push(format!("{}: {}", path.display(), chain(&error))),
            }
        }
        let stands = self.now.is_some() || self.before.is_some();
        Some(match refused.is_empty() {
            // Removed; those that still run on it are watched.
            true if stands => return None,
            true => self.hook(NEEDLESS, self.without.to_owned()),
            false if stands => self.hook(SILENT, format!("does not stand on the new file: {}", refused.join("; "))),
            false => self.hook("none", refused.join("; ")),
        })
    }

    fn hook(&self, rung: &str, detail: String) -> Hook {
        let attached = self.now.as_ref().or(self.before.as_ref());
        let links = attached.map_or(&[][..], |attached| &attached.links);
        let mut programs: Vec<_> = links.iter().map(|(name, ..)| *name).collect();
        programs.sort_unstable();
        programs.dedup();
        let mut points: Vec<_> = links.iter().map(|(_, function, _)| *function).collect();
        points.dedup();
        Hook { name: self.hook.to_owned(), rung: rung.to_owned(), detail, programs, points }
    }
}

impl Attached {
    /// All of the functions or none.
    fn to(path: &Path, identity: Identity, functions: Functions, ebpf: &mut Ebpf) -> Result<Self, RungError> {
        let mut attached = Self { path: path.to_owned(), identity, links: Vec::new() };
        for (name, function) in functions {
            match one(ebpf, name, function, path) {
                Ok(link) => attached.links.push((name, function, link)),
                Err(RungError::Refused(ProgramError::UProbeError(UProbeError::SymbolError { .. })))
                    if *function == OPTIONAL => {}
                Err(error) => {
                    attached.detach(ebpf);
                    return Err(error);
                }
            }
        }
        Ok(attached)
    }

    fn detach(self, ebpf: &mut Ebpf) {
        for (name, _, link) in self.links {
            if let Some(Program::UProbe(program)) = ebpf.program_mut(name)
                && let Err(error) = program.detach(link)
            {
                tracing::debug!(name, path = %self.path.display(), %error, "cannot detach from a file");
            }
        }
    }
}

fn one(ebpf: &mut Ebpf, name: &'static str, function: &str, path: &Path) -> Result<UProbeLinkId, RungError> {
    let Some(Program::UProbe(program)) = ebpf.program_mut(name) else { return Err(RungError::NoProgram(name)) };
    match program.load() {
        Ok(()) | Err(ProgramError::AlreadyLoaded) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(program.attach(function, path, UProbeScope::AllProcesses)?)
}
