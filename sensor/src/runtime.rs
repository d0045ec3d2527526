//! What containers are called: the pod's name and namespace and the image, which stand in no cgroup.
//!
//! The container runtime is asked over its socket, by a thread of its own: [`Containers::names`] never waits. Who asks for a container that is not
//! known yet gets nothing, and the names come with [`Containers::news`] some milliseconds later. So the first events of a container may
//! lack the names, and have the ids by which to find them; no event is held back.
//!
//! Bounded: [`KNOWN_MAX`] containers, the oldest forgotten first; [`WAITING_MAX`] questions; names of [`NAME_MAX`] bytes.

mod cri;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::mpsc as answers,
    time::{Duration, Instant},
};

use ahash::AHashMap;
use bstr::{BString, ByteSlice as _};
use tokio::sync::mpsc;

pub(crate) use cri::Names;
use cri::Runtime;

const KNOWN_MAX: usize = 4096;
const WAITING_MAX: usize = 256;
const NAME_MAX: usize = 512;
/// A container that the runtime did not know, or that could not be asked for, is asked for again when it does something after this long.
const AGAIN: Duration = Duration::from_secs(30);

/// Where runtimes listen that speak this interface.
pub(crate) const SOCKETS: [&str; 3] =
    ["/run/containerd/containerd.sock", "/run/crio/crio.sock", "/var/run/cri-dockerd.sock"];

/// What is known of a container.
#[derive(Debug, Clone)]
enum Known {
    Asked,
    Named(Names),
    /// Not to be asked for again before that.
    Nothing(Instant),
}

type Answer = (BString, Option<Names>);

/// The containers of this host.
#[derive(Default)]
pub(crate) struct Containers {
    known: AHashMap<BString, Known>,
    /// Oldest first; the same as in `known`.
    order: VecDeque<BString>,
    /// `None` when nobody is to be asked.
    asker: Option<(mpsc::Sender<BString>, answers::Receiver<Answer>)>,
}

impl Containers {
    /// Those behind the first of these sockets that is there when something is asked, and who asks there; without any socket, nobody. Questions
    /// wait until the asker is started.
    pub(crate) fn new(sockets: Vec<PathBuf>) -> (Self, Option<Asker>) {
        if sockets.is_empty() {
            return (Self::default(), None);
        }
        let (ask, asked) = mpsc::channel(WAITING_MAX);
        let (answer, answered) = answers::sync_channel(WAITING_MAX);
        (Self { asker: Some((ask, answered)), ..Self::default() }, Some(Asker { sockets, asked, answer }))
    }

    /// What the container is called, as far as that is known now; otherwise it is asked for.
    pub(crate) fn names(&mut self, id: &BString) -> Option<&Names> {
        let (ask, _) = self.asker.as_ref()?;
        let is_due = match self.known.get(id) {
            None => true,
            Some(Known::Nothing(until)) => Instant::now() >= *until,
            Some(Known::Asked | Known::Named(_)) => false,
        };
        // With too many questions waiting it stays unknown, and is asked for when it does something again.
        if is_due && ask.try_send(id.clone()).is_ok() {
            self.keep(id.clone(), Known::Asked);
        }
        match self.known.get(id) {
            Some(Known::Named(names)) => Some(names),
            _ => None,
        }
    }

    /// The containers that were named since this was asked last.
    pub(crate) fn news(&mut self) -> Vec<(BString, Names)> {
        let Some((_, answered)) = &self.asker else { return Vec::new() };
        let answers: Vec<Answer> = answered.try_iter().collect();
        let mut news = Vec::new();
        for (id, names) in answers {
            match names {
                Some(names) => {
                    self.keep(id.clone(), Known::Named(names.clone()));
                    news.push((id, names));
                }
                None => self.keep(id, Known::Nothing(Instant::now() + AGAIN)),
            }
        }
        news
    }

    fn keep(&mut self, id: BString, known: Known) {
        if self.known.insert(id.clone(), known).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Asks the runtime.
pub(crate) struct Asker {
    sockets: Vec<PathBuf>,
    asked: mpsc::Receiver<BString>,
    answer: answers::SyncSender<Answer>,
}

impl Asker {
    /// In a thread of its own.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(self) -> std::io::Result<()> {
        let Self { sockets, asked, answer } = self;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("container-names".to_owned())
            .spawn(move || runtime.block_on(answering(sockets, asked, answer)))?;
        Ok(())
    }
}

/// The thread: one question after the other, until nobody asks any more.
async fn answering(sockets: Vec<PathBuf>, mut asked: mpsc::Receiver<BString>, answer: answers::SyncSender<Answer>) {
    let runtime = Runtime::new(sockets);
    let mut failing = false;
    while let Some(id) = asked.recv().await {
        let named = runtime.names(&id.to_str_lossy()).await;
        // Once for each time it begins: hosts without a runtime are no mistake, and a runtime that is away is asked for each container.
        match &named {
            Err(status) if !failing => tracing::info!(%status, "containers stay without names"),
            Ok(_) if failing => tracing::info!("containers are named again"),
            _ => {}
        }
        failing = named.is_err();
        if answer.send((id, named.ok().flatten().map(bounded))).is_err() {
            return;
        }
    }
}

fn bounded(mut names: Names) -> Names {
    for text in [&mut names.name, &mut names.namespace, &mut names.image] {
        text.truncate(text.floor_char_boundary(NAME_MAX));
    }
    names
}
