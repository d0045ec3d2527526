//! The sensor and its peers, side by side: storms of execs under each in turn, in rounds, between storms that nobody watches.
//!
//! A storm from all cores leaves no core for whoever watches: what the watcher itself needs slows the storm as well. A storm from one core shows what
//! the hooks alone cost the workload, where there is another core.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use anyhow::Result;
use bongsu_e2e::{
    kernel_time, noop,
    peer::{self, Seen, Text, Watcher, auditd::Auditd, sensor::Alone, tracer::Tracer},
    programs,
    storm::{self, Storm},
    usage::Usage,
};

use crate::{
    exec_storm::captured,
    table::{median, mib, percent, say, say_machine, table},
};

/// What is measured.
pub(crate) struct Plan {
    pub(crate) execs: u32,
    pub(crate) rounds: u32,
    /// Where auditd lies unpacked.
    pub(crate) auditd: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Nobody,
    NobodyAgain,
    Sensor,
    Execsnoop,
    Auditd,
    Bpftrace,
}

impl Who {
    const WATCHERS: [Self; 4] = [Self::Sensor, Self::Execsnoop, Self::Auditd, Self::Bpftrace];

    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::NobodyAgain => "nobody, again",
            Self::Sensor => "bongsu-sensor",
            Self::Execsnoop => "execsnoop (libbpf-tools)",
            Self::Auditd => "auditd, and kauditd",
            Self::Bpftrace => "bpftrace",
        }
    }
}

/// Two storms under the same watcher.
struct Turn {
    who: Who,
    round: u32,
    all_cores: Storm,
    one_core: Storm,
    cost: Usage,
    seen: Option<Seen>,
}

impl Turn {
    fn storms(&self) -> [&Storm; 2] {
        [&self.all_cores, &self.one_core]
    }
}

struct Bench {
    plan: Plan,
    folder: tempfile::TempDir,
    program: PathBuf,
    sensor: Alone,
    /// Who could not be started, and why.
    refused: Vec<(Who, String)>,
}

/// Runs it all and prints the table.
pub(crate) fn run(plan: Plan) -> Result<()> {
    say_machine();
    let folder = programs::folder_beside()?;
    let program = folder.path().join("noop");
    noop::write(&program)?;
    let mut bench = Bench { plan, folder, program, sensor: Alone::join()?, refused: Vec::new() };
    let mut turns = Vec::new();
    for round in 0..bench.plan.rounds {
        let mut watchers = Who::WATCHERS;
        // Nobody always comes after the same one.
        watchers.rotate_left(round as usize % Who::WATCHERS.len());
        let [first, second, third, fourth] = watchers;
        for who in [Who::Nobody, first, second, Who::NobodyAgain, third, fourth] {
            turns.extend(bench.turn(who, round)?);
        }
    }
    let in_workload = bench.in_workload()?;
    let mut site = bench.sensor.into_site()?;
    let stored = site
        .until("the store can be read", std::time::Duration::from_secs(10), |site| site.database()?.events("exec"))?;
    site.end()?;
    let rows: Vec<Vec<String>> = [Who::Nobody, Who::NobodyAgain]
        .into_iter()
        .chain(Who::WATCHERS)
        .map(|who| match bench.refused.iter().find(|(refused, _)| *refused == who) {
            Some((_, why)) => vec![who.name().to_owned(), format!("not measured: {why}")],
            None => row(
                who,
                &turns,
                &|turn, storm| match turn.seen.as_ref().map(|seen| &seen.text) {
                    Some(Text::Words(words)) => shown(words, storm),
                    Some(Text::Stored) => captured(&stored, storm),
                    None => 0,
                },
                in_workload.iter().find(|(watcher, _)| *watcher == who).map(|(_, us)| *us),
            ),
        })
        .collect();
    say(&format!(
        "Storms of {} execs of a static program that ends at once, a unique argument each; {} rounds, each two storms: from all cores, from one.\n\
         CPU: mean over all storms. Slowdown against the two storms that nobody watched in the same round: median (smallest .. largest).\n",
        bench.plan.execs, bench.plan.rounds
    ));
    let head = [
        "watched by",
        "captured",
        "lost, says itself",
        "user us/exec",
        "system us/exec",
        "in the workload us/exec",
        "peak RSS",
        "slowdown, all cores",
        "slowdown, one core",
    ];
    table(&head, &rows);
    say(
        "Rings: bongsu-sensor 4 MiB processes and 2 MiB files and sockets; execsnoop and bpftrace 256 KiB for each core (perf buffers of 64 pages); auditd 8,192 records.",
    );
    say(
        "\"in the workload\": all BPF programs of the watcher, by the kernel's statistics in a storm of its own; it is part of the slowdown.",
    );
    Ok(())
}

impl Bench {
    fn start(&mut self, who: Who) -> Result<Option<Box<dyn Watcher>>> {
        let folder: &Path = self.folder.path();
        Ok(Some(match who {
            Who::Nobody | Who::NobodyAgain => return Ok(None),
            Who::Sensor => Box::new(self.sensor.start()?),
            Who::Execsnoop => Box::new(Tracer::execsnoop(folder)?),
            Who::Bpftrace => Box::new(Tracer::bpftrace_execs(folder)?),
            Who::Auditd => {
                let unpacked = self.plan.auditd.as_ref();
                Box::new(Auditd::execs(unpacked.ok_or_else(|| anyhow::anyhow!("the package cannot be had"))?, folder)?)
            }
        }))
    }

