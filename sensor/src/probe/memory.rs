//! What the probes' memory is bounded by: nothing of it grows with the number of processes ever seen.

use std::{collections::BTreeMap, fs};

use super::{QUEUE_BATCHES, batch, fdinfo::number};
use crate::process_table::room;

/// Bounds, in bytes where nothing else is said. The kernel has its part from the start; the sensor takes up to these as it needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Maps and rings that this process holds, by the kernel's own figure. Before 6.4 it leaves some rings out.
    pub(crate) kernel_maps: u64,
    /// Processes in the table.
    pub(crate) table_entries: usize,
    /// The table's texts.
    pub(crate) table: usize,
    /// Events that wait for the spool.
    pub(crate) queue: usize,
}

impl Bounds {
    /// As they are now.
    pub(super) fn take() -> Self {
        Self {
            kernel_maps: kernel_maps(),
            table_entries: room::ENTRIES_MAX,
            table: room::BYTES_MAX,
            queue: QUEUE_BATCHES * batch::BYTES_MAX,
        }
    }
}

/// What /proc says of the descriptors of maps, each map once. 0 when it says nothing.
fn kernel_maps() -> u64 {
    let entries = fs::read_dir("/proc/self/fdinfo").into_iter().flatten().flatten();
    let maps = entries.filter_map(|entry| map(&fs::read_to_string(entry.path()).ok()?));
    maps.collect::<BTreeMap<u64, u64>>().values().sum()
}

/// Number and bytes of a map.
fn map(fdinfo: &str) -> Option<(u64, u64)> {
    Some((number(fdinfo, "map_id")?, number(fdinfo, "memlock")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_told_from_other_descriptors() {
        let text = "pos:\t0\nflags:\t02000002\nmap_type:\t27\nmax_entries:\t4194304\nmemlock:\t4203816\nmap_id:\t7\nfrozen:\t0\n";
        assert_eq!(map(text), Some((7, 4_203_816)));
        assert_eq!(map("prog_type:\t5\nmemlock:\t4096\nprog_id:\t12\n"), None);
        assert_eq!(map(""), None);
    }
}
