//! The YARA worker process, from here: starting it, asking it, and ending it when it is late.
//!
//! One worker, one scan at a time. A scan that has not ended at its deadline, and a little for the engine's rounding, ends with the
//! worker; the next scan starts another. "timed-out", "too-large" and "failed" are outcomes of their own.

mod protocol;

use std::{
    fs::File,
    io::{self, IoSlice},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use serde::de::DeserializeOwned;
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdout, Command},
    time::timeout,
};

pub(crate) use protocol::{Problem, Rule};

use crate::store::evidence::ScanOutcome;

/// Compiling tens of thousands of rules takes its time.
const START_MAX: Duration = Duration::from_secs(120);
/// The engine counts whole seconds and rounds up: it may be this late without being stuck.
const GRACE: Duration = Duration::from_secs(2);
/// A worker that was busy for so long is replaced, well within the processor time its jail allows it.
const BUSY_MAX: Duration = Duration::from_secs(15 * 60);
/// A worker that dies on a scan may have been killed from outside; one that dies twice on the same bytes dies of them.
const TRIES_MAX: usize = 2;

/// How evidence is scanned.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The worker, `bongsu-scanner`.
    pub(crate) program: PathBuf,
    /// Folders with yara rules besides the shipped ones.
    pub(crate) rules: Vec<PathBuf>,
    /// Larger evidence is not scanned.
    pub(crate) bytes_max: u64,
    /// How long one scan may take.
    pub(crate) deadline: Duration,
}

/// The scanner, with or without a running worker.
#[derive(Debug)]
pub(crate) struct Scanner {
    config: Config,
    worker: Option<Worker>,
    next: u64,
}

/// What a scan came to.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) outcome: ScanOutcome,
    pub(crate) rules: Vec<Rule>,
    /// How many more matched.
    pub(crate) rules_dropped: usize,
    pub(crate) detail: Option<String>,
    pub(crate) elapsed: Duration,
}

/// Why no worker is there. This says nothing about the evidence: it stays unscanned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("cannot start the scanner {program}")]
    Spawn { program: String, source: io::Error },
    #[error("the scanner {program} ended before it was ready: {status}")]
    Ended { program: String, status: String },
    #[error("the scanner {program} was not ready after {START_MAX:?}")]
    Slow { program: String },
    #[error("the scanner {program} speaks version {found} of the protocol, not {}", protocol::VERSION)]
    Version { program: String, found: u32 },
}

/// Why a scan has no answer.
#[derive(Debug)]
enum Silence {
    Late,
    Dead(String),
}

impl Scanner {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, worker: None, next: 1 }
    }

    /// Scans an open file, read-only and at its beginning.
    pub(crate) async fn scan(&mut self, file: &File) -> Result<Report, StartError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut worker = match self.worker.take() {
                Some(worker) => worker,
                None => Worker::start(&self.config).await?,
            };
            let id = self.next;
            self.next = self.next.saturating_add(1);
            // An earlier try may have read some of it, and the descriptors share one position.
            let report = match rewind(file) {
                Ok(()) => worker.ask(id, file, self.config.deadline).await,
                Err(error) => Err(Silence::Dead(format!("cannot read the evidence from its beginning: {error}"))),
            };
            match report {
                Ok(report) => {
                    if worker.busy < BUSY_MAX {
                        self.worker = Some(worker);
                    }
                    return Ok(report);
                }
                Err(Silence::Late) => {
                    worker.end().await;
                    let after = self.config.deadline;
                    return Ok(Report::ended(
                        ScanOutcome::TimedOut,
                        format!("killed: not done after {after:?}"),
                        after,
                    ));
                }
                Err(Silence::Dead(why)) => {
                    let status = worker.end().await;
                    tracing::warn!(%why, %status, tries, "the scanner died on a scan");
                    if tries == TRIES_MAX {
                        let detail = format!("the scanner died {tries} times: {why}; {status}");
                        return Ok(Report::ended(ScanOutcome::Failed, detail, Duration::ZERO));
                    }
                }
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn program(&self) -> PathBuf {
        self.config.program.clone()
    }

    /// The running worker's process id.
    #[cfg(test)]
    pub(crate) fn pid(&self) -> Option<u32> {
        self.worker.as_ref().and_then(|worker| worker.child.id())
    }
}

impl Report {
    fn ended(outcome: ScanOutcome, detail: String, elapsed: Duration) -> Self {
        Self { outcome, rules: Vec::new(), rules_dropped: 0, detail: Some(detail), elapsed }
    }
}

