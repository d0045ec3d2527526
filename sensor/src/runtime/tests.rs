//! Against a runtime that answers as the interface says, and as strictly as real ones do.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    task::Poll,
    thread,
    time::Duration,
};

use tokio::{net::UnixListener, sync::oneshot};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Service, StdError, http},
    server::{Grpc, NamedService, UnaryService},
    transport::{Server, server::Router},
};
use tonic_prost::ProstCodec;

use super::{
    cri::{
        CONTAINER_STATUS, ContainerMetadata, ContainerStatus, ContainerStatusResponse, ImageSpec, SANDBOX_STATUS,
        SandboxMetadata, SandboxStatus, SandboxStatusResponse, StatusRequest,
    },
    *,
};

pub(crate) const CONTAINER: &str = "c0ffee0000000000000000000000000000000000000000000000000000000001";
/// Of the pod.
pub(crate) const UID: &str = "d5b1f7f4-0a3c-4c5e-9a52-0f5b6f3f1c12";
const SANDBOX: &str = "5a4db0c000000000000000000000000000000000000000000000000000000002";

/// Knows one container and one sandbox. An id that it does not know is an error, as it is for containerd and CRI-O; so is a call that the
/// interface does not have.
#[derive(Clone)]
struct Fake;

struct Container;
struct Sandbox;

fn not_found<T>(what: &str, id: &str) -> Result<Response<T>, Status> {
    Err(Status::not_found(format!("an error occurred when try to find {what} {id:?}: not found")))
}

impl UnaryService<StatusRequest> for Container {
    type Response = ContainerStatusResponse;
    type Future = BoxFuture<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<StatusRequest>) -> Self::Future {
        let id = request.into_inner().id;
        Box::pin(async move {
            if id != CONTAINER {
                return not_found("container", &id);
            }
            let label = |name: &str, value: &str| (format!("io.kubernetes.{name}"), value.to_owned());
            let labels = HashMap::from([
                label("pod.name", "web-7d4b9"),
                label("pod.namespace", "shop"),
                label("pod.uid", UID),
                label("container.name", "nginx"),
            ]);
            let metadata = Some(ContainerMetadata { name: "nginx".to_owned() });
            let image = Some(ImageSpec {
                image: "docker.io/library/nginx:latest".to_owned(),
                user_specified: "docker.io/library/nginx:1.27".to_owned(),
            });
            Ok(Response::new(ContainerStatusResponse { status: Some(ContainerStatus { id, metadata, image, labels }) }))
        })
    }
}

impl UnaryService<StatusRequest> for Sandbox {
    type Response = SandboxStatusResponse;
    type Future = BoxFuture<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<StatusRequest>) -> Self::Future {
        let id = request.into_inner().id;
        Box::pin(async move {
            if id != SANDBOX {
                return not_found("sandbox", &id);
            }
            let metadata =
                SandboxMetadata { name: "web-7d4b9".to_owned(), uid: UID.to_owned(), namespace: "shop".to_owned() };
            Ok(Response::new(SandboxStatusResponse { status: Some(SandboxStatus { id, metadata: Some(metadata) }) }))
        })
    }
}

impl NamedService for Fake {
    const NAME: &'static str = "runtime.v1.RuntimeService";
}

impl Service<http::Request<Body>> for Fake {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(match request.uri().path() {
                CONTAINER_STATUS => Grpc::new(ProstCodec::default()).unary(Container, request).await,
                SANDBOX_STATUS => Grpc::new(ProstCodec::default()).unary(Sandbox, request).await,
                other => Status::unimplemented(other.to_owned()).into_http(),
            })
        })
    }
}

/// Knows none of the calls.
#[derive(Clone)]
struct Nothing;

impl NamedService for Nothing {
    const NAME: &'static str = "containerd.services.version.v1.Version";
}

impl Service<http::Request<Body>> for Nothing {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        Box::pin(async { Ok(Status::unimplemented("unknown service").into_http()) })
    }
}

/// Serves at that path until the sender goes.
pub(crate) fn serve(path: &Path) -> oneshot::Sender<()> {
    served(path, |mut server| server.add_service(Fake))
}

fn served(path: &Path, with: impl FnOnce(Server) -> Router) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = {
        let _inside = runtime.enter();
        UnixListener::bind(path).unwrap()
    };
    let router = with(Server::builder());
    thread::spawn(move || {
        let served = async {
            let gone = async { drop(stopped.await) };
            router.serve_with_incoming_shutdown(UnixListenerStream::new(listener), gone).await.map_err(StdError::from)
        };
        runtime.block_on(served).unwrap();
    });
    stop
}

