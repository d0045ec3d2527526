//! Taking a file apart by its tables, and gathering everything that is wrong with them.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// The tables of a file that were not taken yet, and the mistakes so far.
pub(super) struct Sections {
    table: Table,
    mistakes: Vec<String>,
}

impl Sections {
    pub(super) fn new(table: Table) -> Self {
        Self { table, mistakes: Vec::new() }
    }

    /// The table of that name. `T` must have a default for every key and refuse unknown ones.
    ///
    /// Each key is tried alone first: serde stops at the first mistake, and does not say which key it is in.
    pub(super) fn take<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let table = match self.table.remove(name) {
            None => return T::default(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.mistakes.push(format!("{name}: must be a table ([{name}])"));
                return T::default();
            }
        };
        let mut good = Table::new();
        for (key, value) in table {
            let mut alone = Table::new();
            alone.insert(key.clone(), value.clone());
            match alone.try_into::<T>() {
                Ok(_) => drop(good.insert(key, value)),
                Err(error) => {
                    let why = error.message().lines().next().unwrap_or_default();
                    self.mistakes.push(format!("{name}.{key}: {why}"));
                }
            }
        }
        good.try_into().unwrap_or_else(|error| {
            self.mistakes.push(format!("{name}: {}", error.message()));
            T::default()
        })
    }

    /// Takes note of a table's own mistakes, which name their keys.
    pub(super) fn check<T>(&mut self, checked: Result<T, Vec<String>>) -> Option<T> {
        checked.map_err(|mistakes| self.mistakes.extend(mistakes)).ok()
    }

    /// Refuses when anything was wrong, or is left over.
    pub(super) fn finish(mut self) -> Result<(), Vec<String>> {
        self.mistakes.extend(self.table.keys().map(|key| format!("{key}: there is no such table")));
        if self.mistakes.is_empty() { Ok(()) } else { Err(self.mistakes) }
    }
}
