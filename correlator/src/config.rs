//! The configuration: a TOML file whose every key has a default, and what it means.
//!
//! Refuses unknown keys, and reports every mistake in the file at once, each with the path of its key. Loading touches no socket.
//! Each room owns its own table; this room puts them together.

mod evidence;
mod file;
mod section;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{advise, app::Deliveries, export, intake, notify, pipeline};
use evidence::EvidenceConfig;
use section::Sections;

/// What holds when nobody says otherwise.
pub(crate) const STATE_DIR: &str = "/var/lib/bongsu-correlator";

/// The configuration, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where pages and API are served.
    pub(crate) web: SocketAddr,
    pub(crate) intake: intake::Config,
    pub(crate) public: Public,
    pub(crate) detection: pipeline::Config,
    pub(crate) evidence: EvidenceConfig,
    pub(crate) deliveries: Deliveries,
}

/// How others reach us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Public {
    /// Host names and addresses that sensors use, best first. Empty: what this machine knows of itself.
    pub(crate) names: Vec<String>,
    /// The address of the pages behind a proxy.
    pub(crate) url: Option<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is not TOML: {error}")]
    Toml { path: PathBuf, error: Box<toml::de::Error> },
    #[error("{path} has mistakes:\n  {}", .mistakes.join("\n  "))]
    Mistakes { path: PathBuf, mistakes: Vec<String> },
}

impl Config {
    /// Reads a file, or takes the defaults when there is none.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::parse(toml::Table::new()).expect("a test parses the empty file"));
        };
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let table =
            text.parse().map_err(|error| ConfigError::Toml { path: path.to_owned(), error: Box::new(error) })?;
        Self::parse(table).map_err(|mistakes| ConfigError::Mistakes { path: path.to_owned(), mistakes })
    }

    fn parse(table: toml::Table) -> Result<Self, Vec<String>> {
        let mut sections = Sections::new(table);
        let listen: file::Listen = sections.take("listen");
        let public = sections.take::<file::Public>("public");
        let public = sections.check(public.validate());
        let detection = sections.take::<file::Detection>("detection");
        let anomaly = sections.take::<file::Anomaly>("anomaly");
        let anomaly = sections.check(anomaly.validate());
        let advise = sections.take::<advise::ConfigFile>("advise");
        let advise = sections.check(advise.validate());
        let slack = sections.take::<notify::ConfigFile>("slack");
        let slack = sections.check(slack.validate());
        let elasticsearch = sections.take::<export::ElasticsearchFile>("elasticsearch");
        let elasticsearch = sections.check(elasticsearch.validate());
        let ndjson = sections.take::<export::NdjsonFile>("ndjson");
        let ndjson = sections.check(ndjson.validate());
        let (kept, scanner) = (sections.take("evidence"), sections.take("scanner"));
        let evidence = sections.check(evidence::validate(&kept, scanner));
        sections.finish()?;
        let checked = "finish refuses when a check failed";
        Ok(Self {
            web: listen.web,
            intake: intake::Config { ingest: listen.ingest, enrolment: listen.enrolment },
            public: public.expect(checked),
            detection: pipeline::Config { rules_dir: detection.rules_dir, anomaly: anomaly.expect(checked) },
            evidence: evidence.expect(checked),
            deliveries: Deliveries {
                advise: advise.expect(checked),
                slack: slack.expect(checked),
                elasticsearch: elasticsearch.expect(checked),
                ndjson: ndjson.expect(checked),
            },
        })
    }
}

#[cfg(test)]
mod tests;
