//! Sets of actions, so that a rule is tried only on events it can be about.

use bongsu_event::catalogue::Action;

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Actions(u64);

impl Actions {
    /// Every action there is.
    pub(crate) const ALL: Self = Self((1 << Action::COUNT) - 1);
    /// Lines of logs, understood or not.
    pub(crate) const LOG: Self =
        Self::of(&[Action::Log, Action::LoginSuccess, Action::LoginFailure, Action::Elevation]);

    /// These actions.
    pub(crate) const fn of(actions: &[Action]) -> Self {
        let (mut bits, mut index) = (0, 0);
        while index < actions.len() {
            bits |= 1 << actions[index] as u64;
            index += 1;
        }
        Self(bits)
    }

    /// Whether the set has the action with this number.
    pub(crate) const fn has(self, action: usize) -> bool {
        self.0 & 1 << action != 0
    }

    /// Whether all of these are log lines, which have no process.
    pub(crate) const fn only_logs(self) -> bool {
        self.0 & !Self::LOG.0 == 0
    }
}

const _: () = assert!(Action::COUNT < 64, "a set has a bit for each action");
