//! What a sensor says about itself, in Hello and in Hooks, within bounds. All of it is a claim, shown to people and never used as an identity.

use bongsu_proto::{limits::SELF_TEXT_BYTES_MAX, v1};

use crate::store::{HookRow, ProgramRow, SensorSelf};

const HOST_NAME_BYTES_MAX: usize = 64;
const HOOKS_MAX: usize = 64;
/// Of one hook.
const PROGRAMS_MAX: usize = 64;

/// Why a session cannot begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum HelloError {
    #[error("no Hello came in time")]
    Late,
    #[error("the first message is not Hello")]
    Missing,
    #[error("a second Hello")]
    Twice,
    #[error("the sensor speaks protocol {0}, this correlator speaks {ours}", ours = bongsu_proto::PROTOCOL)]
    Protocol(u32),
    #[error("{0} in what the sensor says about itself is too long")]
    TooLong(&'static str),
    #[error("the epoch {0} is not a time")]
    Epoch(u64),
}

/// The epoch, and what the sensor says about itself.
pub(super) fn read(hello: v1::Hello) -> Result<(u64, SensorSelf), HelloError> {
    if hello.protocol != bongsu_proto::PROTOCOL {
        return Err(HelloError::Protocol(hello.protocol));
    }
    if hello.epoch == 0 || i64::try_from(hello.epoch).is_err() {
        return Err(HelloError::Epoch(hello.epoch));
    }
    if hello.host_name.len() > HOST_NAME_BYTES_MAX {
        return Err(HelloError::TooLong("the host name"));
    }
    let says = SensorSelf {
        host: hello.host_name.into(),
        version: word("the version", hello.version)?,
        kernel: word("the kernel", hello.kernel)?,
        hooks: hooks(hello.hooks)?,
    };
    Ok((hello.epoch, says))
}

/// Where the hooks stand.
pub(super) fn hooks(hooks: Vec<v1::Hook>) -> Result<Vec<HookRow>, HelloError> {
    if hooks.len() > HOOKS_MAX {
        return Err(HelloError::TooLong("the list of hooks"));
    }
    let hook = |hook: v1::Hook| {
        if hook.programs.len() > PROGRAMS_MAX {
            return Err(HelloError::TooLong("the list of a hook's programs"));
        }
        let program = |program: v1::Program| {
            let v1::Program { name, runs, run_ns, missed } = program;
            Ok(ProgramRow { name: word("a program", name)?, runs, run_ns, missed })
        };
        Ok(HookRow {
            name: word("a hook", hook.name)?,
            rung: word("a hook", hook.rung)?,
            detail: word("a hook", hook.detail)?,
            programs: hook.programs.into_iter().map(program).collect::<Result<_, _>>()?,
        })
    };
    hooks.into_iter().map(hook).collect()
}

fn word(what: &'static str, word: String) -> Result<String, HelloError> {
    if word.len() > SELF_TEXT_BYTES_MAX { Err(HelloError::TooLong(what)) } else { Ok(word) }
}
