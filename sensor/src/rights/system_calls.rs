//! The system calls that are left. Any other fails with EPERM; it does not end the process, so that the pulse can go on making calls that
//! fail, and a library's needless call costs a right and not the sensor.
//!
//! A refused call never reaches the kernel's entry tracepoints. So those that the pulse makes pass the filter, but only just as it makes
//! them: every argument -1.

mod lists;

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter_all_threads,
};

pub(super) use lists::{OLD, OPENER, SENSOR};

/// Why the filter is not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// It cannot be built.
    #[error("cannot build the filter for {}", std::env::consts::ARCH)]
    Build(#[from] BackendError),
    /// The kernel does not take it.
    #[error("the kernel does not take the filter")]
    Apply(#[from] seccompiler::Error),
}

/// When a call is allowed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Allowed {
    Always,
    /// When all of one of these are so.
    When(&'static [&'static [Bits]]),
}

/// Of the argument with that index, these bits are so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits {
    index: u8,
    mask: u32,
    value: u32,
}

const ARGUMENTS: u8 = 6;

/// Puts the filter in force for all threads there are. Says how many calls are left.
pub(super) fn restrict<'a>(
    calls: impl Iterator<Item = &'a (c_long, Allowed)>,
    failing_calls: &[c_long],
) -> Result<usize, FilterError> {
    // The flags of clone3(2) lie in memory, where no filter sees them. Without it the C library makes threads by clone(2).
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    apply(clone3, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS.cast_unsigned()))?;

    let mut rules: BTreeMap<c_long, Option<Vec<SeccompRule>>> = BTreeMap::new();
    for (call, allowed) in calls {
        let rule = match allowed {
            Allowed::Always => None,
            Allowed::When(conditions) => Some(alternatives(conditions)?),
        };
        match (rules.entry(*call).or_insert_with(|| Some(Vec::new())), rule) {
            (Some(known), Some(more)) => known.extend(more),
            (known, _) => *known = None,
        }
    }
    let wanted = rules.len();
    for call in failing_calls {
        if let Some(known) = rules.entry(*call).or_insert_with(|| Some(Vec::new())) {
            known.push(nothing_but_minus_one()?);
        }
    }
    // The library takes an empty list for "always".
    let rules = rules.into_iter().map(|(call, rules)| (call, rules.unwrap_or_default())).collect();
    apply(rules, SeccompAction::Errno(libc::EPERM.cast_unsigned()), SeccompAction::Allow)?;
    Ok(wanted)
}

fn apply(
    rules: BTreeMap<c_long, Vec<SeccompRule>>,
    others: SeccompAction,
    these: SeccompAction,
) -> Result<(), FilterError> {
    let filter = SeccompFilter::new(rules, others, these, std::env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter_all_threads(&program)?;
    Ok(())
}

/// Rules of which one is enough.
fn alternatives(conditions: &[&[Bits]]) -> Result<Vec<SeccompRule>, BackendError> {
    let condition = |Bits { index, mask, value }: &Bits| {
        SeccompCondition::new(*index, Width::Dword, Compare::MaskedEq((*mask).into()), (*value).into())
    };
    let rule = |bits: &&[Bits]| SeccompRule::new(bits.iter().map(condition).collect::<Result<_, _>>()?);
    conditions.iter().map(rule).collect()
}

fn nothing_but_minus_one() -> Result<SeccompRule, BackendError> {
    let is_minus_one = |index| SeccompCondition::new(index, Width::Qword, Compare::Eq, u64::MAX);
    SeccompRule::new((0..ARGUMENTS).map(is_minus_one).collect::<Result<_, _>>()?)
}
