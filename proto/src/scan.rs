//! Walks encoded messages without decoding them, to refuse what would cost memory out of proportion to its size.
//!
//! prost makes a struct for each element of a repeated field, however empty: 8 MiB of empty events would become gigabytes. The
//! scan counts first; it allocates nothing.

use bongsu_event::Process;

use crate::limits;

/// Why bytes are refused before they are decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The bytes are no protobuf message.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
    /// A repeated field has too many elements.
    #[error("{field} has more than {max} elements")]
    TooMany {
        /// Which field.
        field: &'static str,
        /// How many it may have.
        max: usize,
    },
    /// A message is too long.
    #[error("{what} has {bytes} bytes, at most {max} are allowed")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

/// One field of an encoded message; scalar values are skipped.
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    /// The content, when it is length-delimited.
    pub(crate) content: Option<&'a [u8]>,
}

/// The fields of an encoded message, in order.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, ScanError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(ScanError::Malformed("it ends inside a number"))?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ScanError::Malformed("a number is too long"))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ScanError> {
        let taken = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let (content, rest) = taken.ok_or(ScanError::Malformed("it ends inside a field"))?;
        self.0 = rest;
        Ok(content)
    }

    fn field(&mut self) -> Result<Field<'a>, ScanError> {
        let tag = self.varint()?;
        let content = match tag & 7 {
            0 => self.varint().map(|_| None)?,
            1 => self.take(8).map(|_| None)?,
            2 => {
                let length = self.varint()?;
                Some(self.take(length)?)
            }
            5 => self.take(4).map(|_| None)?,
            _ => return Err(ScanError::Malformed("it uses groups or an unknown wire type")),
        };
        Ok(Field { number: tag >> 3, content })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

const EVENT_PROCESS: u64 = 2;
const PROCESS_ARGS: u64 = 5;
const PROCESS_ANCESTORS: u64 = 10;
const ANCESTOR_ARGS: u64 = 4;
const EVENT_EXEC: u64 = 4;
const EXEC_ENVIRONMENT: u64 = 10;
const EVENT_DNS: u64 = 13;
const DNS_ANSWER: u64 = 3;
const ANSWER_ADDRESSES: u64 = 2;
const ANSWER_NAMES: u64 = 3;

/// Checks an encoded `v1::Event` against the limits and counts its arguments, variables and DNS records. A field given twice counts twice: prost merges them.
pub(crate) fn event_args(event: &[u8]) -> Result<usize, ScanError> {
    if event.len() > limits::EVENT_BYTES_MAX {
        return Err(ScanError::TooLong { what: "event", bytes: event.len(), max: limits::EVENT_BYTES_MAX });
    }
    let (mut args, mut ancestors) = (0, 0);
    for process in contents(event, EVENT_PROCESS) {
        let process = process?;
        args += count(process, PROCESS_ARGS)?;
        for ancestor in contents(process, PROCESS_ANCESTORS) {
            ancestors += 1;
            args += count(ancestor?, ANCESTOR_ARGS)?;
        }
    }
    if args > limits::EVENT_ARGS_MAX {
        return Err(ScanError::TooMany { field: "args", max: limits::EVENT_ARGS_MAX });
    }
    if ancestors > Process::ANCESTORS_MAX {
        return Err(ScanError::TooMany { field: "process.ancestors", max: Process::ANCESTORS_MAX });
    }
    Ok(args + environment(event)? + dns_records(event)?)
}

fn environment(event: &[u8]) -> Result<usize, ScanError> {
    let mut variables = 0;
    for exec in contents(event, EVENT_EXEC) {
        variables += count(exec?, EXEC_ENVIRONMENT)?;
    }
    bounded("exec.environment", variables, limits::EVENT_ENVIRONMENT_MAX)
}

fn dns_records(event: &[u8]) -> Result<usize, ScanError> {
    let (mut addresses, mut names) = (0, 0);
    for dns in contents(event, EVENT_DNS) {
        for answer in contents(dns?, DNS_ANSWER) {
            let answer = answer?;
            addresses += count(answer, ANSWER_ADDRESSES)?;
            names += count(answer, ANSWER_NAMES)?;
        }
    }
    let addresses = bounded("dns.answer.addresses", addresses, limits::DNS_RECORDS_MAX)?;
    Ok(addresses + bounded("dns.answer.names", names, limits::DNS_RECORDS_MAX)?)
}

fn bounded(field: &'static str, count: usize, max: usize) -> Result<usize, ScanError> {
    if count > max { Err(ScanError::TooMany { field, max }) } else { Ok(count) }
}

fn contents(message: &[u8], number: u64) -> impl Iterator<Item = Result<&[u8], ScanError>> {
    Fields(message).filter_map(move |field| match field {
        Ok(Field { number: found, content: Some(content) }) if found == number => Some(Ok(content)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

fn count(message: &[u8], number: u64) -> Result<usize, ScanError> {
    contents(message, number).try_fold(0, |count, content| content.map(|_| count + 1))
}
