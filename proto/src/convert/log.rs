//! Log lines and what they say.

use bongsu_event::{Authentication, Log, LogMeaning, Login, Outcome};

use super::{
    DecodeError,
    activity::{decode_address, encode_address, invalid, port},
    process::{bytes, optional},
};
use crate::v1::{self, log::Meaning};

pub(super) fn encode(line: &Log) -> v1::Log {
    v1::Log {
        path: bytes(&line.path),
        program: optional(line.program.as_ref()),
        message: bytes(&line.message),
        meaning: line.meaning.as_ref().map(encode_meaning),
    }
}

fn encode_meaning(meaning: &LogMeaning) -> Meaning {
    match meaning {
        LogMeaning::Login(login) => Meaning::Login(v1::Login {
            outcome: encode_outcome(login.outcome).into(),
            user: bytes(&login.user),
            source: login.source.map(encode_address),
            source_port: login.source_port.map(Into::into),
            method: optional(login.method.as_ref()),
        }),
        LogMeaning::Elevation { outcome, user, target, command } => Meaning::Elevation(v1::Elevation {
            outcome: encode_outcome(*outcome).into(),
            user: bytes(user),
            target: bytes(target),
            command: optional(command.as_ref()),
        }),
    }
}

pub(super) fn encode_authentication(authentication: &Authentication) -> v1::Authentication {
    v1::Authentication {
        outcome: encode_outcome(authentication.outcome).into(),
        service: bytes(&authentication.service),
        user: bytes(&authentication.user),
        remote_host: optional(authentication.remote_host.as_ref()),
        terminal: optional(authentication.terminal.as_ref()),
    }
}

pub(super) fn decode_authentication(authentication: v1::Authentication) -> Result<Authentication, DecodeError> {
    Ok(Authentication {
        outcome: decode_outcome(authentication.outcome, "authentication.outcome")?,
        service: authentication.service.into(),
        user: authentication.user.into(),
        remote_host: authentication.remote_host.map(Into::into),
        terminal: authentication.terminal.map(Into::into),
    })
}

fn encode_outcome(outcome: Outcome) -> v1::Outcome {
    match outcome {
        Outcome::Success => v1::Outcome::Success,
        Outcome::Failure => v1::Outcome::Failure,
    }
}

pub(super) fn decode(line: v1::Log) -> Result<Log, DecodeError> {
    Ok(Log {
        path: line.path.into(),
        program: line.program.map(Into::into),
        message: line.message.into(),
        meaning: line.meaning.map(decode_meaning).transpose()?,
    })
}

fn decode_meaning(meaning: Meaning) -> Result<LogMeaning, DecodeError> {
    Ok(match meaning {
        Meaning::Login(login) => LogMeaning::Login(Login {
            outcome: decode_outcome(login.outcome, "log.login.outcome")?,
            user: login.user.into(),
            source: login.source.map(|source| decode_address(&source, "log.login.source")).transpose()?,
            source_port: login.source_port.map(|number| port(number, "log.login.source_port")).transpose()?,
            method: login.method.map(Into::into),
        }),
        Meaning::Elevation(elevation) => LogMeaning::Elevation {
            outcome: decode_outcome(elevation.outcome, "log.elevation.outcome")?,
            user: elevation.user.into(),
            target: elevation.target.into(),
            command: elevation.command.map(Into::into),
        },
    })
}

fn decode_outcome(outcome: i32, field: &'static str) -> Result<Outcome, DecodeError> {
    match v1::Outcome::try_from(outcome) {
        Ok(v1::Outcome::Success) => Ok(Outcome::Success),
        Ok(v1::Outcome::Failure) => Ok(Outcome::Failure),
        _ => Err(invalid(field, outcome)),
    }
}
