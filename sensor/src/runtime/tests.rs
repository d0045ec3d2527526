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
};
use tonic_prost::ProstCodec;

use super::{
    cri::{
        CONTAINER_STATUS, ContainerStatus, ContainerStatusResponse, ImageSpec, SANDBOX_STATUS, SandboxMetadata,
        SandboxStatus, SandboxStatusResponse, StatusRequest,
    },
    *,
};

pub(crate) const CONTAINER: &str = "c0ffee0000000000000000000000000000000000000000000000000000000001";
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
                label("container.name", "nginx"),
            ]);
            let image = Some(ImageSpec { image: "docker.io/library/nginx:1.27".to_owned() });
            Ok(Response::new(ContainerStatusResponse { status: Some(ContainerStatus { id, image, labels }) }))
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
            let metadata = SandboxMetadata { name: "web-7d4b9".to_owned(), namespace: "shop".to_owned() };
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

/// Serves at that path until the sender goes.
pub(crate) fn serve(path: &Path) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = {
        let _inside = runtime.enter();
        UnixListener::bind(path).unwrap()
    };
    thread::spawn(move || {
        let served = async {
            let server = tonic::transport::Server::builder().add_service(Fake);
            let gone = async { drop(stopped.await) };
            server.serve_with_incoming_shutdown(UnixListenerStream::new(listener), gone).await.map_err(StdError::from)
        };
        runtime.block_on(served).unwrap();
    });
    stop
}

/// What comes of asking for it: the thread's answer, waited for.
fn answer(containers: &mut Containers, id: &str) -> Option<Names> {
    assert_eq!(containers.names(&id.into()), None, "nobody waits for the first answer");
    let (_, answered) = containers.asker.as_ref().unwrap();
    let (named, names) = answered.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(named, id);
    names
}

fn names(image: &str) -> Names {
    Names { name: "web-7d4b9".to_owned(), namespace: "shop".to_owned(), image: image.to_owned() }
}

fn started(sockets: Vec<PathBuf>) -> Containers {
    let (containers, asker) = Containers::new(sockets);
    asker.unwrap().start().unwrap();
    containers
}

#[test]
fn containers_and_the_sandboxes_that_hold_pods_together_are_named_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("runtime.sock");
    let _server = serve(&socket);
    let mut containers = started(vec![folder.path().join("nobody.sock"), socket]);
    assert_eq!(answer(&mut containers, CONTAINER), Some(names("docker.io/library/nginx:1.27")));
    assert_eq!(answer(&mut containers, SANDBOX), Some(names("")));
    assert_eq!(answer(&mut containers, &"f".repeat(64)), None);
}

#[test]
fn a_runtime_that_is_not_there_costs_the_names_and_one_that_comes_later_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("runtime.sock");
    let mut containers = started(vec![socket.clone()]);
    assert_eq!(answer(&mut containers, CONTAINER), None);
    let _server = serve(&socket);
    assert_eq!(answer(&mut containers, SANDBOX), Some(names("")));
    assert_eq!(Containers::new(Vec::new()).0.names(&CONTAINER.into()), None, "nobody is asked");
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
