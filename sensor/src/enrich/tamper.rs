//! Who was tampered with.

use bongsu_event::{Activity, Tamper, Target};

use super::Enricher;
use crate::decode::TamperAction;

impl Enricher {
    /// The act, with its target as the process table knows it now.
    pub(super) fn tamper(&mut self, action: TamperAction) -> Activity {
        let TamperAction { operation, target, name, number } = action;
        let target = target.map(|task| {
            let process = self.process(task);
            Target { key: process.key, executable: process.executable.clone(), comm: process.comm.clone() }
        });
        Activity::Tamper(Tamper { operation, target, name, number })
    }
}
