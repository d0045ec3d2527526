//! Reads the configuration's tables key by key, so that one run reports every mistake with its place.

use std::{fmt, ops::RangeInclusive, path::PathBuf};

use toml::{Table, Value};

use super::{Budgets, Config, Environment, SEGMENT_BYTES};
use crate::runtime::Places;

/// The spool must hold some closed segments, or there is nothing to shed.
const SPOOL_BYTES_MIN: u64 = 4 * SEGMENT_BYTES;
const PATHS_MAX: usize = 64;

/// One mistake and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// `spool.bytes_max`, `log[2].path`.
    pub(crate) key: String,
    /// What is wrong with it.
    pub(crate) what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// The configuration that the tables say, or everything that is wrong with them.
pub(super) fn read(table: Table) -> Result<Config, Vec<Mistake>> {
    let mut config = Config::default();
    let mut mistakes = Vec::new();
    let mut root = Section { name: String::new(), table, mistakes: &mut mistakes };

    if let Some(mut spool) = root.section("spool") {
        if let Some(bytes) = spool.take("bytes_max", "a number of bytes", |value| value.as_integer()) {
            match u64::try_from(bytes) {
                Ok(bytes) if bytes >= SPOOL_BYTES_MIN => config.spool_bytes_max = bytes,
                _ => spool.mistake("bytes_max", format!("must be at least {SPOOL_BYTES_MIN}")),
            }
        }
        spool.end();
    }
    if let Some(mut mask) = root.section("mask") {
        config.mask = mask.take("enabled", "true or false", Value::as_bool).unwrap_or(config.mask);
        mask.end();
    }
    if let Some(mut probes) = root.section("probes") {
        config.probes = probes.take("enabled", "true or false", Value::as_bool).unwrap_or(config.probes);
        if let Some(paths) = probes.take("sensitive_paths", "a list of paths", |value| value.as_array().cloned()) {
            config.sensitive_paths = probes.patterns("sensitive_paths", &paths);
        }
        config.environment =
            probes.take("environment", "true, false or a list of names", environment).unwrap_or(config.environment);
        probes.containers(&mut config.containers);
        config.shell_lines = probes.take("shell_lines", "true or false", Value::as_bool).unwrap_or(config.shell_lines);
        probes.end();
    }
    if let Some(mut budget) = root.section("budget") {
        config.budgets = Budgets::read(&mut budget);
        budget.end();
    }
    if let Some(logs) = root.take("log", "a list of tables ([[log]])", |value| value.as_array().cloned()) {
        config.logs = root.logs(logs);
    }
    root.end();
    if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
}

/// One table; what is left in it at the end is unknown.
pub(super) struct Section<'a> {
    name: String,
    table: Table,
    mistakes: &'a mut Vec<Mistake>,
}

impl Section<'_> {
    fn key(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn mistake(&mut self, key: &str, what: String) {
        let key = self.key(key);
        self.mistakes.push(Mistake { key, what });
    }

    fn take<T>(&mut self, key: &str, expected: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.table.remove(key)?;
        let read = read(&value);
        if read.is_none() {
            self.mistake(key, format!("must be {expected}, not {}", value.type_str()));
        }
        read
    }

    /// Puts the number of that key into its place, when there is one.
    pub(super) fn bounded(&mut self, key: &str, bounds: RangeInclusive<u32>, place: &mut u32) {
        let Some(number) = self.take(key, "a number", Value::as_integer) else { return };
        match u32::try_from(number) {
            Ok(number) if bounds.contains(&number) => *place = number,
            _ => self.mistake(key, format!("must be {} to {}", bounds.start(), bounds.end())),
        }
    }

    fn section(&mut self, key: &str) -> Option<Section<'_>> {
        let table = self.take(key, "a table", |value| value.as_table().cloned())?;
        Some(Section { name: self.key(key), table, mistakes: self.mistakes })
    }

    /// Who is asked what containers are called.
    fn containers(&mut self, places: &mut Places) {
        if let Some(paths) = self.take("container_directories", "a list of absolute paths", absolute_all) {
            places.directories = paths;
        }
        let runtime = "true, false or the absolute path of a socket";
        if let Some(value) = self.take("container_runtime", runtime, |value| {
            (value.is_bool() || absolute(value).is_some()).then(|| value.clone())
        }) {
            match absolute(&value) {
                Some(socket) => places.sockets = vec![socket],
                None if value.as_bool() == Some(false) => *places = Places::default(),
                None => {}
            }
        }
    }

    fn patterns(&mut self, key: &str, values: &[Value]) -> Vec<PathBuf> {
        if values.len() > PATHS_MAX {
            self.mistake(key, format!("has more than {PATHS_MAX} entries"));
        }
        let mut paths = Vec::new();
        for (index, value) in values.iter().enumerate() {
            match pattern(value) {
                Ok(path) => paths.push(path),
                Err(why) => self.mistake(&format!("{key}[{index}]"), why),
            }
        }
        paths
    }

    fn logs(&mut self, values: Vec<Value>) -> Vec<PathBuf> {
        if values.len() > PATHS_MAX {
            self.mistake("log", format!("has more than {PATHS_MAX} entries"));
        }
        let mut logs: Vec<PathBuf> = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            let name = format!("log[{index}]");
            let Value::Table(table) = value else {
                self.mistake(&name, "must be a table".to_owned());
                continue;
            };
            let mut log = Section { name, table, mistakes: self.mistakes };
            match log.table.remove("path").as_ref().map(absolute) {
                Some(Some(path)) if logs.contains(&path) => log.mistake("path", "is followed already".to_owned()),
                Some(Some(path)) => logs.push(path),
                Some(None) => log.mistake("path", "must be an absolute path".to_owned()),
                None => log.mistake("path", "is missing".to_owned()),
            }
            log.end();
        }
        logs
    }

    fn end(self) {
        for key in self.table.keys() {
            let key = if self.name.is_empty() { key.clone() } else { format!("{}.{key}", self.name) };
            self.mistakes.push(Mistake { key, what: "is no setting".to_owned() });
        }
    }
}

