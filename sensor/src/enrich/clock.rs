//! Wall time for the kernel's time since boot.

use bongsu_event::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// How far the wall clock is ahead of the time since boot. Taken anew for each batch, so that a clock that is set shows at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    offset_ns: i64,
}

impl Clock {
    pub(super) fn now() -> Self {
        let boot = nanoseconds(clock_gettime(ClockId::Boottime));
        let wall = nanoseconds(clock_gettime(ClockId::Realtime));
        Self { offset_ns: wall.saturating_sub(boot) }
    }

    /// The wall time at `boot_ns` nanoseconds since boot.
    pub(super) fn wall(self, boot_ns: u64) -> Timestamp {
        Timestamp(self.offset_ns.saturating_add(i64::try_from(boot_ns).unwrap_or(i64::MAX)))
    }
}

fn nanoseconds(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

/// Nanoseconds since boot, now.
pub(crate) fn since_boot_ns() -> u64 {
    u64::try_from(nanoseconds(clock_gettime(ClockId::Boottime))).unwrap_or(0)
}
