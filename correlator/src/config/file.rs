//! The tables of the file that no other room owns, with their defaults.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bongsu_detection::anomaly::Settings;
use rustls::pki_types::ServerName;
use serde::Deserialize;

use super::Public as CheckedPublic;

/// `[listen]`. Port 0 takes any free port; `endpoints.json` in the state directory says which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Listen {
    /// Pages and API, over plain HTTP: for this machine, or a proxy on it.
    pub(super) web: SocketAddr,
    /// Where sensors connect.
    pub(super) ingest: SocketAddr,
    /// Where they join.
    pub(super) enrolment: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            web: ([127, 0, 0, 1], 8470).into(),
            ingest: ([0, 0, 0, 0], 8471).into(),
            enrolment: ([0, 0, 0, 0], 8472).into(),
        }
    }
}

/// `[public]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Public {
    names: Vec<String>,
    url: Option<String>,
}

impl Public {
    pub(super) fn validate(self) -> Result<CheckedPublic, Vec<String>> {
        let mut mistakes = Vec::new();
        for name in &self.names {
            if ServerName::try_from(name.as_str()).is_err() {
                mistakes.push(format!("public.names: {name:?} is neither a host name nor an address"));
            }
        }
        let url = self.url.map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = &url
            && let Err(why) = crate::courier::parse_url(url)
        {
            mistakes.push(format!("public.url: {why}"));
        }
        if mistakes.is_empty() { Ok(CheckedPublic { names: self.names, url }) } else { Err(mistakes) }
    }
}

/// `[detection]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Detection {
    /// A directory of rules besides the shipped ones.
    pub(super) rules_dir: Option<PathBuf>,
}

/// `[anomaly]`. What is not set here is as [`Settings`] has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Anomaly {
    /// The length of a window.
    window_seconds: Option<u64>,
    /// Windows that make a baseline.
    baseline_windows: Option<usize>,
    /// How many findings a host may make on an ordinary day.
    findings_per_day: Option<u32>,
}

impl Anomaly {
    pub(super) fn validate(self) -> Result<Settings, Vec<String>> {
        let mut settings = Settings::default();
        let mut mistakes = Vec::new();
        match self.window_seconds {
            Some(seconds @ 1..=3_600) => settings.window = Duration::from_secs(seconds),
            Some(seconds) => mistakes.push(format!("anomaly.window_seconds: {seconds} is not within 1 to 3600")),
            None => {}
        }
        match self.baseline_windows {
            Some(windows @ 8..=288) => settings.windows_min = windows,
            Some(windows) => mistakes.push(format!("anomaly.baseline_windows: {windows} is not within 8 to 288")),
            None => {}
        }
        match self.findings_per_day {
            Some(findings @ 1..=10_000) => settings.findings_per_day = findings,
            Some(findings) => mistakes.push(format!("anomaly.findings_per_day: {findings} is not within 1 to 10000")),
            None => {}
        }
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    }
}
