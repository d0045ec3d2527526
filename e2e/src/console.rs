//! The product's own command line, used as a person would use it: every answer a test looks at went through it and the REST API.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, bail};
use bongsu_api::{Evidence, Incident, IncidentSummary, JoinToken, Sensor};
use serde::de::DeserializeOwned;

use crate::programs::program;

/// `bongsu`, told where the correlator keeps its state: there it finds address and token by itself.
#[derive(Debug, Clone)]
pub struct Console {
    state_dir: PathBuf,
}

impl Console {
    /// For the correlator with that state directory.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    /// Runs a verb and returns what came of it.
    ///
    /// # Errors
    /// When it is not built or cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        Command::new(program("bongsu")?)
            .args(arguments)
            .env("BONGSU_STATE_DIR", &self.state_dir)
            .env_remove("BONGSU_URL")
            .env_remove("BONGSU_TOKEN")
            .output()
            .context("cannot start bongsu")
    }

    /// Runs a verb and reads the JSON it prints.
    ///
    /// # Errors
    /// When it ends with another code than 0, or prints no such JSON.
    pub fn json<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        let output = self.run(&all)?;
        if !output.status.success() {
            bail!("bongsu {} ended with {}: {}", all.join(" "), output.status, String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("bongsu {} printed no such JSON", all.join(" ")))
    }

    /// The incidents, newest first.
    ///
    /// # Errors
    /// As [`Console::json`].
    pub fn incidents(&self) -> Result<Vec<IncidentSummary>> {
        self.json(&["incident", "list"])
    }

    /// One incident, whole.
    ///
    /// # Errors
    /// As [`Console::json`].
    pub fn incident(&self, id: &str) -> Result<Incident> {
        self.json(&["incident", "show", id])
    }

    /// The sensors.
    ///
    /// # Errors
    /// As [`Console::json`].
    pub fn sensors(&self) -> Result<Vec<Sensor>> {
        self.json(&["sensor", "list"])
    }

    /// The evidence.
    ///
    /// # Errors
    /// As [`Console::json`].
    pub fn evidence(&self) -> Result<Vec<Evidence>> {
        self.json(&["evidence", "list"])
    }

    /// A new join token.
    ///
    /// # Errors
    /// As [`Console::json`].
    pub fn join_token(&self) -> Result<JoinToken> {
        self.json(&["sensor", "token", "create"])
    }

    /// Fetches evidence into `file`.
    ///
    /// # Errors
    /// When the verb refuses.
    pub fn fetch_evidence(&self, sha256: &str, file: &Path) -> Result<()> {
        let output = self.run(&["evidence", "fetch", sha256, "-O", &file.to_string_lossy()])?;
        if !output.status.success() {
            bail!("evidence fetch ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}
