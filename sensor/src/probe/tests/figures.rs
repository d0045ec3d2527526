//! What the kernel says of the programs while they run.

use std::process::Command;

use super::lab::Lab;
use crate::probe::Statistics;

#[test]
fn the_kernel_counts_the_runs_of_a_program_while_asked_to() {
    let Some(mut lab) = Lab::open() else { return };
    let runs = |lab: &Lab| {
        let taken = lab.probes.figures.take().unwrap();
        taken.into_iter().find(|(name, _)| *name == "exec").unwrap().1
    };
    let statistics = match Statistics::on() {
        Ok(statistics) => statistics,
        Err(error) => return println!("skipped: {error}"),
    };
    let before = runs(&lab);
    for _ in 0..3 {
        lab.run(&mut Command::new("/bin/true"));
    }
    let after = runs(&lab);
    // Others on this host may have started programs as well.
    assert!(after.runs >= before.runs + 3, "{before:?} {after:?}");
    assert!(after.time > before.time);
    assert!(after.ns_per_run().is_some_and(|ns| ns > 0));
    drop(statistics);
}

#[test]
fn a_second_copy_of_the_programs_is_noticed() {
    let Some(lab) = Lab::open() else { return };
    let (second, _events) = crate::probe::attach(&crate::probe::ProbeConfig::default()).unwrap().run().unwrap();
    assert!(second.figures.another_copy().unwrap());
    assert!(lab.probes.figures.another_copy().unwrap());
}
