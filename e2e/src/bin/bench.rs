//! `bongsu-bench`: figures, never verdicts. Peers are measured in the same run; ratios mean more than seconds.

use std::{
    collections::HashMap,
    io::{self, Write},
    time::Duration,
};

use anyhow::{Result, ensure};
use bongsu_e2e::{
    execsnoop::Execsnoop,
    noop, programs,
    site::{Site, SiteOptions},
    stored::Stored,
    storm::{self, Storm},
    usage::Usage,
};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "bongsu-bench", about = "Measure Bongsu")]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// As many execs as the cores can start: captured, lost, CPU per exec and memory, beside execsnoop in the same run.
    ExecStorm {
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        execs: u32,
        /// Run the program below /tmp, where every start is a finding.
        #[arg(long)]
        suspicious: bool,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().bench {
        Bench::ExecStorm { execs, suspicious } => exec_storm(execs, suspicious),
    }
}

/// Storms in turn: nobody watching, execsnoop, Bongsu, and again, so that a drift of the machine's speed shows.
fn exec_storm(execs: u32, suspicious: bool) -> Result<()> {
    let folder = if suspicious { tempfile::tempdir()? } else { programs::folder_beside()? };
    let program = folder.path().join("noop");
    noop::write(&program)?;
    say(&format!("storms of {execs} execs of a static program that ends at once, a unique argument each\n"));
    say(&format!(
        "{:<22} {:>8} {:>8} {:>14} {:>14} {:>10} {:>10} {:>10}",
        "watched by", "captured", "lost", "user us/exec", "kernel us/exec", "RSS before", "peak RSS", "storm"
    ));
    for round in 0..2 {
        let alone = storm::run(&program, execs, &format!("alone{round}-"))?;
        row("nobody", None, None, None, &alone);
        let snoop = Execsnoop::start(folder.path())?;
        let before = snoop.usage()?;
        let storm = storm::run(&program, execs, &format!("snoop{round}-"))?;
        let captured = snoop.captured(&storm)?;
        row("execsnoop", Some(captured), None, Some(snoop.usage()?.since(before)), &storm);
        drop(snoop);
        bongsu(&program, execs, round)?;
    }
    Ok(())
}

fn bongsu(program: &std::path::Path, execs: u32, round: u32) -> Result<()> {
    let mut site = Site::start(SiteOptions::default())?;
    site.wait_for_sensor()?;
    let before = (site.sensor_usage()?, site.correlator_usage()?);
    let storm = storm::run(program, execs, &format!("bongsu{round}-"))?;
    site.until("every event of the storm is stored", Duration::from_secs(120), |site| {
        let stored = captured(&site.database()?.events("exec")?, &storm);
        ensure!(stored == storm.execs as usize, "{stored} of {} execs are stored with their argument", storm.execs);
        Ok(())
    })?;
    let moment = jiff::Timestamp::now();
    let (sensor, correlator) = (site.sensor_usage()?.since(before.0), site.correlator_usage()?.since(before.1));
    let ledger = site.until("the ledger adds up", Duration::from_secs(30), |site| site.ledger_after(moment))?;
    let stored = captured(&site.database()?.events("exec")?, &storm);
    row("bongsu-sensor", Some(stored), Some(ledger.ring_lost), Some(sensor), &storm);
    row("  (its correlator)", None, None, Some(correlator), &storm);
    say(&format!(
        "  ledger: kernel emitted {} = read {} + lost {}; numbered {} = stored {} + spooled {} + shed {}; balanced: {}",
        ledger.kernel_emitted,
        ledger.read,
        ledger.ring_lost,
        ledger.last_seq,
        ledger.stored,
        ledger.spooled,
        ledger.shed.iter().map(|shed| shed.count).sum::<u64>(),
        ledger.balanced
    ));
    site.end()
}

/// How many numbers of the storm are stored, each as an exec with exactly the arguments it was started with.
fn captured(events: &[Stored], storm: &Storm) -> usize {
    let mut seen: HashMap<&[u8], u32> = HashMap::new();
    for stored in events {
        if let Some([_, argument]) = stored.event.process.as_ref().map(|process| process.args.as_slice()) {
            *seen.entry(argument).or_default() += 1;
        }
    }
    (0..storm.execs).filter(|number| seen.get(storm.argument(*number).as_bytes()) == Some(&1)).count()
}

fn row(name: &str, captured: Option<usize>, lost: Option<u64>, usage: Option<Usage>, storm: &Storm) {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let per_exec = |time: Option<Duration>| {
        time.map_or_else(|| "-".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1e6 / f64::from(storm.execs)))
    };
    let mib = |kib: Option<u64>| kib.map_or_else(|| "-".to_owned(), |kib| format!("{:.1} MiB", kib as f64 / 1024.0));
    say(&format!(
        "{name:<22} {:>8} {:>8} {:>14} {:>14} {:>10} {:>10} {:>8.2} s",
        number(captured.map(|captured| captured as u64)),
        number(lost),
        per_exec(usage.map(|usage| usage.user)),
        per_exec(usage.map(|usage| usage.system)),
        mib(usage.map(|usage| usage.rss_kib)),
        mib(usage.map(|usage| usage.peak_rss_kib)),
        storm.took.as_secs_f64(),
    ));
}

fn say(line: &str) {
    // When nobody reads any more there is nobody to tell.
    drop(writeln!(io::stdout(), "{line}"));
}
