//! The ledger as the correlator checks it.

use std::collections::BTreeMap;

use bongsu_proto::v1;

use crate::{
    kernel::Counters,
    spool::{Account, Class, Reason},
};

/// Where every event of the epoch went.
pub(super) fn ledger(account: &Account, kernel: Counters, time: i64) -> v1::Ledger {
    let mut shed: BTreeMap<(Class, Reason), v1::Shed> = BTreeMap::new();
    for (class, reason, count) in account.shed.iter() {
        let entry = v1::Shed { class: class.as_str().into(), reason: reason.as_str().into(), count, ranges: vec![] };
        shed.insert((class, reason), entry);
    }
    for (first, last, counts) in &account.runs {
        for (class, reason, _) in counts.iter() {
            if let Some(shed) = shed.get_mut(&(class, reason)) {
                push(&mut shed.ranges, *first, *last);
            }
        }
    }
    v1::Ledger {
        kernel_emitted: kernel.emitted,
        read: kernel.read,
        ring_lost: kernel.ring_lost,
        suppressed: kernel.suppressed,
        last_seq: account.last_seq,
        spooled: account.spooled,
        acked: account.acked,
        shed: shed.into_values().collect(),
        time,
    }
}

fn push(ranges: &mut Vec<v1::Range>, first: u64, last: u64) {
    match ranges.last_mut() {
        Some(range) if range.last + 1 == first => range.last = last,
        _ => ranges.push(v1::Range { first, last }),
    }
}
