//! A storm of execs under a whole site: sensor and correlator, until every event is stored.

use std::{collections::HashMap, path::Path, time::Duration};

use anyhow::{Result, ensure};
use bongsu_e2e::{
    noop, programs,
    site::{Site, SiteOptions},
    stored::Stored,
    storm::{self, Storm},
    usage::Usage,
};

use crate::table::{mib, say, say_machine, table};

/// Storms in turn: nobody watching, then Bongsu, and again, so that a drift of the machine's speed shows.
pub(crate) fn run(execs: u32, suspicious: bool) -> Result<()> {
    say_machine();
    let folder = if suspicious { tempfile::tempdir()? } else { programs::folder_beside()? };
    let program = folder.path().join("noop");
    noop::write(&program)?;
    say(&format!("Storms of {execs} execs of a static program that ends at once, a unique argument each.\n"));
    let mut rows = Vec::new();
    let mut ledgers = Vec::new();
    for round in 0..2 {
        let alone = storm::run(&program, execs, &format!("alone{round}-"))?;
        rows.push(row("nobody", None, None, None, &alone));
        ledgers.push(bongsu(&program, execs, round, &mut rows)?);
    }
    let head =
        ["watched by", "stored", "lost", "user us/exec", "system us/exec", "RSS before", "peak RSS", "storm took"];
    table(&head, &rows);
    ledgers.iter().for_each(|ledger| say(ledger));
    Ok(())
}

fn bongsu(program: &Path, execs: u32, round: u32, rows: &mut Vec<Vec<String>>) -> Result<String> {
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
    rows.push(row("bongsu-sensor", Some(stored), Some(ledger.ring_lost), Some(sensor), &storm));
    rows.push(row("its correlator", None, None, Some(correlator), &storm));
    site.end()?;
    Ok(format!(
        "Ledger: kernel emitted {} = read {} + lost {}; numbered {} = stored {} + spooled {} + shed {}; balanced: {}",
        ledger.kernel_emitted,
        ledger.read,
        ledger.ring_lost,
        ledger.last_seq,
        ledger.stored,
        ledger.spooled,
        ledger.shed.iter().map(|shed| shed.count).sum::<u64>(),
        ledger.balanced
    ))
}

/// How many numbers of the storm are stored, each as an exec with exactly the arguments it was started with.
pub(crate) fn captured(events: &[Stored], storm: &Storm) -> usize {
    let mut seen: HashMap<&[u8], u32> = HashMap::new();
    for stored in events {
        if let Some([_, argument]) = stored.event.process.as_ref().map(|process| process.args.as_slice()) {
            *seen.entry(argument).or_default() += 1;
        }
    }
    (0..storm.execs).filter(|number| seen.get(storm.argument(*number).as_bytes()) == Some(&1)).count()
}

fn row(name: &str, captured: Option<usize>, lost: Option<u64>, usage: Option<Usage>, storm: &Storm) -> Vec<String> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let per_exec = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6 / f64::from(storm.execs));
    vec![
        name.to_owned(),
        or_none(captured.map(|captured| captured.to_string())),
        or_none(lost.map(|lost| lost.to_string())),
        or_none(usage.map(|usage| per_exec(usage.user))),
        or_none(usage.map(|usage| per_exec(usage.system))),
        or_none(usage.map(|usage| mib(usage.rss_kib))),
        or_none(usage.map(|usage| mib(usage.peak_rss_kib))),
        format!("{:.2} s", storm.took.as_secs_f64()),
    ]
}
