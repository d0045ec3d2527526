//! One attack, one incident: the demo is a test.

use std::process::Command;

use anyhow::{Result, ensure};
use bongsu_e2e::{programs::program, turn};

#[test]
fn the_demo_tells_one_attack_as_one_incident_and_leaves_nothing_behind() -> Result<()> {
    let _turn = turn::take();
    let output = Command::new(program("bongsu-demo")?).output()?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "the demo ended with {}:\n{text}", output.status);
    Ok(())
}
