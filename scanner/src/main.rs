//! `bongsu-scanner`: the YARA worker. The correlator starts it, hands it one piece of evidence at a time, and kills it when it is late.
//!
//! This is the only room that compiles the YARA engine, and the only process that parses evidence. It owns nothing: no state, no
//! files, no network. Bounded by its jail ([`jail`]), by the deadline of each request, and by the correlator's own clock.
//!
//! Facts about the engine that shape it (YARA-X 1.22): its compiler makes machine code at start, so the unit that starts the
//! correlator must not set MemoryDenyWriteExecute (the jail forbids new executable memory once the rules are compiled); its timeout
//! counts whole seconds, rounds up and is a floor; its timer is a thread, made by the first scan.

mod compile;
mod jail;
mod protocol;
mod scan;
mod serve;
mod shipped;

use std::{
    ffi::OsString,
    io::{self, Write},
    os::fd::AsFd,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;

/// What the correlator says at the start.
struct Arguments {
    /// Larger evidence is not scanned.
    bytes_max: u64,
    /// Folders with more yara rules.
    rules: Vec<PathBuf>,
}

const USAGE: &str = "usage: bongsu-scanner [--bytes-max BYTES] [--rules FOLDER]...
The YARA worker of bongsu-correlator, which starts it by itself.";
const EXIT_USAGE: u8 = 64;
const EXIT_SOFTWARE: u8 = 70;

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args_os().skip(1)) else {
        return say(USAGE, EXIT_USAGE);
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say(&format!("bongsu-scanner: {error:#}"), EXIT_SOFTWARE),
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let compiled = compile::compile(&arguments.rules);
    let mut engine = scan::Engine::new(&compiled.rules, arguments.bytes_max).context("cannot start the YARA engine")?;
    let jail = jail::enter(arguments.bytes_max).context("cannot enter the jail, and will not scan outside of it")?;
    let mut out = io::stdout().lock();
    let hello = protocol::Hello {
        protocol: protocol::VERSION,
        rules: compiled.rules.iter().len(),
        problems: compiled.problems,
        problems_dropped: compiled.problems_dropped,
        jail,
    };
    serve::send(&mut out, &hello)?;
    serve::serve(io::stdin().as_fd(), &mut out, &mut engine)?;
    Ok(())
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<Arguments> {
    let mut parsed = Arguments { bytes_max: 64 << 20, rules: Vec::new() };
    while let Some(argument) = arguments.next() {
        let value = arguments.next()?;
        match argument.to_str()? {
            "--bytes-max" => parsed.bytes_max = value.to_str()?.parse().ok()?,
            "--rules" => parsed.rules.push(value.into()),
            _ => return None,
        }
    }
    Some(parsed)
}

fn say(words: &str, code: u8) -> ExitCode {
    // Nobody is left to tell when stderr is closed.
    drop(writeln!(io::stderr(), "{words}"));
    ExitCode::from(code)
}
