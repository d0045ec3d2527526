//! The probes: the only room that sees aya.
//!
//! [`attach`] reads the kernel's layout, loads the programs, attaches each hook at the best point this kernel allows and seeds the process
//! table. [`Attached::run`] starts two threads, for which far fewer rights are enough: the pulse, and the one that owns the rings and
//! everything that hangs on them:
//!
//! ```text
//! kernel -> process ring -\
//!                           reader thread: decode -> order -> enrich -> bounded channel -> the sensor
//! kernel -> other ring   -/
//! ```
//!
//! When the channel is full the thread waits, the rings absorb what they can, and what they cannot is counted by the kernel programs:
//! `emitted = read + ring_lost`, per ring.

mod attach;
mod batch;
mod counters;
mod fdinfo;
mod figures;
mod library;
mod load;
mod lockdown;
mod memory;
mod offsets;
mod pulse;
mod reader;
mod ring;
mod sensitive;
mod suppression;
#[cfg(test)]
mod tests;

use std::{io, path::PathBuf, sync::Arc};

use aya::{Btf, Ebpf};
use bongsu_event::Event;
use rustix::{
    event::{EventfdFlags, eventfd},
    fd::OwnedFd,
};
use tokio::sync::{mpsc, watch};

#[cfg(test)]
pub(crate) use attach::LADDERS;
pub(crate) use attach::{Hook, all_blind};
pub(crate) use counters::Counters;
pub(crate) use figures::{Figure, Figures, Statistics};
pub(crate) use library::shells;
pub(crate) use memory::Bounds;
#[cfg(test)]
pub(crate) use pulse::SILENT;
pub(crate) use pulse::calls as pulse_calls;

use crate::{
    config::{Budgets, Environment},
    enrich::Enricher,
    heap,
    process_table::image::Images,
    runtime::{Asker, Containers, Places},
};
use counters::Ledger;

/// Batches that wait for the sensor; of [`batch::BYTES_MAX`] each.
const QUEUE_BATCHES: usize = 16;

/// What the probes need to know.
#[derive(Debug, Clone)]
pub(crate) struct ProbeConfig {
    /// Files whose reading is an event; `*` within a name, `~` for the home of each person.
    pub(crate) sensitive_paths: Vec<PathBuf>,
    /// The host's user database.
    pub(crate) passwd: PathBuf,
    /// What is kept of the environment of new programs.
    pub(crate) environment: Environment,
    /// What each process may have told of it.
    pub(crate) budgets: Budgets,
    /// A folder of the sensor's own, which the pulse needs for some of the hooks on files.
    pub(crate) folder: Option<PathBuf>,
    /// Hooks stand where they stand on kernels that refuse programs on functions: for tests, which compare.
    pub(crate) tracepoints_only: bool,
    /// Who may know what containers are called; nobody when nobody is to be asked.
    pub(crate) containers: Places,
    /// Where PAM's library may lie.
    pub(crate) pam: Vec<PathBuf>,
    /// Where the function lies by which shells read lines; nothing when their lines are no event.
    pub(crate) shells: Vec<PathBuf>,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self {
            sensitive_paths: Vec::new(),
            passwd: PathBuf::from("/etc/passwd"),
            environment: Environment::Nothing,
            budgets: Budgets::default(),
            folder: None,
            tracepoints_only: false,
            containers: Places::default(),
            pam: library::pam(),
            shells: Vec::new(),
        }
    }
}

/// Why the probes could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The kernel programs are not there, do not fit, or were refused.
    #[error(transparent)]
    Load(#[from] load::LoadError),
    /// The rings and counters of the object are not as expected: sensor and kernel programs are of different builds.
    #[error("the kernel programs do not belong to this sensor: {0}")]
    Foreign(String),
    /// Not one hook that tells of processes holds.
    #[error("this kernel lets the sensor attach to nothing: {0}")]
    Nothing(String),
    /// The kernel hides its memory from programs, root's included.
    #[error(
        "this kernel is locked down for confidentiality (lockdown=confidentiality) and lets no BPF program read its memory: no probe can \
         work here; under lockdown=integrity all do"
    )]
    LockedDown,
    /// Something else the system refused.
    #[error("cannot start the probes: {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// Probes that run.
pub(crate) struct Probes {
    /// Where each hook stands, and from then on which of them fell silent.
    pub(crate) hooks: watch::Receiver<Vec<Hook>>,
    /// Opens the images of processes, for evidence.
    pub(crate) images: Images,
    /// Asks the kernel what the programs cost.
    pub(crate) figures: Figures,
    /// What its memory is bounded by.
    pub(crate) bounds: Bounds,
    ledger: Arc<Ledger>,
    stop: Arc<OwnedFd>,
}

impl Probes {
    /// Whether the maps can be read by this thread.
    pub(crate) fn reads_maps(&self) -> bool {
        self.ledger.is_readable()
    }

    /// Where every record of the kernel programs went.
    #[must_use]
    pub(crate) fn counters(&self) -> Counters {
        self.ledger.counters()
    }

