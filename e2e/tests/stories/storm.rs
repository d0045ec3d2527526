//! As many execs as the cores can start.

use std::{collections::HashMap, time::Duration};

use anyhow::{Result, ensure};
use bongsu_e2e::{
    noop, programs,
    site::{Site, SiteOptions},
    storm, turn,
};

#[test]
fn ten_thousand_execs_are_stored_with_their_arguments_and_none_is_lost() -> Result<()> {
    let _turn = turn::take();
    let mut site = Site::start(SiteOptions::default())?;
    site.wait_for_sensor()?;
    let folder = programs::folder_beside()?;
    let program = folder.path().join("noop");
    noop::write(&program)?;

    let storm = storm::run(&program, 10_000, "unique-")?;

    site.until("the storm is stored", Duration::from_secs(90), |site| {
        let mut seen: HashMap<Vec<Vec<u8>>, u32> = HashMap::new();
        for stored in site.database()?.events("exec")? {
            let process = stored.event.process.unwrap_or_default();
            if process.executable == program.as_os_str().as_encoded_bytes() {
                *seen.entry(process.args.iter().map(|arg| arg.to_vec()).collect()).or_default() += 1;
            }
        }
        for number in 0..storm.execs {
            let args = vec![program.as_os_str().as_encoded_bytes().to_vec(), storm.argument(number).into_bytes()];
            ensure!(seen.get(&args) == Some(&1), "number {number} is stored {:?} times", seen.get(&args));
        }
        Ok(())
    })?;
    let stored = jiff::Timestamp::now();
    let ledger = site.until("the ledger adds up", Duration::from_secs(30), |site| site.ledger_after(stored))?;

    assert_eq!(ledger.ring_lost, 0);
    assert_eq!(ledger.kernel_emitted, ledger.read);
    assert_eq!(ledger.shed, []);
    assert_eq!(ledger.last_seq, ledger.stored + ledger.spooled);
    site.end()
}
