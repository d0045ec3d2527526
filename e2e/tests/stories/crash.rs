//! kill -9 in the middle of a stream: nothing acknowledged is lost, nothing is doubled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bongsu_e2e::{
    attack::AuthLog,
    site::{Site, SiteOptions},
    turn,
};

const KILLS: u64 = 20;
/// How many more lines must be written before the next kill: the stream is in full flow each time.
const LINES_BETWEEN: u64 = 300;
const SETTLE_WITHIN: Duration = Duration::from_secs(90);

/// Somebody who writes numbered lines to a log, as fast as a busy server does.
struct Writer {
    written: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Writer {
    fn start(mut log: AuthLog) -> Self {
        let (written, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ended) = (Arc::clone(&written), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let number = count.load(Ordering::Relaxed);
                log.line("numbered", 1, &format!("line {number} of many"))?;
                count.store(number + 1, Ordering::Relaxed);
                // Some two thousand lines a second: the pace of a busy server, not a way to wait for anything.
                thread::park_timeout(Duration::from_micros(500));
            }
            Ok(())
        });
        Self { written, stop, thread }
    }

    fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(self.written.load(Ordering::Relaxed))
    }
}

/// Every line that was written is stored, once, and the numbers of the events run without a gap.
fn every_line_is_stored_once(site: &mut Site, lines: u64) -> Result<()> {
    site.until("every line is stored", SETTLE_WITHIN, |site| {
        let mut database = site.database()?;
        let mut times = vec![0_u32; usize::try_from(lines)?];
        for stored in database.events("log")? {
            let Some(bongsu_proto::v1::event::Activity::Log(log)) = stored.event.activity else { continue };
            let message = String::from_utf8_lossy(&log.message).into_owned();
            let Some(rest) = message.split("line ").nth(1) else { continue };
            let number: usize = rest.split(' ').next().context("no number")?.parse()?;
            times[number] += 1;
        }
        let wrong = times.iter().enumerate().find(|(_, times)| **times != 1);
        ensure!(wrong.is_none(), "of {lines} lines, number and times stored: {wrong:?}");
        for (epoch, numbers) in database.numbers()? {
            let gap = numbers.iter().zip(1..).find(|(seq, expected)| **seq != *expected);
            ensure!(gap.is_none(), "epoch {epoch} has a gap or a doubled number: {gap:?}");
        }
        Ok(())
    })
}

#[test]
fn a_correlator_killed_twenty_times_loses_and_doubles_nothing() -> Result<()> {
    let _turn = turn::take();
    let folder = tempfile::tempdir()?;
    let log = AuthLog::open(&folder.path().join("numbered.log"))?;
    let mut site = Site::start(SiteOptions::default().follow(log.path()).without_probes())?;
    site.wait_for_sensor()?;
    let writer = Writer::start(log);
    for _ in 0..KILLS {
        let next = writer.written() + LINES_BETWEEN;
        site.until("the stream flows", SETTLE_WITHIN, |_| {
            ensure!(writer.written() >= next, "{} lines", writer.written());
            Ok(())
        })?;
        site.kill_correlator()?;
        site.start_correlator()?;
    }
    let lines = writer.end()?;
    every_line_is_stored_once(&mut site, lines)?;
    site.end()
}

#[test]
fn a_sensor_killed_twenty_times_loses_and_doubles_nothing() -> Result<()> {
    let _turn = turn::take();
    let folder = tempfile::tempdir()?;
    let log = AuthLog::open(&folder.path().join("numbered.log"))?;
    let mut site = Site::start(SiteOptions::default().follow(log.path()))?;
    site.wait_for_sensor()?;
    let writer = Writer::start(log);
    for _ in 0..KILLS {
        let (next, stored) = (writer.written() + LINES_BETWEEN, site.database()?.count("log")?);
        site.until("the stream flows into the store", SETTLE_WITHIN, |site| {
            ensure!(writer.written() >= next, "{} lines", writer.written());
            ensure!(site.database()?.count("log")? > stored, "no line more is stored");
            Ok(())
        })?;
        site.kill_sensor()?;
        site.start_sensor()?;
    }
    let lines = writer.end()?;
    every_line_is_stored_once(&mut site, lines)?;
    site.end()
}
