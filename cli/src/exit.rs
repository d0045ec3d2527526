//! What the exit code says. The numbers above 63 are those of sysexits.h, so that scripts may know them already.

use std::process::ExitCode;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// 0: what was asked was done; a verification held.
    Done = 0,
    /// 1: evidence is not what it should be.
    NotVerified = 1,
    /// 64: the command line makes no sense, or asks for what cannot be.
    Usage = 64,
    /// 66: there is no such incident, evidence or file.
    NotFound = 66,
    /// 69: the correlator cannot be reached, or cannot answer now.
    Unavailable = 69,
    /// 70: this program could not do its own work.
    Internal = 70,
    /// 73: the output could not be written.
    CannotWrite = 73,
    /// 76: the answer is not one that this version understands.
    Protocol = 76,
    /// 77: the token is missing, unknown, or not allowed to do this.
    NoPermission = 77,
    /// 78: it is not known where the correlator is, or the token file is unusable.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table under `bongsu --help`.
pub(crate) const HELP: &str = "\
Exit codes:
   0  done; a verification held
   1  evidence is not what it should be
  64  the command line makes no sense
  66  there is no such incident, evidence or file
  69  the correlator cannot be reached, or cannot answer now
  70  this program could not do its own work
  73  the output could not be written
  76  the answer is not one that this version understands
  77  the token is missing, unknown or not allowed to do this
  78  it is not known where the correlator is, or the token file is unusable

Where the correlator is and who asks, first found wins:
  --url, BONGSU_URL, endpoints.json in the state directory
  --token-file, BONGSU_TOKEN, admin-token in the state directory";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_code() {
        let all = [
            Exit::Done,
            Exit::NotVerified,
            Exit::Usage,
            Exit::NotFound,
            Exit::Unavailable,
            Exit::Internal,
            Exit::CannotWrite,
            Exit::Protocol,
            Exit::NoPermission,
            Exit::Config,
        ];
        for exit in all {
            assert!(HELP.lines().any(|line| line.starts_with(&format!("{:4}  ", exit as u8))), "{exit:?}");
        }
    }
}
