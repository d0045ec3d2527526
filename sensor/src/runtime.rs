//! What containers are called: name, image, and the pod they belong to, which stand in no cgroup.
//!
//! Docker and Podman keep it in files, which need no right over the runtime to be read; others are asked over the socket that the kubelet talks
//! to. Both is done by a thread of its own: [`Containers::names`] never waits. Who asks for a container that is not known yet gets nothing, and
//! the names come with [`Containers::news`] some milliseconds later. So the first events of a container may lack the names, and have the
//! ids by which to find them; no event is held back.
//!
//! Bounded: [`KNOWN_MAX`] containers, the oldest forgotten first; [`WAITING_MAX`] questions; names of [`NAME_MAX`] bytes.

mod asker;
mod cri;
mod files;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    sync::mpsc as answers,
    time::{Duration, Instant},
};

use ahash::AHashMap;
use bstr::BString;
use tokio::sync::mpsc;

pub(crate) use asker::Asker;

const KNOWN_MAX: usize = 4096;
const WAITING_MAX: usize = 256;
const NAME_MAX: usize = 512;
/// A container that nobody knew is asked for again after this long.
const AGAIN: Duration = Duration::from_secs(30);
/// A container is asked for again after this long when nobody could be asked: runtimes are restarted.
const SOON: Duration = Duration::from_secs(5);

/// Who may know what containers are called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Places {
    /// Where runtimes listen that speak the kubelet's interface.
    pub(crate) sockets: Vec<PathBuf>,
    /// Where Docker or Podman keep what they know of their containers.
    pub(crate) directories: Vec<PathBuf>,
}

impl Places {
    /// Where they are on most hosts. Several may be there at once: Docker brings a containerd that speaks this interface to nobody.
    pub(crate) fn usual() -> Self {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        Self {
            sockets: paths(&[
                "/run/containerd/containerd.sock",
                "/run/k3s/containerd/containerd.sock",
                "/run/k0s/containerd.sock",
                "/var/snap/microk8s/common/run/containerd.sock",
                "/run/crio/crio.sock",
                "/var/run/cri-dockerd.sock",
            ]),
            directories: paths(&[
                "/var/lib/docker",
                "/var/snap/docker/common/var-lib-docker",
                "/var/lib/containers/storage",
            ]),
        }
    }
}

/// What a container is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names {
    /// Empty for the container that only holds a pod together.
    pub(crate) name: String,
    /// Likewise.
    pub(crate) image: String,
    pub(crate) pod: Option<PodNames>,
}

/// What a pod is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PodNames {
    pub(crate) uid: String,
    pub(crate) name: String,
    /// Its Kubernetes namespace.
    pub(crate) namespace: String,
}

impl PodNames {
    /// By the labels that the kubelet puts on each container.
    fn labelled(labels: &mut HashMap<String, String>) -> Option<Self> {
        let name = labels.remove("io.kubernetes.pod.name")?;
        let mut take = |label: &str| labels.remove(label).unwrap_or_default();
        Some(Self { uid: take("io.kubernetes.pod.uid"), name, namespace: take("io.kubernetes.pod.namespace") })
    }
}

/// What is known of a container.
#[derive(Debug, Clone)]
enum Known {
    Asked,
    Named(Names),
    /// Not to be asked for again before that.
    Nothing(Instant),
}

type Answer = (BString, Result<Option<Names>, Away>);

/// Somebody could not be asked who may know it.
#[derive(Debug)]
struct Away;

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
    /// Those known at these places, and who asks there; without any place, nobody. Questions wait until the asker is started.
    pub(crate) fn new(places: Places) -> (Self, Option<Asker>) {
        if places == Places::default() {
            return (Self::default(), None);
        }
        let (ask, asked) = mpsc::channel(WAITING_MAX);
        let (answer, answered) = answers::sync_channel(WAITING_MAX);
        (Self { asker: Some((ask, answered)), ..Self::default() }, Some(Asker::new(places, asked, answer)))
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
                Ok(Some(names)) => {
                    self.keep(id.clone(), Known::Named(names.clone()));
                    news.push((id, names));
                }
                Ok(None) => self.keep(id, Known::Nothing(Instant::now() + AGAIN)),
                Err(Away) => self.keep(id, Known::Nothing(Instant::now() + SOON)),
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