    /// Detaches the hooks. The receiver still gets what the kernel had emitted by then, and after it the end of the channel.
    ///
    /// # Errors
    /// When the reader cannot be told, which only a lack of kernel memory could cause.
    pub(crate) fn stop(&self) -> io::Result<()> {
        rustix::io::write(&*self.stop, &1u64.to_ne_bytes())?;
        Ok(())
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "cannot tell the probes to stop");
        }
    }
}

/// Probes that are attached, whose events wait in the rings. No thread has been started yet.
pub(crate) struct Attached {
    ebpf: Ebpf,
    rings: ring::Rings,
    ledger: Arc<Ledger>,
    sensitive: sensitive::Image,
    watched: (suppression::Suppression, library::Libraries),
    config: ProbeConfig,
    enricher: Enricher,
    /// Asks the container runtime, once there may be threads.
    containers: Option<Asker>,
    pulse: pulse::Pulse,
    probes: Probes,
}

/// Attaches the probes.
///
/// # Errors
/// When this kernel, these rights or this build of the sensor do not allow it.
pub(crate) fn attach(config: &ProbeConfig) -> Result<Attached, StartError> {
    let mut layout = offsets::read(std::process::id()).map_err(load::LoadError::from)?;
    layout.settings.allowances = config.budgets.allowances();
    layout.settings.environment = u32::from(config.environment != Environment::Nothing);
    let mut ebpf = load::load(&layout)?;
    if lockdown::hides_memory(&mut ebpf) {
        return Err(StartError::LockedDown);
    }
    attach::ensure_tracefs();
    let ledger = Arc::new(Ledger::take(&mut ebpf)?);
    let sensitive = sensitive::Image::take(&mut ebpf)?;
    let suppression = suppression::Suppression::take(&mut ebpf, Arc::clone(&ledger))?;
    // The kernel's type information is by far the largest thing the sensor ever holds: it goes before anything else comes.
    let btf = if config.tracepoints_only { None } else { Btf::from_sys_fs().ok() };
    let kernel = attach::Kernel { btf: btf.as_ref(), parameters: layout.parameters };
    let mut hooks = attach::attach_all(&mut ebpf, kernel);
    drop(btf);
    let (mut libraries, more) = library::Libraries::attach(&mut ebpf, &config.pam, &config.shells);
    hooks.extend(more);
    let figures = Figures::of(&ebpf);
    // Loading takes more memory than running ever will: it goes back before anything else comes.
    heap::release();
    // What the programs have written since they were attached waits in the rings.
    let rings = ring::Rings::take(&mut ebpf)?;
    if hooks.iter().all(|hook| hook.rung == "none" || hook.rung == attach::NEEDLESS) {
        let reasons: Vec<&str> = hooks.iter().map(|hook| hook.detail.as_str()).collect();
        return Err(StartError::Nothing(reasons.join("; ")));
    }
    let boot = offsets::boot_id().map_err(StartError::system("read the boot id"))?;
    let (known, containers) = Containers::new(config.containers.clone());
    let mut enricher = Enricher::new(boot, config.passwd.clone(), config.environment.clone(), known);
    enricher.seed().map_err(StartError::system("list the processes in /proc"))?;
    let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(|error| StartError::system("make an eventfd")(error.into()))?;
    let stop = Arc::new(stop);
    let (pulse, hooks) = pulse::Pulse::take(&mut ebpf, hooks, config.folder.as_deref(), Arc::clone(&stop))?;
    let (told, moved) = pulse.told();
    libraries.tell(told, moved);
    let images = enricher.images().clone();
    let probes = Probes { hooks, images, figures, bounds: Bounds::take(), ledger: Arc::clone(&ledger), stop };
    let config = config.clone();
    let watched = (suppression, libraries);
    Ok(Attached { ebpf, rings, ledger, sensitive, watched, config, enricher, containers, pulse, probes })
}

impl Attached {
    /// Where the pulse will connect to.
    pub(crate) fn port(&self) -> io::Result<u16> {
        self.pulse.port()
    }

    /// Whether the maps can be read by this thread.
    pub(crate) fn reads_maps(&self) -> bool {
        self.probes.reads_maps()
    }

    /// Starts the threads. Events come out of the receiver in batches, in the order of their time.
    ///
    /// # Errors
    /// When there can be no threads.
    pub(crate) fn run(self) -> Result<(Probes, mpsc::Receiver<Vec<Event>>), StartError> {
        let Self { ebpf, rings, ledger, sensitive, watched, config, enricher, containers, pulse, probes } = self;
        if let Some(containers) = containers {
            containers.start().map_err(StartError::system("start the thread that asks the container runtime"))?;
        }
        let sensitive = sensitive::Sensitive::start(sensitive, config.sensitive_paths, config.passwd)?;
        let (sender, receiver) = mpsc::channel(QUEUE_BATCHES);
        let stop = Arc::clone(&probes.stop);
        let (suppression, libraries) = watched;
        let looked_after = (sensitive, suppression, libraries);
        let reader = reader::Reader::new(ebpf, rings, ledger, looked_after, enricher, sender, stop);
        std::thread::Builder::new()
            .name("probe-reader".to_owned())
            .spawn(move || reader.run())
            .map_err(StartError::system("start the reader's thread"))?;
        pulse.spawn().map_err(StartError::system("start the pulse's thread"))?;
        Ok((probes, receiver))
    }
}
