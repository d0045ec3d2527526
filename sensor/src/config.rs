//! What the sensor is told by its configuration file (TOML). Every value has a default; no file at all is fine.
//!
//! Two steps: [`file`] finds every mistake and says where it is; what comes out is a [`Config`] of checked values.

mod budget;
mod file;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};

use crate::runtime::Places;

#[cfg(test)]
pub(crate) use budget::Budget;
pub(crate) use budget::Budgets;
pub(crate) use file::Mistake;

/// Logs that are followed when the configuration names none, as far as they are there.
const DEFAULT_LOGS: [&str; 4] = ["/var/log/auth.log", "/var/log/secure", "/var/log/syslog", "/var/log/messages"];
/// Files whose reading is an event when the configuration names none.
const DEFAULT_SENSITIVE: [&str; 44] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/security/opasswd",
    "/etc/sudoers",
    "/etc/sudoers.d/*",
    "/etc/krb5.keytab",
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssl/private/*",
    "/etc/pki/tls/private/*",
    "/etc/letsencrypt/archive/*/privkey*.pem",
    "/etc/wireguard/*.conf",
    "/etc/ipsec.secrets",
    "/etc/kubernetes/*.conf",
    "/etc/kubernetes/pki/*.key",
    "/etc/rancher/k3s/k3s.yaml",
    "/etc/mysql/debian.cnf",
    "~/.ssh/id_*",
    "~/.ssh/authorized_keys",
    "~/.aws/credentials",
    "~/.config/gcloud/credentials.db",
    "~/.config/gcloud/application_default_credentials.json",
    "~/.azure/accessTokens.json",
    "~/.azure/msal_token_cache.*",
    "~/.kube/config",
    "~/.docker/config.json",
    "~/.git-credentials",
    "~/.netrc",
    "~/.pgpass",
    "~/.my.cnf",
    "~/.pypirc",
    "~/.npmrc",
    "~/.cargo/credentials.toml",
    "~/.vault-token",
    "~/.config/gh/hosts.yml",
    "~/.gnupg/private-keys-v1.d/*",
    "~/.local/share/keyrings/*",
    "~/.mozilla/firefox/*/logins.json",
    "~/.mozilla/firefox/*/key4.db",
    "~/.bash_history",
    "~/.zsh_history",
    "~/.mysql_history",
    "~/.psql_history",
];
const DEFAULT_SPOOL_BYTES: u64 = 1024 * 1024 * 1024;
/// Of a segment; the spool must hold a few of them to shed anything.
pub(crate) const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// The configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Logs to follow.
    pub(crate) logs: Vec<PathBuf>,
    /// The spool's cap.
    pub(crate) spool_bytes_max: u64,
    /// Whether secrets are masked.
    pub(crate) mask: bool,
    /// Whether the probes run.
    pub(crate) probes: bool,
    /// Files whose reading is an event; `*` within a name, `~` for the home of each person.
    pub(crate) sensitive_paths: Vec<PathBuf>,
    /// What is kept of the environment of new programs.
    pub(crate) environment: Environment,
    /// What each process may have told of it.
    pub(crate) budgets: Budgets,
    /// Who may know what containers are called; nobody when nobody is to be asked.
    pub(crate) containers: Places,
    /// Whether lines typed into shells are events.
    pub(crate) shell_lines: bool,
}

/// What is kept of an environment. It holds secrets more often than not, so nothing unless somebody asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Environment {
    /// None of it.
    #[default]
    Nothing,
    /// All of it.
    All,
    /// The variables of these names.
    Named(Vec<BString>),
}

impl Environment {
    /// Of the variables (`NAME=value` each) those that are kept.
    pub(crate) fn chosen(&self, mut variables: Vec<BString>) -> Vec<BString> {
        match self {
            Self::Nothing => Vec::new(),
            Self::All => variables,
            Self::Named(names) => {
                let name = |variable: &[u8]| variable.find_byte(b'=').unwrap_or(variable.len());
                variables.retain(|variable| names.iter().any(|wanted| variable[..name(variable)] == wanted[..]));
                variables
            }
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not TOML: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where it is not.
        source: Box<toml::de::Error>,
    },
    /// It says what we do not understand.
    #[error("{path} has mistakes:{}", .mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect::<String>())]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// All of them.
        mistakes: Vec<Mistake>,
    },
}

impl Config {
    /// The configuration of a file, or the defaults.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let table = text
            .parse::<toml::Table>()
            .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        file::read(table).map_err(|mistakes| ConfigError::Mistakes { path: path.to_owned(), mistakes })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            logs: DEFAULT_LOGS.iter().map(PathBuf::from).filter(|path| path.exists()).collect(),
            spool_bytes_max: DEFAULT_SPOOL_BYTES,
            mask: true,
            probes: true,
            sensitive_paths: DEFAULT_SENSITIVE.iter().map(PathBuf::from).collect(),
            environment: Environment::Nothing,
            budgets: Budgets::default(),
            containers: Places::usual(),
            shell_lines: false,
        }
    }
}

#[cfg(test)]
mod shipped {
    use super::*;

    const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/sensor.toml");

    #[test]
    fn the_shipped_file_changes_nothing() {
        assert_eq!(Config::load(Some(Path::new(SHIPPED))).unwrap(), Config::default());
    }

    #[test]
    fn what_the_shipped_file_shows_commented_out_is_what_holds() {
        let text = fs::read_to_string(SHIPPED).unwrap();
        let settings = text.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.contains(" = "));
        let tables = text.lines().filter(|line| line.starts_with('['));
        // Each table is followed by its settings in the file; put back together they are the whole file, uncommented.
        let uncommented: Vec<&str> = text
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
            .filter(|line| !line.starts_with("path = "))
            .collect();
        assert!(settings.count() >= 5 && tables.count() == 4);
        let config = file::read(uncommented.join("\n").parse().unwrap()).unwrap();
        assert_eq!(config, Config::default());
    }
}