fn environment(value: &Value) -> Option<Environment> {
    match value {
        Value::Boolean(true) => Some(Environment::All),
        Value::Boolean(false) => Some(Environment::Nothing),
        Value::Array(names) => {
            let name =
                |value: &Value| value.as_str().filter(|name| !name.is_empty() && !name.contains('=')).map(Into::into);
            names.iter().map(name).collect::<Option<_>>().map(Environment::Named)
        }
        _ => None,
    }
}

/// An absolute path or one below `~`, with wildcards or without.
fn pattern(value: &Value) -> Result<PathBuf, String> {
    let path = value.as_str().map(PathBuf::from).filter(|path| path.is_absolute() || path.starts_with("~"));
    let path = path.ok_or("must be an absolute path, or begin with ~/")?;
    match glob::Pattern::new(value.as_str().unwrap_or_default()) {
        Ok(_) => Ok(path),
        Err(error) => Err(format!("is no pattern: {error}")),
    }
}

fn absolute_all(value: &Value) -> Option<Vec<PathBuf>> {
    value.as_array()?.iter().map(absolute).collect()
}

fn absolute(value: &Value) -> Option<PathBuf> {
    value.as_str().map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
        read(text.parse().unwrap())
    }

    #[test]
    fn a_full_configuration_is_read() {
        let config = parse(
            "[[log]]\npath = \"/a\"\n[[log]]\npath = \"/b\"\n[spool]\nbytes_max = 33554432\n[mask]\nenabled = false\n\
             [probes]\nenabled = false\nsensitive_paths = [\"/s\"]\nenvironment = [\"LD_PRELOAD\"]\nshell_lines = true\ncontainer_runtime = \"/run/x.sock\"\n\
             container_directories = [\"/d\"]\n\
             [budget]\nfile_per_second = 7\nfile_burst = 9\ntamper_per_second = 0\n",
        );
        let mut budgets = Budgets::default();
        (budgets.0[0].per_second, budgets.0[0].burst, budgets.0[5].per_second) = (7, 9, 0);
        let expected = Config {
            logs: vec!["/a".into(), "/b".into()],
            spool_bytes_max: 33_554_432,
            mask: false,
            probes: false,
            sensitive_paths: vec!["/s".into()],
            environment: Environment::Named(vec!["LD_PRELOAD".into()]),
            budgets,
            shell_lines: true,
            containers: Places { sockets: vec!["/run/x.sock".into()], directories: vec!["/d".into()] },
        };
        assert_eq!(config, Ok(expected));
        assert_eq!(parse(""), Ok(Config::default()));
        let nobody = Config { containers: Places::default(), ..Config::default() };
        assert_eq!(parse("[probes]\ncontainer_directories = [\"/d\"]\ncontainer_runtime = false\n"), Ok(nobody));
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let mistakes = parse(
            "colour = 1\nmask = 3\n[[log]]\npath = \"relative\"\n[[log]]\npth = \"/x\"\n[[log]]\npath = \"/a\"\n[[log]]\n\
             path = \"/a\"\n[spool]\nbytes_max = 5\nbytes = 1\n[probes]\nenabled = \"yes\"\nsensitive_paths = [\"/ok\", 3, \"~/x/*\", \"/a[\"]\n\
             environment = [\"A=b\"]\nshell_lines = 1\ncontainer_runtime = \"x\"\ncontainer_directories = [\"d\"]\n[budget]\nfile_burst = 0\nfile = 3\n",
        )
        .unwrap_err();
        let texts: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let expected = [
            "spool.bytes_max: must be at least 33554432",
            "spool.bytes: is no setting",
            "mask: must be a table, not integer",
            "probes.enabled: must be true or false, not string",
            "probes.sensitive_paths[1]: must be an absolute path, or begin with ~/",
            "probes.sensitive_paths[3]: is no pattern: Pattern syntax error near position 2: invalid range pattern",
            "probes.environment: must be true, false or a list of names, not array",
            "probes.container_directories: must be a list of absolute paths, not array",
            "probes.container_runtime: must be true, false or the absolute path of a socket, not string",
            "probes.shell_lines: must be true or false, not integer",
            "budget.file_burst: must be 1 to 10000000",
            "budget.file: is no setting",
            "log[0].path: must be an absolute path",
            "log[1].path: is missing",
            "log[1].pth: is no setting",
            "log[3].path: is followed already",
            "colour: is no setting",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn fuzz_configurations() {
        let shipped = include_bytes!("../../../deploy/sensor.toml").to_vec();
        let full = b"[[log]]\npath = \"/a\"\n[spool]\nbytes_max = 33554432\n[mask]\nenabled = false\n[probes]\nsensitive_paths = [\"/s\"]\n";
        crate::fuzz::fuzz(vec![shipped, full.to_vec()], |bytes| {
            let table = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
            // Tables with mistakes are the interesting ones.
            table.is_some_and(|table| read(table).is_ok() || bytes.contains(&b'='))
        });
    }
}