    /// `None` when the watcher cannot be had; why, is kept.
    fn turn(&mut self, who: Who, round: u32) -> Result<Option<Turn>> {
        if self.refused.iter().any(|(refused, _)| *refused == who) {
            return Ok(None);
        }
        let watcher = match self.start(who) {
            Ok(watcher) => watcher,
            // Without the sensor there is nothing to compare.
            Err(error) if who == Who::Sensor => return Err(error),
            Err(error) => {
                self.refused.push((who, format!("{error:#}").lines().next().unwrap_or_default().to_owned()));
                return Ok(None);
            }
        };
        let before = watcher.as_deref().map(peer::settled_usage).transpose()?;
        let (execs, name) = (self.plan.execs, format!("{}-{round}", who as u8));
        let all_cores = storm::run(&self.program, execs, &format!("all-{name}-"))?;
        let one_core = storm::run_on(1, &self.program, execs, &format!("one-{name}-"))?;
        let after = watcher.as_deref().map(peer::settled_usage).transpose()?;
        let cost = after.zip(before).map_or_else(Usage::default, |(after, before)| after.since(before));
        let seen = watcher.map(Watcher::end).transpose()?;
        Ok(Some(Turn { who, round, all_cores, one_core, cost, seen }))
    }

    /// Microseconds of BPF programs for each exec.
    fn in_workload(&mut self) -> Result<Vec<(Who, f64)>> {
        let mut all = Vec::new();
        for who in [Who::Sensor, Who::Execsnoop, Who::Bpftrace] {
            if self.refused.iter().any(|(refused, _)| *refused == who) {
                continue;
            }
            let Some(watcher) = self.start(who)? else { continue };
            let counting = kernel_time::Counting::on()?;
            let spent = |watcher: &dyn Watcher| {
                watcher.pids().into_iter().map(kernel_time::spent).sum::<Result<std::time::Duration>>()
            };
            let before = spent(&*watcher)?;
            let storm = storm::run(&self.program, self.plan.execs, &format!("counted-{}-", who as u8))?;
            let spent = spent(&*watcher)?.saturating_sub(before);
            drop(counting);
            watcher.end()?;
            all.push((who, spent.as_secs_f64() * 1e6 / f64::from(storm.execs)));
        }
        Ok(all)
    }
}

/// How many of the storm's numbers stand there as a word.
fn shown(words: &str, storm: &Storm) -> usize {
    let wanted: HashSet<String> = (0..storm.execs).map(|number| storm.argument(number)).collect();
    let found: HashSet<&str> = words.split_ascii_whitespace().filter(|word| wanted.contains(*word)).collect();
    found.len()
}

fn row(who: Who, turns: &[Turn], captured: &dyn Fn(&Turn, &Storm) -> usize, in_workload: Option<f64>) -> Vec<String> {
    let own: Vec<&Turn> = turns.iter().filter(|turn| turn.who == who).collect();
    let slowdown = |pick: fn(&Turn) -> &Storm| {
        let seconds = |turn: &Turn| pick(turn).took.as_secs_f64();
        let shares: Vec<f64> = own
            .iter()
            .map(|turn| {
                let alone = turns.iter().filter(|other| {
                    other.round == turn.round && matches!(other.who, Who::Nobody | Who::NobodyAgain) && other.who != who
                });
                let alone: Vec<f64> = alone.map(seconds).collect();
                seconds(turn) / median(&alone) - 1.0
            })
            .collect();
        percent(&shares)
    };
    let watches = !matches!(who, Who::Nobody | Who::NobodyAgain);
    let execs: u32 = own.iter().flat_map(|turn| turn.storms()).map(|storm| storm.execs).sum();
    let per_exec = |time: fn(&Usage) -> std::time::Duration| {
        let all: f64 = own.iter().map(|turn| time(&turn.cost).as_secs_f64()).sum();
        format!("{:.1}", all * 1e6 / f64::from(execs.max(1)))
    };
    let when_watching = |text: String| if watches { text } else { "-".to_owned() };
    let seen: usize = own.iter().flat_map(|turn| turn.storms().map(|storm| captured(turn, storm))).sum();
    let lost: Option<u64> = own.iter().map(|turn| turn.seen.as_ref().and_then(|seen| seen.lost)).sum();
    vec![
        who.name().to_owned(),
        when_watching(format!("{seen} of {execs}")),
        when_watching(lost.map_or_else(|| "does not say".to_owned(), |lost| lost.to_string())),
        when_watching(per_exec(|usage| usage.user)),
        when_watching(per_exec(|usage| usage.system)),
        in_workload.map_or_else(|| "-".to_owned(), |us| format!("{us:.1}")),
        when_watching(mib(own.iter().map(|turn| turn.cost.peak_rss_kib).max().unwrap_or(0))),
        slowdown(|turn| &turn.all_cores),
        slowdown(|turn| &turn.one_core),
    ]
}
