//! The ordinary work of a small server: a few programs, files and connections every second. What the anomaly baseline is learned from.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};

/// Files that are written again and again.
const SESSIONS: u32 = 7;

/// Ordinary work going on in the background until it is dropped.
pub struct OrdinaryWork {
    stop: Option<SyncSender<()>>,
    worker: Option<JoinHandle<Result<()>>>,
}

impl OrdinaryWork {
    /// Starts it; a round every `pace`.
    #[must_use]
    pub fn start(pace: Duration) -> Self {
        let (stop, stopped) = sync_channel(1);
        Self { stop: Some(stop), worker: Some(thread::spawn(move || work(pace, &stopped))) }
    }

    /// Ends it.
    ///
    /// # Errors
    /// When a piece of it could not be done.
    pub fn end(mut self) -> Result<()> {
        self.stop = None;
        match self.worker.take() {
            Some(worker) => worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => Ok(()),
        }
    }
}

impl Drop for OrdinaryWork {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(worker) = self.worker.take() {
            // Its error was for `end` to return.
            drop(worker.join());
        }
    }
}

fn work(pace: Duration, stopped: &Receiver<()>) -> Result<()> {
    let folder = tempfile::tempdir_in("/var/tmp")?;
    for session in 0..SESSIONS {
        fs::write(folder.path().join(format!("session-{session}")), b"new")?;
    }
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut round: u32 = 0;
    while stopped.recv_timeout(pace) == Err(RecvTimeoutError::Timeout) {
        // Not the same every time, as no server is.
        for _ in 0..2 + round % 3 {
            run("/bin/ls", &["/etc"])?;
        }
        run("/bin/date", &[])?;
        fs::write(folder.path().join(format!("session-{}", round % SESSIONS)), b"ordinary")?;
        if round.is_multiple_of(2) {
            run("/bin/true", &[])?;
            visit(&server)?;
        }
        round += 1;
    }
    Ok(())
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    Ok(())
}

fn visit(server: &TcpListener) -> Result<()> {
    let mut visitor = TcpStream::connect(server.local_addr()?)?;
    let (mut answer, _) = server.accept()?;
    answer.write_all(b"200 OK\n")?;
    drop(answer);
    visitor.read_to_end(&mut Vec::new())?;
    Ok(())
}