#[derive(Debug)]
struct Worker {
    child: Child,
    requests: OwnedFd,
    answers: ChildStdout,
    busy: Duration,
}

impl Worker {
    async fn start(config: &Config) -> Result<Self, StartError> {
        let program = config.program.display().to_string();
        let spawn = |source| StartError::Spawn { program: program.clone(), source };
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|error| spawn(error.into()))?;
        let mut command = Command::new(&config.program);
        command.arg("--bytes-max").arg(config.bytes_max.to_string());
        for folder in &config.rules {
            command.arg("--rules").arg(folder);
        }
        // Nothing of ours comes along: no environment with secrets, no folder, no descriptor but the three.
        command.env_clear().current_dir("/").stdin(Stdio::from(theirs)).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().map_err(spawn)?;
        // The command holds the worker's end of the socket: as long as it lives here, the worker never sees ours closed.
        drop(command);
        let answers = child.stdout.take().ok_or_else(|| spawn(io::ErrorKind::BrokenPipe.into()))?;
        let mut worker = Self { child, requests: ours, answers, busy: Duration::ZERO };
        match timeout(START_MAX, worker.read::<protocol::Hello>()).await {
            Err(_) => {
                worker.end().await;
                Err(StartError::Slow { program })
            }
            Ok(Err(why)) => {
                let status = worker.end().await;
                Err(StartError::Ended { program, status: format!("{why}; {status}") })
            }
            Ok(Ok(hello)) if hello.protocol != protocol::VERSION => {
                worker.end().await;
                Err(StartError::Version { program, found: hello.protocol })
            }
            Ok(Ok(hello)) => {
                announce(&hello);
                Ok(worker)
            }
        }
    }

    async fn ask(&mut self, id: u64, file: &File, deadline: Duration) -> Result<Report, Silence> {
        let request = protocol::Request { id, deadline_ms: u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX) };
        let packet = serde_json::to_vec(&request).expect("two numbers are JSON");
        let descriptors = [file.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        sendmsg::<()>(self.requests.as_raw_fd(), &[IoSlice::new(&packet)], &rights, flags, None)
            .map_err(|error| Silence::Dead(format!("cannot ask it: {error}")))?;
        match timeout(deadline.saturating_add(GRACE), self.read::<protocol::Response>()).await {
            Err(_) => Err(Silence::Late),
            Ok(Err(error)) => Err(Silence::Dead(format!("no answer: {error}"))),
            Ok(Ok(response)) if response.id != id => {
                Err(Silence::Dead(format!("an answer to request {} instead of {id}", response.id)))
            }
            Ok(Ok(response)) => {
                let elapsed = Duration::from_millis(response.elapsed_ms);
                self.busy = self.busy.saturating_add(elapsed);
                Ok(Report {
                    outcome: response.outcome.into(),
                    rules: response.rules,
                    rules_dropped: response.rules_dropped,
                    detail: response.detail,
                    elapsed,
                })
            }
        }
    }

    async fn read<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let length = self.answers.read_u32().await?;
        if length > protocol::ANSWER_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("an answer of {length} bytes")));
        }
        let mut body = vec![0; usize::try_from(length).unwrap_or(0)];
        self.answers.read_exact(&mut body).await?;
        serde_json::from_slice(&body).map_err(io::Error::from)
    }

    /// Kills it and tells how it ended, in words.
    async fn end(mut self) -> String {
        // One that has ended by itself cannot be killed, which is as well.
        drop(self.child.start_kill());
        match self.child.wait().await {
            Ok(status) => words(status),
            Err(error) => format!("its end is unknown: {error}"),
        }
    }
}

fn words(status: ExitStatus) -> String {
    match status.signal() {
        Some(libc::SIGSYS) => "it made a system call that its jail forbids".to_owned(),
        Some(libc::SIGXCPU) => "it used up its processor time".to_owned(),
        _ => status.to_string(),
    }
}

fn rewind(file: &File) -> io::Result<()> {
    let mut file = file;
    io::Seek::rewind(&mut file)
}

fn announce(hello: &protocol::Hello) {
    tracing::info!(rules = hello.rules, jail = ?hello.jail, "the scanner is ready");
    for Problem { file, line, message } in &hello.problems {
        tracing::warn!(file, line, message, "a yara rule is not in force");
    }
    if hello.problems_dropped > 0 {
        tracing::warn!(count = hello.problems_dropped, "more yara rules are not in force");
    }
}
