//! Probes that run, and what they saw of one process.

use std::{
    error::Error,
    io,
    process::{Command, ExitStatus},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bongsu_event::{Activity, Event};
use tokio::{runtime::Runtime, sync::mpsc};

use crate::probe::{Attached, ProbeConfig, Probes, StartError, attach, load::LoadError};

/// One at a time: tests that count what the whole host does would see each other.
static ALONE: Mutex<()> = Mutex::new(());

/// Far more than anything here takes, even on a machine that compiles beside it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Lab {
    pub(super) probes: Probes,
    events: mpsc::Receiver<Vec<Event>>,
    runtime: Runtime,
    _alone: MutexGuard<'static, ()>,
}

/// Whether it is this machine that lets nobody load programs, rather than the programs that are wrong.
fn is_forbidden(error: &LoadError) -> bool {
    let forbids = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let mut cause = error.source();
    while let Some(next) = cause {
        if forbids(next) {
            return true;
        }
        cause = next.source();
    }
    matches!(error, LoadError::NoPrograms)
}

impl Lab {
    /// Probes with nothing sensitive; `None`, said aloud, where the kernel lets nobody in.
    pub(super) fn open() -> Option<Self> {
        Self::open_with(&ProbeConfig::default())
    }

    pub(super) fn open_with(config: &ProbeConfig) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: loading kernel programs needs root");
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (probes, events) = match attach(config).and_then(Attached::run) {
            Ok(started) => started,
            Err(StartError::Load(error)) if is_forbidden(&error) => {
                println!("skipped: {:#}", anyhow::Error::new(error));
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Some(Self { probes, events, runtime, _alone: alone })
    }

    /// What a hook stands on.
    pub(super) fn rung(&self, hook: &str) -> String {
        let hooks = self.probes.hooks.borrow();
        hooks.iter().find(|found| found.name == hook).unwrap().rung.clone()
    }

    /// Waits for something else than events.
    pub(super) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// Events until one satisfies `last`, that one included.
    pub(super) fn until(&mut self, mut last: impl FnMut(&Event) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        loop {
            let batch = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.events.recv()).await });
            let batch = batch.unwrap_or_else(|_| panic!("nothing more within {PATIENCE:?} after {seen:#?}"));
            let batch = batch.expect("the probes run");
            let ended = batch.iter().any(&mut last);
            seen.extend(batch);
            if ended {
                return seen;
            }
        }
    }

    /// What comes next.
    pub(super) fn batch(&mut self) -> Vec<Event> {
        let batch = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.events.recv()).await });
        batch.unwrap_or_else(|_| panic!("nothing more within {PATIENCE:?}")).expect("the probes run")
    }

    /// Shows each event to `last` until it is content with one.
    pub(super) fn each(&mut self, mut last: impl FnMut(&Event) -> bool) {
        loop {
            let batch = self.batch();
            if batch.iter().filter(|event| last(event)).count() > 0 {
                return;
            }
        }
    }

    /// What the process `pid` did until it ended.
    pub(super) fn life_of(&mut self, pid: u32) -> Vec<Event> {
        let is_its = |event: &Event| event.process.as_ref().is_some_and(|process| process.pid == pid);
        let mut events = self.until(|event| is_its(event) && matches!(event.activity, Activity::Exit { .. }));
        events.retain(is_its);
        events
    }

    /// Runs the command to its end; what its first process did.
    pub(super) fn run(&mut self, command: &mut Command) -> (ExitStatus, Vec<Event>) {
        let mut child = command.spawn().unwrap();
        let status = child.wait().unwrap();
        let events = self.life_of(child.id());
        (status, events)
    }

    /// Detaches, and gives what was still on its way.
    pub(super) fn close(mut self) -> (Vec<Event>, crate::probe::Counters) {
        self.probes.stop().unwrap();
        let mut rest = Vec::new();
        while let Some(batch) = self.events.blocking_recv() {
            rest.extend(batch);
        }
        (rest, self.probes.counters())
    }
}

/// The execs among events.
pub(super) fn execs(events: &[Event]) -> Vec<(&bongsu_event::Process, &bongsu_event::Exec)> {
    events
        .iter()
        .filter_map(|event| match &event.activity {
            Activity::Exec(exec) => Some((event.process.as_deref()?, exec)),
            _ => None,
        })
        .collect()
}
