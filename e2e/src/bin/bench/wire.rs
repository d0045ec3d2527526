//! Bytes on the wire for each event, while this machine builds software: many small C files, compiled by make and gcc.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bongsu_e2e::site::{Site, SiteOptions};

use crate::table::{say, say_machine, table};

/// Runs it and prints the table.
pub(crate) fn run(files: u32) -> Result<()> {
    say_machine();
    let folder = tempfile::tempdir_in("/var/tmp")?;
    write_sources(folder.path(), files)?;
    // Images of programs that somebody finds suspicious meanwhile travel on the same connection and are no events.
    let no_evidence = SiteOptions::default().correlator("[evidence]\nfile_mib_max = 1\ntotal_mib_max = 1\n");
    let mut site = Site::start(no_evidence)?;
    site.wait_for_sensor()?;
    let before = figures(&mut site)?;
    let start = Instant::now();
    let status = Command::new("make")
        .args(["-j", &std::thread::available_parallelism()?.to_string(), "--silent"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .status()
        .context("cannot start make")?;
    ensure!(status.success(), "make ended with {status}");
    let took = start.elapsed();
    let after = figures(&mut site)?;
    let plain = site.database()?.bytes()?;
    site.end()?;

    let (events, sent, acks) =
        (after.events - before.events, after.sent - before.sent, after.received - before.received);
    ensure!(events > u64::from(files), "a build of {files} files is more than {events} events");
    let each = |bytes: u64| format!("{:.1}", bytes as f64 / events as f64);
    say(&format!(
        "make of {files} C files and a link: {:.1} s, one session over TLS 1.3, TCP payload.\n",
        took.as_secs_f64()
    ));
    table(
        &[
            "events",
            "events/s",
            "bytes/event sent",
            "bytes/event received (acks)",
            "bytes/event before compression",
            "TCP segments sent",
        ],
        &[vec![
            events.to_string(),
            format!("{:.0}", events as f64 / took.as_secs_f64()),
            each(sent),
            each(acks),
            format!("{:.0}", plain.1 as f64 / plain.0.max(1) as f64),
            (after.segments - before.segments).to_string(),
        ]],
    );
    Ok(())
}

/// Of the sensor's connection, and the events that went over it.
struct Figures {
    events: u64,
    sent: u64,
    received: u64,
    segments: u64,
}

/// When the spool is empty, so that what was sent is what was numbered.
fn figures(site: &mut Site) -> Result<Figures> {
    let moment = jiff::Timestamp::now();
    let ledger = site.until("the spool is empty", Duration::from_secs(60), |site| {
        let ledger = site.ledger_after(moment)?;
        ensure!(ledger.spooled < 20, "{} events wait", ledger.spooled);
        Ok(ledger)
    })?;
    let port = site.endpoints()?.ingest.rsplit_once(':').context("an endpoint has a port")?.1.to_owned();
    let output = Command::new("ss")
        .args(["-tinH", "state", "established", "dport", "=", &format!(":{port}")])
        .output()
        .context("cannot start ss")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |name: &str| -> Result<u64> {
        let found = said.split_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok());
        found.with_context(|| format!("ss does not say {name} of the session: {said}"))
    };
    Ok(Figures {
        events: ledger.stored,
        sent: number("bytes_sent:")?,
        received: number("bytes_received:")?,
        segments: number("segs_out:")?,
    })
}

/// A program of so many files that include what C files include, and a Makefile with a rule for each.
fn write_sources(folder: &Path, files: u32) -> Result<()> {
    let mut main = String::from("#include \"all.h\"\nint main(void) {\n    int sum = 0;\n");
    let mut all = String::from("#pragma once\n");
    let mut objects = String::from("main.o");
    for number in 0..files {
        let source = format!(
            "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include \"all.h\"\n\n\
             int part_{number}(int seed) {{\n    char text[32];\n    snprintf(text, sizeof text, \"%d\", seed + {number});\n    return (int)strlen(text);\n}}\n"
        );
        fs::write(folder.join(format!("part_{number}.c")), source)?;
        all.push_str(&format!("int part_{number}(int seed);\n"));
        main.push_str(&format!("    sum += part_{number}(sum);\n"));
        objects.push_str(&format!(" part_{number}.o"));
    }
    main.push_str("    return sum == 0;\n}\n");
    fs::write(folder.join("main.c"), main)?;
    fs::write(folder.join("all.h"), all)?;
    let makefile = format!("program: {objects}\n\tgcc -o $@ $^\n%.o: %.c all.h\n\tgcc -O1 -Wall -c -o $@ $<\n");
    fs::write(folder.join("Makefile"), makefile)?;
    Ok(())
}
