//! The few words of the Container Runtime Interface, version 1, that we need: what a container is, and what a pod's sandbox is.
//!
//! Written by hand from the interface's published field numbers, and held against a real containerd by one of e2e's stories. What runtimes say
//! beside is passed over.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint, Uri},
};
use tonic_prost::ProstCodec;

use super::{Names, PodNames};

/// A question is given up after this long; what is about the container is asked again later.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of an answer. Mounts and annotations are in it, too.
const ANSWER_MAX: usize = 1024 * 1024;

pub(super) const CONTAINER_STATUS: &str = "/runtime.v1.RuntimeService/ContainerStatus";
pub(super) const SANDBOX_STATUS: &str = "/runtime.v1.RuntimeService/PodSandboxStatus";

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
    #[prost(message, optional, tag = "2")]
    pub(super) metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "8")]
    pub(super) image: Option<ImageSpec>,
    #[prost(map = "string, string", tag = "12")]
    pub(super) labels: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ContainerMetadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ImageSpec {
    #[prost(string, tag = "1")]
    pub(super) image: String,
    /// What the pod's specification says, from newer runtimes. The other is the first of the names that the image has here.
    #[prost(string, tag = "18")]
    pub(super) user_specified: String,
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
    #[prost(string, tag = "2")]
    pub(super) uid: String,
    #[prost(string, tag = "3")]
    pub(super) namespace: String,
}

impl ImageSpec {
    fn name(self) -> String {
        if self.user_specified.is_empty() { self.image } else { self.user_specified }
    }
}

/// A runtime, by its socket.
pub(super) struct Runtime {
    socket: PathBuf,
    channel: Channel,
}

impl Runtime {
    /// Connects when something is asked, and again after the runtime was restarted.
    pub(super) fn new(socket: PathBuf) -> Self {
        let path = socket.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        // The address is not looked at by our connector; HTTP wants one.
        let channel = Endpoint::from_static("http://runtime").connect_with_connector_lazy(connector);
        Self { socket, channel }
    }

    /// Whether its socket is there. One that nobody listens at any more may be.
    pub(super) fn is_there(&self) -> bool {
        self.socket.exists()
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
            // A containerd that serves Docker has this interface turned off.
            Err(status) if matches!(status.code(), Code::NotFound | Code::Unimplemented) => Ok(None),
            named => named,
        }
    }

    async fn container(&self, id: &str) -> Result<Option<Names>, Status> {
        let answer: ContainerStatusResponse = self.ask(id, CONTAINER_STATUS).await?;
        // It takes the beginning of an id for the id, too.
        Ok(answer.status.filter(|status| status.id == id).map(|mut status| Names {
            name: status.metadata.map(|metadata| metadata.name).unwrap_or_default(),
            image: status.image.map(ImageSpec::name).unwrap_or_default(),
            pod: PodNames::labelled(&mut status.labels),
        }))
    }

    async fn sandbox(&self, id: &str) -> Result<Option<Names>, Status> {
        let answer: SandboxStatusResponse = self.ask(id, SANDBOX_STATUS).await?;
        let metadata = answer.status.filter(|status| status.id == id).and_then(|status| status.metadata);
        Ok(metadata.map(|SandboxMetadata { name, uid, namespace }| Names {
            pod: Some(PodNames { uid, name, namespace }),
            ..Names::default()
        }))
    }

    async fn ask<A: prost::Message + Default + 'static>(&self, id: &str, path: &'static str) -> Result<A, Status> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(ANSWER_MAX);
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let request = Request::new(StatusRequest { id: id.to_owned() });
        let codec = ProstCodec::<StatusRequest, A>::default();
        Ok(grpc.unary(request, PathAndQuery::from_static(path), codec).await?.into_inner())
    }
}