/// Nothing of the interface, as the containerd of a host with Docker alone.
fn serve_nothing(path: &Path) -> oneshot::Sender<()> {
    served(path, |mut server| server.add_service(Nothing))
}

/// What comes of asking for it: the thread's answer, waited for. `None` where nobody could be asked, too.
fn answer(containers: &mut Containers, id: &str) -> Option<Names> {
    assert_eq!(containers.names(&id.into()), None, "nobody waits for the first answer");
    let (_, answered) = containers.asker.as_ref().unwrap();
    let (named, names) = answered.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(named, id);
    names.ok().flatten()
}

fn names(name: &str, image: &str) -> Names {
    let pod = PodNames { uid: UID.to_owned(), name: "web-7d4b9".to_owned(), namespace: "shop".to_owned() };
    Names { name: name.to_owned(), image: image.to_owned(), pod: Some(pod) }
}

fn nginx() -> Names {
    names("nginx", "docker.io/library/nginx:1.27")
}

fn started(sockets: Vec<PathBuf>, directories: Vec<PathBuf>) -> Containers {
    let (containers, asker) = Containers::new(Places { sockets, directories });
    asker.unwrap().start().unwrap();
    containers
}

#[test]
fn containers_and_the_sandboxes_that_hold_pods_together_are_named_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("runtime.sock");
    let _server = serve(&socket);
    let mut containers = started(vec![folder.path().join("nobody.sock"), socket], Vec::new());
    assert_eq!(answer(&mut containers, CONTAINER), Some(nginx()));
    assert_eq!(answer(&mut containers, SANDBOX), Some(names("", "")));
    assert_eq!(answer(&mut containers, &"f".repeat(64)), None);
}

#[test]
fn a_runtime_that_does_not_speak_the_interface_or_has_gone_keeps_no_other_from_being_asked() {
    let folder = tempfile::tempdir().unwrap();
    let [dead, docker, kubelet] = ["dead", "docker", "kubelet"].map(|name| folder.path().join(name));
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let (_docker, _kubelet) = (serve_nothing(&docker), serve(&kubelet));
    let mut containers = started(vec![dead, docker, kubelet], Vec::new());
    assert_eq!(answer(&mut containers, CONTAINER), Some(nginx()));
}

#[test]
fn what_stands_in_files_is_told_without_asking_a_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("containers").join(CONTAINER);
    std::fs::create_dir_all(&kept).unwrap();
    let file = format!(r#"{{"ID": "{CONTAINER}", "Name": "/db", "Config": {{"Image": "postgres:17"}}}}"#);
    std::fs::write(kept.join("config.v2.json"), file).unwrap();
    let mut containers = started(Vec::new(), vec![folder.path().to_owned()]);
    let expected = Names { name: "db".to_owned(), image: "postgres:17".to_owned(), pod: None };
    assert_eq!(answer(&mut containers, CONTAINER), Some(expected));
}

#[test]
fn a_runtime_that_is_not_there_costs_the_names_and_one_that_comes_later_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("runtime.sock");
    let mut containers = started(vec![socket.clone()], Vec::new());
    assert_eq!(answer(&mut containers, &"f".repeat(64)), None);
    let server = serve(&socket);
    assert_eq!(answer(&mut containers, SANDBOX), Some(names("", "")));
    // It is restarted: the old connection is of no use any more.
    drop(server);
    std::fs::remove_file(&socket).unwrap();
    let _server = serve(&socket);
    assert_eq!(answer(&mut containers, CONTAINER), Some(nginx()));
    assert_eq!(Containers::new(Places::default()).0.names(&CONTAINER.into()), None, "nobody is asked");
}

#[test]
fn no_more_containers_are_known_than_there_is_room_for() {
    let mut containers = Containers::default();
    for number in 0..KNOWN_MAX + 10 {
        containers.keep(number.to_string().into(), Known::Asked);
        containers.keep(number.to_string().into(), Known::Named(Names::default()));
    }
    assert_eq!((containers.known.len(), containers.order.len()), (KNOWN_MAX, KNOWN_MAX));
    assert!(!containers.known.contains_key(&BString::from("9")) && containers.known.contains_key(&BString::from("10")));
}
