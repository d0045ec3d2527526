//! What is checked without running the product: format, lints, licences, and that every crate opts into the workspace's lints.

use std::{fs, process::Command};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, output, root, run, say};

/// rustfmt over everything.
pub(crate) fn format() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--", "--check"])).context("run cargo fmt --all")
}

/// Every crate says `[lints] workspace = true`: one that forgets is held to nothing.
pub(crate) fn every_crate_opts_into_the_lints() -> Result<()> {
    let manifests = output(Command::new("git").args(["ls-files", "*/Cargo.toml"]))?;
    let mut forgotten = Vec::new();
    for manifest in manifests.lines() {
        let text = fs::read_to_string(root().join(manifest)).with_context(|| format!("cannot read {manifest}"))?;
        let opts_in =
            text.split("[lints]").nth(1).is_some_and(|after| after.trim_start().starts_with("workspace = true"));
        if text.contains("[package]") && !opts_in {
            forgotten.push(manifest);
        }
    }
    if !forgotten.is_empty() {
        bail!(
            "these crates do not opt into the workspace's lints ([lints] workspace = true): {}",
            forgotten.join(", ")
        );
    }
    Ok(())
}

/// clippy over every crate that compiles for this machine, warnings being errors.
pub(crate) fn clippy() -> Result<()> {
    run(cargo().args([
        "clippy",
        "--locked",
        "--workspace",
        "--exclude",
        "bongsu-sensor-ebpf",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// cargo-deny, without the advisories: their database is not in any package registry.
pub(crate) fn deny() -> Result<()> {
    if output(cargo().args(["deny", "--version"])).is_err() {
        say("cargo-deny is not installed: skipped (cargo install cargo-deny --locked)");
        return Ok(());
    }
    run(cargo().args(["deny", "--all-features", "check", "bans", "licenses", "sources"]))
}
