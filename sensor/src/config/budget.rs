//! What each process may have told of it: so many events of a family at once, and so many a second.

use bongsu_sensor_abi::{Allowance, FAMILIES, Family};

use super::file::Section;

/// More a second than a machine makes.
const PER_SECOND_MAX: u32 = 1_000_000;
const BURST_MAX: u32 = 10_000_000;

/// Of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// 0 for no limit.
    pub(crate) per_second: u32,
    pub(crate) burst: u32,
}

/// Of all, by [`Family`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budgets(pub(crate) [Budget; FAMILIES]);

impl Default for Budgets {
    /// A build is many processes with few events each; what one process makes beyond this in a second, nobody reads.
    fn default() -> Self {
        Self(Family::ALL.map(|family| match family {
            Family::File | Family::Network => Budget { per_second: 500, burst: 5000 },
            Family::Packet => Budget { per_second: 200, burst: 2000 },
            Family::Sensitive | Family::Process | Family::Tamper => Budget { per_second: 100, burst: 1000 },
        }))
    }
}

impl Budgets {
    /// As the kernel programs count.
    pub(crate) fn allowances(self) -> [Allowance; FAMILIES] {
        self.0.map(|budget| Allowance {
            interval_ns: 1_000_000_000_u32.checked_div(budget.per_second).unwrap_or(0),
            burst: budget.burst,
        })
    }

    /// What the table says, over the defaults.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut budgets = Self::default();
        for (family, budget) in Family::ALL.into_iter().zip(&mut budgets.0) {
            let name = name(family);
            section.bounded(&format!("{name}_per_second"), 0..=PER_SECOND_MAX, &mut budget.per_second);
            section.bounded(&format!("{name}_burst"), 1..=BURST_MAX, &mut budget.burst);
        }
        budgets
    }
}

fn name(family: Family) -> &'static str {
    match family {
        Family::File => "file",
        Family::Sensitive => "sensitive",
        Family::Network => "network",
        Family::Packet => "packet",
        Family::Process => "process",
        Family::Tamper => "tamper",
    }
}
