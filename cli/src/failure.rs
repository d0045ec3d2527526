//! Why a command failed, and with which exit code.

use std::{error::Error, io};

use bongsu_event::Shown;

use crate::{client::RequestError, connection::ConnectionError, evidence::EvidenceError, exit::Exit};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error("no sensor is called {sensor} (`bongsu sensor list` names them)")]
    NoSensor { sensor: String },
    #[error("more than one sensor is called {sensor}: say which by its id (`bongsu sensor list`)")]
    ManySensors { sensor: String },
    #[error("cannot write the output")]
    Output { source: io::Error },
    #[error("cannot start")]
    Runtime { source: io::Error },
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Connection(_) => Exit::Config,
            Self::Request(error) => error.exit(),
            Self::Evidence(error) => error.exit(),
            Self::NoSensor { .. } => Exit::NotFound,
            Self::ManySensors { .. } => Exit::Usage,
            Self::Output { .. } => Exit::CannotWrite,
            Self::Runtime { .. } => Exit::Internal,
        }
    }

    /// The whole chain on one line of standard error; what a server put into it cannot move the cursor.
    pub(crate) fn report(&self) {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        crate::output::complain(&Shown(line.as_bytes()));
    }
}
