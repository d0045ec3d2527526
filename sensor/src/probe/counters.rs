//! Where every record of the kernel programs went.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aya::{
    Ebpf,
    maps::{MapData, PerCpuArray},
};

use bongsu_sensor_abi::FAMILIES;

use super::{StartError, ring::Rings};

/// How long a sum that does not come out is held back. Records that are just on their way make it differ for microseconds; what does not come out
/// at any moment of this time is a real hole, and must show.
const SETTLE: Duration = Duration::from_secs(5);

/// One ring's records. `emitted = read + lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RingCounters {
    /// Records the kernel programs tried to write.
    pub(crate) emitted: u64,
    /// Records the reader took out.
    pub(crate) read: u64,
    /// Records that found the ring full.
    pub(crate) lost: u64,
}

/// All records. Taken at a moment at which the rings were empty, as often as there is one, so that nothing is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    /// Fork, exec, exit, credentials.
    pub(crate) process: RingCounters,
    /// Files and sockets.
    pub(crate) other: RingCounters,
    /// Records that were not made because their process had used up its allowance, by [`bongsu_sensor_abi::Family`]. What there was to
    /// see is these and what was emitted.
    pub(crate) suppressed: [u64; FAMILIES],
}

impl Counters {
    /// Over both rings.
    #[must_use]
    pub(crate) fn emitted(&self) -> u64 {
        self.process.emitted + self.other.emitted
    }

    /// Over both rings.
    #[must_use]
    pub(crate) fn read(&self) -> u64 {
        self.process.read + self.other.read
    }

    /// Over both rings.
    #[must_use]
    pub(crate) fn ring_lost(&self) -> u64 {
        self.process.lost + self.other.lost
    }

    /// Over all families.
    #[must_use]
    pub(crate) fn suppressed(&self) -> u64 {
        self.suppressed.iter().sum()
    }

    fn balances(&self) -> bool {
        self.emitted() == self.read() + self.ring_lost()
    }
}

/// The last sum that came out, or a newer one that has not come out for long enough.
#[derive(Debug, Default)]
struct Settled {
    counters: Counters,
    /// Since when no sum has come out.
    open_since: Option<Instant>,
}

impl Settled {
    fn take(&mut self, counters: Counters, now: Instant) {
        if counters.balances() {
            *self = Self { counters, open_since: None };
        // From the first sum that did not, and not from the last that did: on a busy host the rings may not have been empty for long.
        } else if now.saturating_duration_since(*self.open_since.get_or_insert(now)) > SETTLE {
            self.counters = counters;
        }
    }
}

/// The kernel's counters and the last sum of them that came out.
pub(super) struct Ledger {
    kernel: PerCpuArray<MapData, [u64; 2]>,
    suppressed: PerCpuArray<MapData, [u64; FAMILIES]>,
    last: Mutex<Settled>,
}

impl Ledger {
    /// Takes the counters out of the object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, StartError> {
        let (kernel, suppressed) = (take(ebpf, "COUNTERS")?, take(ebpf, "SUPPRESSED")?);
        Ok(Self { kernel, suppressed, last: Mutex::default() })
    }

    /// What was left out up to now, by family.
    pub(super) fn suppressed(&self) -> [u64; FAMILIES] {
        let mut sums = [0; FAMILIES];
        // One that cannot be read shows nothing; the kernel refuses only what is wrong with the map itself.
        for cpu in self.suppressed.get(&0, 0).iter().flat_map(|cpus| cpus.iter()) {
            sums.iter_mut().zip(cpu).for_each(|(sum, count)| *sum += count);
        }
        sums
    }

    /// The last sum that came out, or a newer one that does not, when that has lasted.
    pub(super) fn counters(&self) -> Counters {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).counters
    }

    /// Whether the kernel lets this thread read its counters.
    pub(super) fn is_readable(&self) -> bool {
        self.kernel.get(&0, 0).is_ok()
    }

    /// Called by the reader whenever it found the rings empty.
    pub(super) fn settle(&self, rings: &Rings) {
        let now = Counters {
            process: self.ring(0, rings.process.read),
            other: self.ring(1, rings.other.read),
            suppressed: self.suppressed(),
        };
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take(now, Instant::now());
    }

    fn ring(&self, index: u32, read: u64) -> RingCounters {
        // A counter that cannot be read is shown as 0 emitted: the sum does not come out, and that is seen.
        let (emitted, lost) = self
            .kernel
            .get(&index, 0)
            .map_or((0, 0), |cpus| cpus.iter().fold((0, 0), |(emitted, lost), cpu| (emitted + cpu[0], lost + cpu[1])));
        RingCounters { emitted, read, lost }
    }
}

fn take<V: aya::Pod>(ebpf: &mut Ebpf, name: &str) -> Result<PerCpuArray<MapData, V>, StartError> {
    let map = ebpf.take_map(name).ok_or_else(|| StartError::Foreign(format!("no map {name}")))?;
    PerCpuArray::try_from(map).map_err(|error| StartError::Foreign(format!("map {name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_does_not_come_out_shows_only_when_none_did_for_long_enough() {
        let sum = |emitted, read| Counters { process: RingCounters { emitted, read, lost: 0 }, ..Counters::default() };
        let (start, mut settled) = (Instant::now(), Settled::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        settled.take(sum(5, 5), at(0));
        // A minute later one is on its way, and a little later there.
        settled.take(sum(9, 8), at(60));
        assert_eq!(settled.counters, sum(5, 5));
        settled.take(sum(9, 9), at(61));
        settled.take(sum(12, 11), at(62));
        settled.take(sum(13, 12), at(67));
        assert_eq!(settled.counters, sum(9, 9));
        settled.take(sum(14, 13), at(68));
        assert_eq!(settled.counters, sum(14, 13));
    }
}
