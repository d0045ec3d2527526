//! The few words of the Container Runtime Interface, version 1, that we need: what a container is, and what a pod's sandbox is.
//!
//! Written by hand from the interface's published field numbers. What runtimes say beside is passed over.

use std::{collections::HashMap, io, path::PathBuf, time::Duration};

use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint, Uri},
};
use tonic_prost::ProstCodec;

/// A question is given up after this long; what is about the container is asked again later.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of an answer. Mounts and annotations are in it, too.
const ANSWER_MAX: usize = 1024 * 1024;

pub(super) const CONTAINER_STATUS: &str = "/runtime.v1.RuntimeService/ContainerStatus";
pub(super) const SANDBOX_STATUS: &str = "/runtime.v1.RuntimeService/PodSandboxStatus";

/// The labels that the kubelet puts on each container.
const NAME_LABEL: &str = "io.kubernetes.pod.name";
const NAMESPACE_LABEL: &str = "io.kubernetes.pod.namespace";

/// A question for either status.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(super) struct StatusRequest {
    #[prost(string, tag = "1")]
    pub(super) id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerStatusResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<ContainerStatus>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerStatus {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(message, optional, tag = "8")]
    pub(super) image: Option<ImageSpec>,
    #[prost(map = "string, string", tag = "12")]
    pub(super) labels: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ImageSpec {
    #[prost(string, tag = "1")]
    pub(super) image: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxStatusResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<SandboxStatus>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxStatus {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) metadata: Option<SandboxMetadata>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SandboxMetadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "3")]
    pub(super) namespace: String,
}

/// What a container is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names {
    /// The pod's.
    pub(crate) name: String,
    /// The pod's Kubernetes namespace.
    pub(crate) namespace: String,
    /// Empty for the container that only holds the pod together.
    pub(crate) image: String,
}

/// A runtime, by its socket.
pub(super) struct Runtime(Channel);

impl Runtime {
    /// Connects when something is asked, and again after the runtime was restarted; to the first of these sockets that is there then.
    pub(super) fn new(sockets: Vec<PathBuf>) -> Self {
        let connector = tower::service_fn(move |_: Uri| {
            let socket = sockets.iter().find(|path| path.exists()).cloned();
            async move {
                let socket = socket.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no container runtime"))?;
                UnixStream::connect(socket).await.map(TokioIo::new)
            }
        });
        // The address is not looked at by our connector; HTTP wants one.
        Self(Endpoint::from_static("http://runtime").connect_with_connector_lazy(connector))
    }

    /// What the container is called; `None` when the runtime does not know it.
    pub(super) async fn names(&self, id: &str) -> Result<Option<Names>, Status> {
        let asked = async {
            match self.container(id).await {
                Err(status) if status.code() == Code::NotFound => self.sandbox(id).await,
                named => named,
            }
        };
        match timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer"))) {
            Err(status) if status.code() == Code::NotFound => Ok(None),
            named => named,
        }
    }

    async fn container(&self, id: &str) -> Result<Option<Names>, Status> {
        let answer: ContainerStatusResponse = self.ask(id, CONTAINER_STATUS).await?;
        Ok(answer.status.filter(|status| status.id == id).map(|mut status| Names {
            name: status.labels.remove(NAME_LABEL).unwrap_or_default(),
            namespace: status.labels.remove(NAMESPACE_LABEL).unwrap_or_default(),
            image: status.image.map(|image| image.image).unwrap_or_default(),
        }))
    }

    async fn sandbox(&self, id: &str) -> Result<Option<Names>, Status> {
        let answer: SandboxStatusResponse = self.ask(id, SANDBOX_STATUS).await?;
        let metadata = answer.status.filter(|status| status.id == id).and_then(|status| status.metadata);
        Ok(metadata.map(|metadata| Names { name: metadata.name, namespace: metadata.namespace, image: String::new() }))
    }

    async fn ask<A: prost::Message + Default + 'static>(&self, id: &str, path: &'static str) -> Result<A, Status> {
        let mut grpc = Grpc::new(self.0.clone()).max_decoding_message_size(ANSWER_MAX);
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let request = Request::new(StatusRequest { id: id.to_owned() });
        let codec = ProstCodec::<StatusRequest, A>::default();
        Ok(grpc.unary(request, PathAndQuery::from_static(path), codec).await?.into_inner())
    }
}
