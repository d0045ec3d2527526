//! How many events a second one core takes through the shipped rules and sequences.
//!
//! `cargo run --release -p bongsu-detection --example throughput`. The events are the ordinary work of `tests/ordinary.yml`, over and
//! over with new ids and times; typed events in memory, so decoding is not part of the figure.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use bongsu_detection::{Engine, shipped, trial};
use bongsu_event::{Activity, StoredEvent};

const ROUNDS: u32 = 5;
const LEAST: Duration = Duration::from_secs(1);

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
        let (start, mut count) = (Instant::now(), 0_u128);
        while start.elapsed() < LEAST {
            for event in &mut events {
                event.id.seq += 1_000;
                event.event.time.0 += 1_000_000;
                engine.observe(event, &mut findings);
                count += 1;
            }
            found += findings.len();
            findings.clear();
        }
        best = best.max(count * 1_000_000_000 / start.elapsed().as_nanos());
    }
    writeln!(io::stdout(), "{name}: {best} events/s, {} ns an event; {found} findings", 1_000_000_000 / best)
}
