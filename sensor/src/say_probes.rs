//! The verb `probes`: where each hook would stand on this kernel, why not better, and what its programs cost there.
//!
//! It loads programs of its own, as a sensor would, and lets the kernel count them while this host does what it does. A sensor that runs
//! beside it keeps its programs, whose figures these are not; the answer says so.

use std::{collections::BTreeMap, io::Write, thread, time::Duration};

use anyhow::Context as _;
use serde::Serialize;

use crate::{
    cli::{self, Format},
    config::Config,
    probe::{self, Figure, Hook, ProbeConfig, Statistics},
    rights,
};

/// The answer.
#[derive(Debug, Serialize)]
struct Said {
    /// Whether programs of a sensor are loaded beside ours.
    sensor_running: bool,
    /// How long the programs were watched; 0 when the kernel would not count.
    watched_seconds: u64,
    /// Why there are no figures; empty when there are.
    no_figures: String,
    /// What a sensor keeps on this host once its probes stand.
    rights: String,
    hooks: Vec<SaidHook>,
    /// Events left out while we looked, because their processes made too many.
    suppressed: u64,
}

#[derive(Debug, Serialize)]
struct SaidHook {
    name: String,
    rung: String,
    /// Why better rungs were not taken; empty when the best one holds.
    refused: String,
    programs: Vec<SaidProgram>,
}

#[derive(Debug, Serialize)]
struct SaidProgram {
    name: String,
    runs: u64,
    /// None when it did not run.
    ns_per_run: Option<u64>,
    /// Times the kernel passed it over, because another program was running on that CPU.
    missed: u64,
}

/// Runs the verb.
pub(crate) fn say(arguments: &cli::Probes, out: &mut impl Write) -> anyhow::Result<()> {
    let said = find_out(Duration::from_secs(arguments.seconds))?;
    match arguments.output {
        Format::Table => table(&said, out)?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&said)?)?,
    }
    Ok(())
}

fn find_out(window: Duration) -> anyhow::Result<Said> {
    let config = ProbeConfig { sensitive_paths: Config::default().sensitive_paths, ..ProbeConfig::default() };
    let attached = probe::attach(&config).context("cannot start the probes")?;
    let (probes, mut events) = attached.run().context("cannot start the probes")?;
    // Full rings would make the programs cheaper than they are.
    let reader = thread::spawn(move || while events.blocking_recv().is_some() {});
    let (figures, no_figures) = match Statistics::on() {
        Ok(_on) => {
            thread::sleep(window);
            let taken = probes.figures.take()?;
            (taken.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect(), String::new())
        }
        Err(error) => (BTreeMap::new(), format!("{:#}", anyhow::Error::new(error))),
    };
    let sensor_running = probes.figures.another_copy()?;
    let rights = rights_kept(&probes);
    let said = Said {
        sensor_running,
        watched_seconds: if no_figures.is_empty() { window.as_secs() } else { 0 },
        no_figures,
        suppressed: probes.counters().suppressed(),
        rights,
        hooks: probes.hooks.borrow().iter().map(|hook| of_hook(hook, &figures)).collect(),
    };
    drop(probes);
    reader.join().ok().context("the thread that reads the events panicked")?;
    Ok(said)
}

/// Really gives them up, for this verb needs them no more.
fn rights_kept(probes: &probe::Probes) -> String {
    let needs = rights::Needs {
        state_dir: None,
        addresses: Vec::new(),
        ports: Vec::new(),
        failing_calls: probe::pulse_calls().collect(),
    };
    match rights::keep(&needs, || probes.reads_maps()) {
        Ok(kept) => kept.to_string(),
        Err(error) => format!("all, and it ends: {:#}", anyhow::Error::new(error)),
    }
}

fn of_hook(hook: &Hook, figures: &BTreeMap<String, Figure>) -> SaidHook {
    let program = |name: &&'static str| {
        let figure = figures.get(*name).copied().unwrap_or_default();
        SaidProgram {
            name: (*name).to_owned(),
            runs: figure.runs,
            ns_per_run: figure.ns_per_run(),
            missed: figure.missed,
        }
    };
    SaidHook {
        name: hook.name.clone(),
        rung: hook.rung.clone(),
        refused: hook.detail.clone(),
        programs: hook.programs.iter().map(program).collect(),
    }
}

