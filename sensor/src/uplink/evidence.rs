//! Evidence: the image of a process, hashed piece by piece as it goes.
//!
//! One request at a time, on a thread of its own, through the same bounded queue as the batches: both get their turn.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::{
        fd::AsRawFd as _,
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            fs::{OpenOptionsExt as _, PermissionsExt as _},
        },
    },
    path::Path,
    sync::Arc,
};

use bongsu_proto::{
    convert, limits,
    v1::{self, evidence_end::Outcome, sensor_message::Body},
};
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::mpsc,
    task::{self, JoinError},
};

use crate::kernel::Kernel;

/// Requests that wait; more are answered with FAILED at once.
pub(super) const REQUESTS_MAX: usize = 16;

const BY_PROCESS: &str = "opened by process: these are the bytes that ran";
const BY_PATH: &str = "the process is gone; opened by path: the file may have been changed since it ran";

/// Answers requests until the session ends.
pub(super) async fn run(
    mut requests: mpsc::Receiver<v1::EvidenceRequest>,
    kernel: Arc<Kernel>,
    messages: mpsc::Sender<v1::SensorMessage>,
) -> Result<(), JoinError> {
    while let Some(request) = requests.recv().await {
        let (kernel, messages) = (Arc::clone(&kernel), messages.clone());
        task::spawn_blocking(move || answer(&request, &kernel, &messages)).await?;
    }
    Ok(())
}

/// The answer to a request there is no room for.
pub(super) fn busy(request: u64) -> v1::SensorMessage {
    let detail = format!("{REQUESTS_MAX} requests wait already");
    let end = v1::EvidenceEnd { request, outcome: Outcome::Failed.into(), detail, ..v1::EvidenceEnd::default() };
    v1::SensorMessage { body: Some(Body::EvidenceEnd(end)) }
}

/// The queue is gone, and the session with it.
struct Gone;

fn answer(request: &v1::EvidenceRequest, kernel: &Kernel, messages: &mpsc::Sender<v1::SensorMessage>) {
    let send = |body| messages.blocking_send(v1::SensorMessage { body: Some(body) }).or(Err(Gone));
    let ended = |outcome: Outcome, detail: String| v1::EvidenceEnd {
        request: request.request,
        outcome: outcome.into(),
        detail,
        ..v1::EvidenceEnd::default()
    };
    let end = match open(request, kernel) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ended(Outcome::Gone, error.to_string())),
        Err(error) => Ok(ended(Outcome::Failed, error.to_string())),
        Ok((file, how)) => upload(request, file, &send).map(|uploaded| match uploaded {
            Ok(Some(end)) => v1::EvidenceEnd { detail: how.to_owned(), ..end },
            Ok(None) => ended(Outcome::TooLarge, format!("it has more than {} bytes", request.bytes_max)),
            Err(error) => ended(Outcome::Failed, format!("cannot read it: {error}")),
        }),
    };
    let outcome = end.and_then(|end| {
        tracing::info!(request = request.request, outcome = ?end.outcome(), size = end.size, "evidence");
        send(Body::EvidenceEnd(end))
    });
    if let Err(Gone) = outcome {
        tracing::info!(request = request.request, "the session ended before the evidence did");
    }
}

fn open(request: &v1::EvidenceRequest, kernel: &Kernel) -> io::Result<(File, &'static str)> {
    let key = request.process.as_ref().map(convert::decode_key);
    let error = match key.map(|key| kernel.open_image(key)) {
        Some(Ok(file)) => return Ok((file, BY_PROCESS)),
        Some(Err(error)) => error,
        None => io::Error::new(io::ErrorKind::NotFound, "the request names no process"),
    };
    if request.path.is_empty() {
        return Err(error);
    }
    open_path(Path::new(std::ffi::OsStr::from_bytes(&request.path))).map(|file| (file, BY_PATH))
}

/// Opens the file only when it could have run: whoever holds the correlator must not read /etc/shadow through us.
fn open_path(path: &Path) -> io::Result<File> {
    if !path.is_absolute() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the path is not absolute"));
    }
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::NotFound, "what is there now is not a program")),
    }
}

/// Sends the chunks. `Ok(Ok(None))` when there is more than was asked for.
fn upload(
    request: &v1::EvidenceRequest,
    mut file: File,
    send: &impl Fn(Body) -> Result<(), Gone>,
) -> Result<io::Result<Option<v1::EvidenceEnd>>, Gone> {
    match file.metadata() {
        Err(error) => return Ok(Err(error)),
        Ok(metadata) if metadata.len() > request.bytes_max => return Ok(Ok(None)),
        Ok(_) => {}
    }
    // What the kernel calls the open file, " (deleted)" and all.
    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
    let mut whole = Sha256::new();
    let mut size = 0;
    loop {
        let mut data = Vec::with_capacity(limits::EVIDENCE_CHUNK_BYTES_MAX);
        let read = file.by_ref().take(limits::EVIDENCE_CHUNK_BYTES_MAX as u64).read_to_end(&mut data);
        match read {
            Err(error) => return Ok(Err(error)),
            Ok(0) => break,
            Ok(_) => {}
        }
        let offset = size;
        size += data.len() as u64;
        if size > request.bytes_max {
            return Ok(Ok(None));
        }
        whole.update(&data);
        let sha256 = Sha256::digest(&data).to_vec();
        send(Body::EvidenceChunk(v1::EvidenceChunk { request: request.request, offset, data, sha256 }))?;
    }
    Ok(Ok(Some(v1::EvidenceEnd {
        request: request.request,
        outcome: Outcome::Complete.into(),
        size,
        sha256: whole.finalize().to_vec(),
        path: path.into_os_string().into_vec(),
        detail: String::new(),
    })))
}
