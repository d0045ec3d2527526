//! Logs that are rotated under load.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    time::Duration,
};

use anyhow::{Result, ensure};
use bongsu_e2e::{
    site::{Site, SiteOptions},
    turn,
};

const ROTATIONS: usize = 10;
const LINES: usize = 400;

fn append(path: &Path) -> Result<File> {
    Ok(OpenOptions::new().create(true).append(true).open(path)?)
}

/// Writes to the log until a line of it is stored: from then on the sensor follows it.
fn is_followed(site: &mut Site, path: &Path) -> Result<()> {
    site.until("the log is followed", Duration::from_secs(20), |site| {
        writeln!(append(path)?, "are you there?")?;
        ensure!(site.database()?.count("log")? > 0, "no line is stored");
        Ok(())
    })
}

/// How often each number was stored.
fn stored_times(site: &Site, lines: usize) -> Result<Vec<u32>> {
    let mut times = vec![0; lines];
    for stored in site.database()?.events("log")? {
        let Some(bongsu_proto::v1::event::Activity::Log(log)) = stored.event.activity else { continue };
        if let Some(number) = String::from_utf8_lossy(&log.message).strip_prefix("rotated line ") {
            times[number.parse::<usize>()?] += 1;
        }
    }
    Ok(times)
}

#[test]
fn a_log_rotated_by_rename_loses_no_line() -> Result<()> {
    let _turn = turn::take();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.log");
    let mut site = Site::start(SiteOptions::default().follow(&path).without_probes())?;
    site.wait_for_sensor()?;
    is_followed(&mut site, &path)?;
    let mut number = 0;
    for rotation in 0..ROTATIONS {
        let mut file = append(&path)?;
        for _ in 0..LINES {
            writeln!(file, "rotated line {number}")?;
            number += 1;
        }
        fs::rename(&path, folder.path().join(format!("app.log.{rotation}")))?;
        // The writer has not been told yet, and goes on in the renamed file, as daemons do.
        for _ in 0..LINES {
            writeln!(file, "rotated line {number}")?;
            number += 1;
        }
    }
    site.until("every line is stored once", Duration::from_secs(60), |site| {
        let times = stored_times(site, number)?;
        let wrong = times.iter().enumerate().find(|(_, times)| **times != 1);
        ensure!(wrong.is_none(), "of {number} lines, number and times stored: {wrong:?}");
        Ok(())
    })?;
    site.end()
}

#[test]
fn a_log_truncated_in_place_loses_only_what_was_cut_before_it_was_read() -> Result<()> {
    let _turn = turn::take();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.log");
    let mut site = Site::start(SiteOptions::default().follow(&path).without_probes())?;
    site.wait_for_sensor()?;
    is_followed(&mut site, &path)?;
    let mut number = 0;
    for rotation in 0..ROTATIONS {
        let mut file = append(&path)?;
        for _ in 0..LINES {
            writeln!(file, "rotated line {number}")?;
            number += 1;
        }
        // copytruncate copies and cuts; what is written between copy and cut is lost to everybody, so the test writes nothing there, and
        // cuts when all was read: the documented race is left out, everything else must arrive.
        site.until("what was written is stored", Duration::from_secs(30), |site| {
            let times = stored_times(site, number)?;
            ensure!(times.iter().all(|times| *times == 1), "not all of {number} lines are stored once");
            Ok(())
        })?;
        fs::copy(&path, folder.path().join(format!("app.log.{rotation}")))?;
        OpenOptions::new().write(true).open(&path)?.set_len(0)?;
    }
    site.end()
}
