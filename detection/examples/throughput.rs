//! How many events a second one core takes through the shipped rules and sequences.
//!
//! `cargo run --release -p bongsu-detection --example throughput`. The events are the ordinary work of `tests/ordinary.yml`, over and
//! over with new ids and times; typed events in memory, so decoding is not part of the figure. What counts is the time this program was on a
//! core, so that the figure says little of what else the machine was doing.

use std::{
    fs,
    io::{self, Write},
};

use bongsu_detection::{Engine, Finding, shipped, trial};
use bongsu_event::{Activity, StoredEvent};

const ROUNDS: u32 = 5;
const LEAST_NS: u128 = 1_000_000_000;

fn main() -> io::Result<()> {
    let all = trial::ordinary(include_str!("../tests/ordinary.yml"))
        .map_err(|error| io::Error::other(format!("{error:?}")))?;
    let execs = all.iter().filter(|event| matches!(event.event.activity, Activity::Exec(_))).cloned().collect();
    let loaded = Engine::load(&shipped());
    writeln!(io::stdout(), "{} rules, {} sequences", loaded.rule_count, loaded.sequence_count)?;
    measure("ordinary work", all)?;
    measure("execs only", execs)
}

fn measure(name: &str, mut events: Vec<StoredEvent>) -> io::Result<()> {
    let mut engine = Engine::load(&shipped()).engine;
    let mut findings = Vec::new();
    let (mut best, mut found) = (0_u128, 0);
    for _ in 0..ROUNDS {
        let (start, mut count) = (on_core_ns()?, 0_u128);
        while on_core_ns()? - start < LEAST_NS {
            // A look at the clock is a system call; a hundred passes make it cheap.
            for _ in 0..100 {
                count += pass(&mut engine, &mut events, &mut findings);
            }
            found += findings.len();
            findings.clear();
        }
        best = best.max(count * 1_000_000_000 / (on_core_ns()? - start));
    }
    writeln!(io::stdout(), "{name}: {best} events/s, {} ns an event; {found} findings", 1_000_000_000 / best)
}

fn pass(engine: &mut Engine, events: &mut [StoredEvent], findings: &mut Vec<Finding>) -> u128 {
    for event in &mut *events {
        event.id.seq += 1_000;
        event.event.time.0 += 1_000_000;
        engine.observe(event, findings);
    }
    events.len() as u128
}

/// How long this program has been on a core.
fn on_core_ns() -> io::Result<u128> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    text.split(' ')
        .next()
        .and_then(|time| time.parse().ok())
        .ok_or_else(|| io::Error::other("cannot read /proc/self/schedstat"))
}
