//! Figures of floods: how fast, at what price.

use std::thread;

use super::{
    budget::{flood, limited},
    storm::resident_kib,
};
use crate::{
    config::{Budgets, SEGMENT_BYTES},
    spool,
};

/// `cargo test -p bongsu-sensor --release -- --ignored --nocapture figures_of_an_open_flood`: into a spool, as the sensor does it.
#[test]
#[ignore = "figures, no verdict"]
fn figures_of_an_open_flood() {
    for (name, budgets) in [("budgets", Budgets::default()), ("no limits", limited(0, 1))] {
        let folder = tempfile::tempdir().unwrap();
        let config =
            spool::Config { dir: folder.path().join("spool"), bytes_max: 1 << 30, segment_bytes: SEGMENT_BYTES };
        let (handle, owner) = spool::owner::own(spool::Spool::open(config).unwrap());
        let spooling = thread::spawn(move || owner.run());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut most = 0;
        let outcome = flood(budgets, 50_000, |batch| {
            runtime.block_on(handle.append(batch, Vec::new())).unwrap();
            most = most.max(resident_kib());
        });
        drop(handle);
        spooling.join().unwrap().unwrap();
        let Some(outcome) = outcome else { return };
        let seconds = outcome.took.as_secs_f64();
        println!(
            "{name}: {:.0} opens/s, {:.0} told/s, {} left out, {} lost; reader {:.2} us for each told; {most} KiB resident at most",
            outcome.opens as f64 / seconds,
            outcome.told as f64 / seconds,
            outcome.left_out,
            outcome.lost,
            outcome.reader.as_secs_f64() * 1e6 / outcome.told as f64,
        );
    }
}
