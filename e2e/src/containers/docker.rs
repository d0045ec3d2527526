//! Docker, spoken to over its socket: its command line is a package of its own in newer releases.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Containerd, Room, image, room::Inhabitant};

/// Loading an image is the longest it does.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// A running Docker with a containerd of its own, and the image in it.
pub struct Docker<'a> {
    room: &'a Room,
    containerd: Containerd<'a>,
    running: Inhabitant,
}

impl<'a> Docker<'a> {
    /// Starts one in the room.
    ///
    /// # Errors
    /// When it does not come up, or does not take the image.
    pub fn start(room: &'a Room) -> Result<Self> {
        let containerd = Containerd::for_docker(room)?;
        // The machine's own configuration is not ours to follow.
        fs::write(room.path("daemon.json"), "{}")?;
        let option = |name: &str, value: &str| format!("--{name}={value}");
        let path = |name: &str, file: &str| option(name, &room.path(file).to_string_lossy());
        let arguments = [
            path("config-file", "daemon.json"),
            path("data-root", "docker"),
            path("exec-root", "docker-exec"),
            path("pidfile", "docker.pid"),
            option("host", &format!("unix://{}", room.path("docker.sock").display())),
            option("containerd", &containerd.socket().to_string_lossy()),
            option("cgroup-parent", &format!("/{}", room.cgroup())),
            option("exec-opt", "native.cgroupdriver=cgroupfs"),
            option("storage-driver", "vfs"),
            option("bridge", "none"),
            option("iptables", "false"),
            option("ip6tables", "false"),
            option("ip-forward", "false"),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let running = room.start("dockerd", &arguments, &room.path("docker.log"))?;
        let mut docker = Self { room, containerd, running };
        docker.until_it_answers()?;
        docker.post("/images/load", "application/x-tar", &fs::read(image::make(room)?)?)?;
        Ok(docker)
    }

    fn until_it_answers(&mut self) -> Result<()> {
        let socket = self.room.path("docker.sock");
        self.running.until("Docker answers", || ask(&socket, "GET", "/_ping", "text/plain", &[]).map(drop))
    }

    /// Where it keeps what it knows.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.room.path("docker")
    }

    /// The socket of its containerd.
    #[must_use]
    pub fn containerd_socket(&self) -> PathBuf {
        self.containerd.socket()
    }

    /// Runs a container; gives its id. `Docker` forgets one that `is_passing` as soon as it has ended.
    ///
    /// # Errors
    /// When it does not.
    pub fn run(&self, name: &str, command: &[&str], is_passing: bool) -> Result<String> {
        let config = json!({
            "Image": image::NAME, "Cmd": command, "Env": ["PASSWORD=not to be told"],
            "HostConfig": {"NetworkMode": "none", "AutoRemove": is_passing},
        });
        let created =
            self.post(&format!("/containers/create?name={name}"), "application/json", config.to_string().as_bytes())?;
        let created: Value = serde_json::from_slice(&created)?;
        let id = created["Id"].as_str().context("it says no id")?.to_owned();
        self.post(&format!("/containers/{id}/start"), "application/json", &[])?;
        Ok(id)
    }

    fn post(&self, path: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>> {
        ask(&self.room.path("docker.sock"), "POST", path, kind, body)
    }
}

/// One request, one answer: HTTP 1.0, so that the answer is whatever comes until the end.
fn ask(socket: &std::path::Path, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, _) = text.split_once("\r\n\r\n").context("the answer has no head")?;
    let status: u16 = head.split(' ').nth(1).context("no status")?.parse()?;
    ensure!((200..300).contains(&status), "{method} {path}: {text}");
    let body_at = head.len() + 4;
    Ok(answer[body_at..].to_vec())
}
