//! The actions of events as a small set, so that a rule is tried only on events it can be about.

use bongsu_event::{Activity, FileOperation, LogMeaning, NetworkOperation, Outcome};

/// What an event did: the words of [`bongsu_event::catalogue::action`] as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Fork,
    Exec,
    Exit,
    FileCreate,
    FileWrite,
    FileRead,
    FileDelete,
    FileRename,
    FileChmod,
    Connect,
    Accept,
    Listen,
    SetCredentials,
    Log,
    LoginSuccess,
    LoginFailure,
    Elevation,
}

impl Action {
    pub(crate) const COUNT: usize = Self::Elevation as usize + 1;

    /// The action of an event.
    pub(crate) fn of(activity: &Activity) -> Self {
        match activity {
            Activity::Fork { .. } => Self::Fork,
            Activity::Exec(_) => Self::Exec,
            Activity::Exit { .. } => Self::Exit,
            Activity::File(file) => match file.operation {
                FileOperation::Create => Self::FileCreate,
                FileOperation::Write => Self::FileWrite,
                FileOperation::Read => Self::FileRead,
                FileOperation::Delete => Self::FileDelete,
                FileOperation::Rename => Self::FileRename,
                FileOperation::Chmod => Self::FileChmod,
            },
            Activity::Network(network) => match network.operation {
                NetworkOperation::Connect => Self::Connect,
                NetworkOperation::Accept => Self::Accept,
                NetworkOperation::Listen => Self::Listen,
            },
            Activity::SetCredentials { .. } => Self::SetCredentials,
            Activity::Log(log) => match &log.meaning {
                None => Self::Log,
                Some(LogMeaning::Login(login)) if login.outcome == Outcome::Success => Self::LoginSuccess,
                Some(LogMeaning::Login(_)) => Self::LoginFailure,
                Some(LogMeaning::Elevation { .. }) => Self::Elevation,
            },
        }
    }
}

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Actions(u32);

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
            bits |= 1 << actions[index] as u32;
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
