//! Records of login programs and shells.

use bongsu_event::{Authentication, Outcome};
use bongsu_sensor_abi as abi;
use bstr::{BString, ByteSlice};

use super::{Action, DecodeError, head, path::Text};

/// Stands for the rest of a line that was cut.
const CUT: &[u8] = b"...";

pub(super) fn authentication(record: &abi::Authentication) -> Action {
    let outcome = if record.result == 0 { Outcome::Success } else { Outcome::Failure };
    Action::Authentication(Authentication {
        outcome,
        // PAM itself asks for the service's file by the name in small letters.
        service: item(&record.service).to_ascii_lowercase().into(),
        user: item(&record.user).into(),
        remote_host: given(item(&record.remote_host)),
        terminal: given(item(&record.terminal)),
    })
}

/// A string with its NUL, behind which lies what lay there before.
fn item(bytes: &[u8]) -> &[u8] {
    bytes.split_str(b"\0").next().unwrap_or_default()
}

fn given(item: &[u8]) -> Option<BString> {
    (!item.is_empty()).then(|| item.into())
}

pub(super) fn shell_line(bytes: &[u8]) -> Result<Action, DecodeError> {
    let record: abi::ShellLine = head(bytes)?;
    let mut line: BString = item(Text::behind::<abi::ShellLine>(bytes).take(record.line_len)?).into();
    if record.header.flags & abi::ShellLine::CUT != 0 {
        line.extend_from_slice(CUT);
    }
    Ok(Action::ShellLine { line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::{Header, ITEM_MAX, Record as _};

    fn slot(text: &[u8]) -> [u8; ITEM_MAX] {
        let mut slot = [b'?'; ITEM_MAX];
        slot[..text.len()].copy_from_slice(text);
        slot
    }

    #[test]
    fn items_end_with_their_nul_and_empty_ones_were_not_given() {
        let record = abi::Authentication {
            header: Header::default(),
            result: 7,
            reserved: 0,
            service: slot(b"SSHD\0"),
            user: slot(b"\xffnobody\0root\0"),
            remote_host: slot(b"192.0.2.7\0"),
            terminal: slot(b"\0"),
        };
        let expected = Authentication {
            outcome: Outcome::Failure,
            service: "sshd".into(),
            user: b"\xffnobody".into(),
            remote_host: Some("192.0.2.7".into()),
            terminal: None,
        };
        assert_eq!(authentication(&record), Action::Authentication(expected.clone()));
        let unended = abi::Authentication { result: 0, user: [b'u'; ITEM_MAX], ..record };
        let expected =
            Authentication { outcome: Outcome::Success, user: [b'u'; ITEM_MAX].as_slice().into(), ..expected };
        assert_eq!(authentication(&unended), Action::Authentication(expected));
    }

    #[test]
    fn a_line_that_was_cut_says_so_and_one_that_is_shorter_than_its_head_says_is_refused() {
        let record = |line_len, flags| abi::ShellLine {
            header: Header { flags, ..Header::default() },
            line_len,
            ..abi::ShellLine::default()
        };
        let read = |head: abi::ShellLine, text: &[u8]| shell_line(&[head.as_bytes(), text].concat());
        let line = |line: &str| Ok(Action::ShellLine { line: line.into() });
        assert_eq!(read(record(3, 0), b"ls\0garbage"), line("ls"));
        assert_eq!(read(record(3, abi::ShellLine::CUT), b"ls\0"), line("ls..."));
        assert_eq!(read(record(4, 0), b"ls\0"), Err(DecodeError::Text));
    }
}
