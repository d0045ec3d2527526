//! Where the built programs lie: beside this one.

use std::{env, path::PathBuf};

use anyhow::{Context, Result, bail};

/// The path of a built program.
///
/// # Errors
/// When it is not there: `cargo xtask test` and `cargo xtask demo` build it first.
pub fn program(name: &str) -> Result<PathBuf> {
    let this = env::current_exe().context("cannot tell where this program lies")?;
    // A test's own program lies one folder deeper, in deps/.
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    match found {
        Some(path) => Ok(path),
        None => bail!("{name} is not built beside {}: start this through cargo xtask", this.display()),
    }
}

/// A new folder beside the programs: unlike one below /tmp, nothing that runs from it is suspicious.
///
/// # Errors
/// As making a folder.
pub fn folder_beside() -> Result<tempfile::TempDir> {
    let beside = program("bongsu")?;
    let parent = beside.parent().context("a program lies in a folder")?;
    tempfile::tempdir_in(parent).with_context(|| format!("cannot make a folder in {}", parent.display()))
}
