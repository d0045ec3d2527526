//! A containerd that is asked for pods as a kubelet would.

use std::{collections::HashMap, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};

use super::{
    Room,
    cri::{
        ById, ContainerConfig, ContainerMetadata, ContainerSecurity, CreateContainer, Cri, EXITED, ImageSpec,
        LinuxContainer, LinuxPodSandbox, NODE, Namespaces, Nothing, PodSandboxConfig, PodSandboxMetadata,
        RunPodSandbox, SandboxSecurity, StatusAnswer,
    },
    image,
    room::Inhabitant,
};
use crate::wait;

/// On a machine that compiles beside it.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// A pod, as Kubernetes knows it.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Its name.
    pub name: &'static str,
    /// Its Kubernetes namespace.
    pub namespace: &'static str,
    /// Its UID.
    pub uid: String,
}

/// A running containerd, with the image in it.
pub struct Containerd<'a> {
    room: &'a Room,
    running: Option<Inhabitant>,
}

impl<'a> Containerd<'a> {
    /// Starts one in the room, as distributions ship it.
    ///
    /// # Errors
    /// When it does not come up, or does not take the image.
    pub fn start(room: &'a Room) -> Result<Self> {
        let containerd = Self::configured(room, "")?;
        let image = image::make(room)?;
        containerd.ctr(&[
            "--namespace",
            "k8s.io",
            "images",
            "import",
            "--snapshotter",
            "native",
            &image.to_string_lossy(),
        ])?;
        Ok(containerd)
    }

    /// Starts one in the room as Docker ships it: to the kubelet's interface it does not answer.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) fn for_docker(room: &'a Room) -> Result<Self> {
        Self::configured(room, "\"io.containerd.grpc.v1.cri\", ")
    }

    fn configured(room: &'a Room, without: &str) -> Result<Self> {
        fs::write(room.path("containerd.toml"), configuration(room, without))?;
        let mut containerd = Self { room, running: None };
        containerd.start_again()?;
        Ok(containerd)
    }

    /// Starts it on the state it has.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        let config = self.room.path("containerd.toml");
        let log = self.room.path("containerd.log");
        let mut running = self.room.start("containerd", &["--config", &config.to_string_lossy()], &log)?;
        running.until("containerd answers", || self.ctr(&["version"]))?;
        self.running = Some(running);
        Ok(())
    }

    /// Ends it; its containers go on.
    ///
    /// # Errors
    /// When it does not run, or goes on.
    pub fn stop(&mut self) -> Result<()> {
        self.running.take().context("containerd does not run")?.stop()
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.room.path("containerd.sock")
    }

    /// Has it hold a pod together, in the host's network; gives the sandbox's id.
    ///
    /// # Errors
    /// When it does not.
    pub fn run_pod(&self, pod: &Pod) -> Result<String> {
        let config = Some(self.pod(pod));
        let ran: ById = self.cri()?.call("RunPodSandbox", RunPodSandbox { config })?;
        Ok(ran.id)
    }

    /// Has it run a container in that pod; gives the container's id.
    ///
    /// # Errors
    /// When it does not.
    pub fn run_container(&self, sandbox: &str, pod: &Pod, name: &str, command: &[&str]) -> Result<String> {
        let mut labels = labels(pod);
        labels.insert("io.kubernetes.container.name".to_owned(), name.to_owned());
        let namespaces = Some(Namespaces { network: NODE });
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata { name: name.to_owned() }),
            image: Some(ImageSpec { image: image::NAME.to_owned(), user_specified: image::NAME.to_owned() }),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            labels,
            linux: Some(LinuxContainer { security: Some(ContainerSecurity { namespaces }) }),
        };
        let create =
            CreateContainer { sandbox: sandbox.to_owned(), config: Some(config), sandbox_config: Some(self.pod(pod)) };
        let cri = self.cri()?;
        let created: ById = cri.call("CreateContainer", create)?;
        cri.call::<_, Nothing>("StartContainer", created.clone())?;
        Ok(created.id)
    }

    /// Has it forget a container as soon as that has ended.
    ///
    /// # Errors
    /// When either does not happen.
    pub fn forget_container(&self, id: &str) -> Result<()> {
        let (cri, by_id) = (self.cri()?, ById { id: id.to_owned() });
        wait::until("the container ends", ENDS_WITHIN, || {
            let answer: StatusAnswer = cri.call("ContainerStatus", by_id.clone())?;
            let state = answer.status.unwrap_or_default().state;
            ensure!(state == EXITED, "its state is {state}");
            Ok(())
        })?;
        cri.call::<_, Nothing>("RemoveContainer", by_id).map(drop)
    }

    fn pod(&self, pod: &Pod) -> PodSandboxConfig {
        let namespaces = Some(Namespaces { network: NODE });
        PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: pod.name.to_owned(),
                uid: pod.uid.clone(),
                namespace: pod.namespace.to_owned(),
            }),
            labels: labels(pod),
            linux: Some(LinuxPodSandbox {
                // As the kubelet's own driver names them, below its root.
                cgroup_parent: format!("/{}/kubepods/burstable/pod{}", self.room.cgroup(), pod.uid),
                security: Some(SandboxSecurity { namespaces }),
            }),
        }
    }

    fn cri(&self) -> Result<Cri> {
        Cri::new(&self.socket())
    }

    fn ctr(&self, arguments: &[&str]) -> Result<()> {
        let socket = self.socket();
        let address = ["--address", &*socket.to_string_lossy()].map(str::to_owned);
        let all: Vec<&str> = address.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        self.room.run("ctr", &all).map(drop)
    }
}

/// The labels that the kubelet puts on each container.
fn labels(pod: &Pod) -> HashMap<String, String> {
    let label = |what: &str, value: &str| (format!("io.kubernetes.pod.{what}"), value.to_owned());
    HashMap::from([label("name", pod.name), label("namespace", pod.namespace), label("uid", &pod.uid)])
}

/// Everything in the room's folder; nothing that wants more of a machine than a container does.
fn configuration(room: &Room, without: &str) -> String {
    let path = |name: &str| format!("{:?}", room.path(name));
    format!(
        "version = 2\nroot = {}\nstate = {}\n\
         disabled_plugins = [{without}\"io.containerd.snapshotter.v1.btrfs\", \"io.containerd.snapshotter.v1.zfs\", \
         \"io.containerd.snapshotter.v1.devmapper\", \"io.containerd.snapshotter.v1.aufs\"]\n\
         [grpc]\naddress = {}\n[ttrpc]\naddress = {}\n\
         [plugins.\"io.containerd.grpc.v1.cri\"]\nsandbox_image = {:?}\nrestrict_oom_score_adj = true\ndisable_apparmor = true\n\
         [plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"native\"\n\
         [plugins.\"io.containerd.grpc.v1.cri\".cni]\nbin_dir = {}\nconf_dir = {}\n\
         [plugins.\"io.containerd.internal.v1.opt\"]\npath = {}\n",
        path("containerd/root"),
        path("containerd/state"),
        path("containerd.sock"),
        path("containerd.ttrpc"),
        image::PAUSE,
        path("cni"),
        path("cni"),
        path("containerd/opt"),
    )
}
