//! A correlator's end of the pipe, for tests of the real worker.

use std::{
    fs::File,
    io::{IoSlice, Read, Write},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair},
    },
    unistd::Pid,
};
use serde_json::{Value, json};

/// A running worker and what it said first.
pub(crate) struct Worker {
    child: Child,
    requests: Option<OwnedFd>,
    answers: ChildStdout,
    pub(crate) hello: Value,
}

impl Worker {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_bongsu-scanner"))
            .args(arguments)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = child.stdout.take().unwrap();
        let hello = read_answer(&mut answers).expect("the worker says hello");
        Self { child, requests: Some(ours), answers, hello }
    }

    /// Starts one whose extra rules are `rules`.
    pub(crate) fn with_rules(rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("extra.yar"), rules).unwrap();
        Self::start(&["--rules", folder.path().to_str().unwrap()])
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one packet with the files.
    pub(crate) fn send(&self, packet: &[u8], files: &[File]) {
        let descriptors: Vec<i32> = files.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let control: &[ControlMessage<'_>] = if files.is_empty() { &[] } else { &rights };
        let socket = self.requests.as_ref().unwrap().as_raw_fd();
        sendmsg::<()>(socket, &[IoSlice::new(packet)], control, MsgFlags::MSG_NOSIGNAL, None).unwrap();
    }

    pub(crate) fn answer(&mut self) -> Option<Value> {
        read_answer(&mut self.answers)
    }

    pub(crate) fn ask(&mut self, id: u64, deadline_ms: u32, file: File) -> Value {
        self.send(request(id, deadline_ms).as_bytes(), &[file]);
        self.answer().expect("the worker answers")
    }

    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Value {
        self.ask(1, 20_000, file_of(bytes))
    }

    pub(crate) fn scan_path(&mut self, path: &Path) -> Value {
        self.ask(1, 60_000, File::open(path).unwrap())
    }

    pub(crate) fn kill(&self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGKILL).unwrap();
    }

    /// Closes our end and waits for the worker's.
    pub(crate) fn finish(mut self) -> ExitStatus {
        drop(self.requests.take());
        self.child.wait().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.requests.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn request(id: u64, deadline_ms: u32) -> String {
    json!({ "id": id, "deadline_ms": deadline_ms }).to_string()
}

pub(crate) fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    // Opened again, so that it is read-only and at its beginning, as the correlator gives it.
    file.reopen().unwrap()
}

pub(crate) fn rule_names(answer: &Value) -> Vec<&str> {
    answer["rules"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap()).collect()
}

fn read_answer(from: &mut ChildStdout) -> Option<Value> {
    let mut length = [0; 4];
    from.read_exact(&mut length).ok()?;
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    from.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}
