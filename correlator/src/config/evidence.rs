//! `[evidence]` and `[scanner]`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::{
    evidence::{BuildError, Config, Evidence as Door, Judge, Room},
    store::Store,
};

const MIB: u64 = 1024 * 1024;

/// `[evidence]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Evidence {
    /// Larger files are not taken.
    file_mib_max: Option<u64>,
    /// When all evidence might grow beyond this, nothing more is asked for.
    total_mib_max: Option<u64>,
}

/// `[scanner]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Scanner {
    /// The worker's program; otherwise the one beside this program.
    path: Option<PathBuf>,
    /// How long one scan may take.
    deadline_seconds: Option<u64>,
    /// Folders of yara rules besides the shipped ones.
    #[serde(default)]
    rules: Vec<PathBuf>,
}

/// How evidence is taken, kept and scanned; the folder comes with the state directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvidenceConfig {
    bytes_max: Option<u64>,
    total_bytes_max: Option<u64>,
    scanner: Option<PathBuf>,
    deadline: Option<Duration>,
    rules: Vec<PathBuf>,
}

pub(super) fn validate(evidence: &Evidence, scanner: Scanner) -> Result<EvidenceConfig, Vec<String>> {
    let mut mistakes = Vec::new();
    let mut within = |key: &str, value: Option<u64>, max: u64| {
        if let Some(value) = value.filter(|value| !(1..=max).contains(value)) {
            mistakes.push(format!("{key}: {value} is not within 1 to {max}"));
        }
    };
    within("evidence.file_mib_max", evidence.file_mib_max, 4 * 1024);
    within("evidence.total_mib_max", evidence.total_mib_max, 64 * 1024 * 1024);
    within("scanner.deadline_seconds", scanner.deadline_seconds, 600);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(EvidenceConfig {
        bytes_max: evidence.file_mib_max.map(|mib| mib * MIB),
        total_bytes_max: evidence.total_mib_max.map(|mib| mib * MIB),
        scanner: scanner.path,
        deadline: scanner.deadline_seconds.map(Duration::from_secs),
        rules: scanner.rules,
    })
}

impl EvidenceConfig {
    /// Opens the folder of evidence below the state directory.
    pub(crate) fn build(self, state_dir: &Path, store: Store) -> Result<(Door, Room, Judge), BuildError> {
        let mut config = Config::new(state_dir.join("evidence"));
        config.bytes_max = self.bytes_max.unwrap_or(config.bytes_max);
        config.total_bytes_max = self.total_bytes_max.unwrap_or(config.total_bytes_max);
        config.scanner = self.scanner.unwrap_or(config.scanner);
        config.scan_deadline = self.deadline.unwrap_or(config.scan_deadline);
        config.rules = self.rules;
        config.build(store)
    }
}
