//! What was left out.

use bongsu_event::{Activity, Family, Suppressed};
use bongsu_sensor_abi as abi;

use super::Enricher;
use crate::decode::LeftOut;

impl Enricher {
    pub(super) fn suppressed(&self, left: LeftOut) -> Activity {
        let (first, last) = (self.clock.wall(left.first_ns), self.clock.wall(left.last_ns));
        Activity::Suppressed(Suppressed { family: family(left.family), count: left.count, first, last })
    }
}

fn family(family: abi::Family) -> Family {
    match family {
        abi::Family::File => Family::File,
        abi::Family::Sensitive => Family::Sensitive,
        abi::Family::Network => Family::Network,
        abi::Family::Packet => Family::Packet,
        abi::Family::Process => Family::Process,
        abi::Family::Tamper => Family::Tamper,
    }
}
