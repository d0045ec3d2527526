//! Processes, files and connections that come and go at an even pace: whether anything in the sensor grows with what it has ever seen.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bongsu_e2e::{
    noop, programs,
    site::{Site, SiteOptions},
    usage::Usage,
};

use crate::table::{mib, say, say_machine, table};

/// Of each kind, every second.
const PER_SECOND: u32 = 100;
/// Rows of the table.
const SAMPLES: u32 = 10;

/// Runs it and prints the table.
pub(crate) fn run(minutes: u32) -> Result<()> {
    say_machine();
    let folder = programs::folder_beside()?;
    let program = folder.path().join("noop");
    noop::write(&program)?;
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut site = Site::start(SiteOptions::default())?;
    site.wait_for_sensor()?;
    let start = Instant::now();
    let mut rows = vec![row(start, 0, &site)?];
    let (mut rounds, begun) = (0, site.sensor_usage()?);
    let seconds = minutes * 60;
    for sample in 1..=SAMPLES {
        while start.elapsed() < Duration::from_secs(u64::from(seconds * sample / SAMPLES)) {
            let round = Instant::now();
            // Ten rounds a second.
            for number in 0..PER_SECOND / 10 {
                one(&program, folder.path(), &server, rounds * PER_SECOND / 10 + number)?;
            }
            rounds += 1;
            thread::sleep(Duration::from_millis(100).saturating_sub(round.elapsed()));
        }
        rows.push(row(start, rounds * PER_SECOND / 10, &site)?);
    }
    let spent = site.sensor_usage()?.since(begun);
    let took = start.elapsed().as_secs_f64();
    let moment = jiff::Timestamp::now();
    let ledger = site.until("the ledger adds up", Duration::from_secs(60), |site| site.ledger_after(moment))?;
    let shed: u64 = ledger.shed.iter().map(|shed| shed.count).sum();
    site.end()?;
    let done = rounds * PER_SECOND / 10;
    ensure!(ledger.stored > u64::from(done), "{done} processes, files and connections made {} events", ledger.stored);
    say(&format!(
        "{:.0} processes, files and connections each a second for {minutes} min: {done} of each, {} events stored, lost {}, shed {shed}; sensor CPU {:.2} % of a core.\n",
        f64::from(done) / took,
        ledger.stored,
        ledger.ring_lost,
        (spent.user + spent.system).as_secs_f64() / took * 100.0,
    ));
    table(&["minute", "of each so far", "RSS", "peak RSS", "open files", "threads", "spool"], &rows);
    Ok(())
}

/// A process, a file and a connection, begun and ended.
fn one(program: &Path, folder: &Path, server: &TcpListener, number: u32) -> Result<()> {
    Command::new(program).arg(number.to_string()).stdin(Stdio::null()).status().context("cannot start a program")?;
    let file = folder.join(format!("file-{number}"));
    fs::write(&file, b"new")?;
    fs::remove_file(&file)?;
    let visitor = TcpStream::connect(server.local_addr()?)?;
    drop(server.accept()?);
    drop(visitor);
    Ok(())
}

fn row(start: Instant, done: u32, site: &Site) -> Result<Vec<String>> {
    let pid = site.sensor_pid()?;
    let Usage { rss_kib, peak_rss_kib, .. } = Usage::of(pid)?;
    let entries = |folder: &str| fs::read_dir(format!("/proc/{pid}/{folder}")).map(Iterator::count);
    let mut spool = 0;
    for segment in fs::read_dir(site.path("sensor/spool"))? {
        // One that was acknowledged meanwhile is gone.
        spool += segment?.metadata().map_or(0, |file| file.len());
    }
    Ok(vec![
        format!("{:.1}", start.elapsed().as_secs_f64() / 60.0),
        done.to_string(),
        mib(rss_kib),
        mib(peak_rss_kib),
        entries("fd")?.to_string(),
        entries("task")?.to_string(),
        mib(spool / 1024),
    ])
}
