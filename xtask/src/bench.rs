//! `cargo xtask bench NAME`: figures, never verdicts.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    command::{self, as_root, output, say},
    programs, setup,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which one.
    name: Name,
    /// Further arguments of this one: `--rounds 3`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Name {
    /// 10,000 execs as fast as the cores can, under sensor and correlator, until every event is stored.
    ExecStorm,
    /// The same under the sensor alone, beside execsnoop, auditd and bpftrace: captured, lost, CPU per exec, RSS, slowdown of the storm.
    Sensors,
    /// 200,000 opens for writing from all cores, beside opensnoop, auditd and bpftrace: told, suppressed, lost.
    Flood,
    /// Bytes on the wire for each event while make and gcc build a program of many small files.
    Wire,
    /// CPU, RSS and wakes of the sensor while nothing happens (`--seconds`).
    Idle,
    /// RSS of the sensor while processes, files and connections come and go (`--minutes`).
    Churn,
}

impl Name {
    /// What it runs beside.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::ExecStorm | Self::Idle | Self::Churn => &[],
            Self::Wire => &["gcc", "libc6-dev", "make", "iproute2"],
            Self::Sensors | Self::Flood => &["libbpf-tools", "bpftrace"],
        }
    }

    fn needs_auditd(self) -> bool {
        matches!(self, Self::Sensors | Self::Flood)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = programs::build()?;
    let name = arguments.name;
    setup::install_packages(name.packages())?;
    let mut bench = as_root(folder.join("bongsu-bench"));
    let value = clap::ValueEnum::to_possible_value(&name).context("every name has a word")?;
    bench.arg(value.get_name()).args(&arguments.rest);
    if name.needs_auditd() {
        match auditd(&setup::tools_dir().join("auditd")) {
            Ok(unpacked) => drop(bench.arg("--auditd").arg(unpacked)),
            Err(error) => say(&format!("without auditd: {error:#}")),
        }
    }
    command::run(&mut bench)
}

/// auditd, unpacked into a folder: installed, it would start and watch this system for good. Its libraries are installed.
fn auditd(folder: &Path) -> Result<PathBuf> {
    let unpacked = folder.join("root");
    if !unpacked.join("sbin/auditd").exists() {
        setup::install_packages(&["libauparse0", "libwrap0", "libcap-ng0", "libgssapi-krb5-2", "libkrb5-3"])?;
        say("downloading auditd");
        setup::make_empty_dir(folder)?;
        let download =
            || output(Command::new("env").arg("-C").arg(folder).args(["apt-get", "download", "-qq", "auditd"]));
        if download().is_err() {
            setup::update_package_lists()?;
            download().context("cannot download auditd")?;
        }
        let package = setup::only_file(folder, "auditd_")?;
        output(Command::new("dpkg").arg("-x").arg(&package).arg(&unpacked))?;
    }
    Ok(unpacked)
}
