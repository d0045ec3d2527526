//! Loading rules: the shipped ones and a directory of the operator's.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bongsu_detection::{Engine, RuleFile, rule::RuleError};

/// A rule file larger than this is none.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const FILES_MAX: usize = 20_000;
const DEPTH_MAX: usize = 8;

/// Rules, ready to run.
pub(crate) struct LoadedRules {
    pub(crate) engine: Engine,
    /// Every mistake. A rule with a mistake does not run; all others do.
    pub(crate) errors: Vec<RuleError>,
    pub(crate) rule_count: usize,
    pub(crate) sequence_count: usize,
}

/// Why the directory of rules cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} has more than {FILE_BYTES_MAX} bytes")]
    TooLarge { path: PathBuf },
    #[error("{path} holds more than {FILES_MAX} rule files")]
    TooMany { path: PathBuf },
}

impl LoadedRules {
    /// Loads the shipped rules, and those below `directory` (`*.yml`, `*.yaml`) in order of their paths.
    pub(crate) fn load(directory: Option<&Path>) -> Result<Self, LoadError> {
        let mut files = bongsu_detection::shipped();
        if let Some(directory) = directory {
            let mut found = Vec::new();
            collect(directory, DEPTH_MAX, &mut found)?;
            found.sort();
            for path in found {
                files.push(read(&path)?);
            }
        }
        let loaded = Engine::load(&files);
        Ok(Self {
            engine: loaded.engine,
            errors: loaded.errors,
            rule_count: loaded.rule_count,
            sequence_count: loaded.sequence_count,
        })
    }
}

fn collect(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let fail = |source| LoadError::Read { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(fail)?);
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "yml" || end == "yaml") {
            if found.len() == FILES_MAX {
                return Err(LoadError::TooMany { path: directory.to_owned() });
            }
            found.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<RuleFile, LoadError> {
    let fail = |source| LoadError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(fail)?.len() > FILE_BYTES_MAX {
        return Err(LoadError::TooLarge { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(fail)?;
    Ok(RuleFile { path: path.display().to_string(), text })
}