fn table(said: &Said, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{:<16} {:<18} {:>9} {:>7}  RUNG", "HOOK", "PROGRAM", "RUNS", "NS/RUN")?;
    for hook in &said.hooks {
        if hook.programs.is_empty() {
            writeln!(out, "{:<16} {:<18} {:>9} {:>7}  {}", hook.name, "-", "-", "-", hook.rung)?;
        }
        for (index, program) in hook.programs.iter().enumerate() {
            // Hook and rung once, beside the first of its programs.
            let (name, rung) = if index == 0 { (hook.name.as_str(), hook.rung.as_str()) } else { ("", "") };
            let ns = program.ns_per_run.map_or_else(|| "-".to_owned(), |ns| ns.to_string());
            let runs = if said.no_figures.is_empty() { program.runs.to_string() } else { "-".to_owned() };
            let line = format!("{name:<16} {:<18} {runs:>9} {ns:>7}  {rung}", program.name);
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    let refused: Vec<&SaidHook> = said.hooks.iter().filter(|hook| !hook.refused.is_empty()).collect();
    if !refused.is_empty() {
        writeln!(out, "\nBetter rungs that do not hold here:")?;
        for hook in refused {
            writeln!(out, "  {}: {}", hook.name, hook.refused)?;
        }
    }
    writeln!(out)?;
    if !said.no_figures.is_empty() {
        writeln!(out, "No figures: {}.", said.no_figures)?;
    } else {
        let seconds = said.watched_seconds;
        writeln!(out, "Figures of this command's own copy of the programs, over {seconds} s of what this host did.")?;
    }
    for program in said.hooks.iter().flat_map(|hook| &hook.programs).filter(|program| program.missed > 0) {
        let (name, times) = (&program.name, program.missed);
        writeln!(out, "Missed by the kernel, because another program was running on that CPU: {name} {times}.")?;
    }
    if said.suppressed > 0 {
        let count = said.suppressed;
        writeln!(out, "{count} events were left out meanwhile: their processes made more than the budgets allow.")?;
    }
    writeln!(out, "Rights that a sensor keeps here: {}.", said.rights)?;
    if said.sensor_running {
        writeln!(out, "A sensor's programs are loaded beside them; those were not counted here.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, rung: &str, refused: &str, programs: &[(&str, u64, Option<u64>)]) -> SaidHook {
        let program = |(name, runs, ns_per_run): &(&str, u64, Option<u64>)| SaidProgram {
            name: (*name).to_owned(),
            runs: *runs,
            ns_per_run: *ns_per_run,
            missed: u64::from(*name == "unlinkat"),
        };
        SaidHook {
            name: name.to_owned(),
            rung: rung.to_owned(),
            refused: refused.to_owned(),
            programs: programs.iter().map(program).collect(),
        }
    }

    fn shown(said: &Said) -> String {
        let mut out = Vec::new();
        table(said, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_tells_each_program_its_cost_and_whose_figures_they_are() {
        let said = Said {
            sensor_running: true,
            watched_seconds: 3,
            no_figures: String::new(),
            suppressed: 12,
            rights: "few".to_owned(),
            hooks: vec![
                hook("exec", "raw_tracepoint:x", "", &[("exec", 12, Some(4500))]),
                hook(
                    "file-delete",
                    "tracepoint:a,b",
                    "fentry:y: refused",
                    &[("unlink", 0, None), ("unlinkat", 3, Some(90))],
                ),
                hook("connect", "none", "kprobe:z: refused", &[]),
            ],
        };
        let expected = "\
HOOK             PROGRAM                 RUNS  NS/RUN  RUNG
exec             exec                      12    4500  raw_tracepoint:x
file-delete      unlink                     0       -  tracepoint:a,b
                 unlinkat                   3      90
connect          -                          -       -  none

Better rungs that do not hold here:
  file-delete: fentry:y: refused
  connect: kprobe:z: refused

Figures of this command's own copy of the programs, over 3 s of what this host did.
Missed by the kernel, because another program was running on that CPU: unlinkat 1.
12 events were left out meanwhile: their processes made more than the budgets allow.
Rights that a sensor keeps here: few.
A sensor's programs are loaded beside them; those were not counted here.
";
        assert_eq!(shown(&said), expected);
    }

    #[test]
    fn without_statistics_no_figure_is_shown_as_if_it_were_one() {
        let said = Said {
            sensor_running: false,
            watched_seconds: 0,
            no_figures: "refused".to_owned(),
            suppressed: 0,
            rights: "few".to_owned(),
            hooks: vec![hook("exec", "raw_tracepoint:x", "", &[("exec", 0, None)])],
        };
        let shown = shown(&said);
        assert!(shown.contains("exec             exec                       -       -"), "{shown}");
        assert!(shown.ends_with("No figures: refused.\nRights that a sensor keeps here: few.\n"), "{shown}");
    }
}
