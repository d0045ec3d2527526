//! Records of tampering, capabilities and namespaces.

use bongsu_event::{Capabilities, NamespaceChange, NamespaceKinds, NamespaceWay, TamperOperation};
use bongsu_sensor_abi::{self as abi, TaskRef};
use bstr::{BString, ByteSlice};

use super::{
    Action, DecodeError, head,
    path::{self, Text},
};

/// The address families of raw sockets that a libc need not know by name.
const AF_XDP: i32 = 44;

/// What programs rarely do and attackers often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TamperAction {
    pub(crate) operation: TamperOperation,
    pub(crate) target: Option<TaskRef>,
    pub(crate) name: Option<BString>,
    pub(crate) number: u32,
}

pub(super) fn tamper(bytes: &[u8]) -> Result<Action, DecodeError> {
    let record: abi::Tamper = head(bytes)?;
    let operation =
        abi::TamperOperation::from_number(record.operation).ok_or(DecodeError::Operation(record.operation))?;
    let operation = match operation {
        abi::TamperOperation::Ptrace => TamperOperation::Ptrace,
        abi::TamperOperation::WriteMemory => TamperOperation::WriteMemory,
        abi::TamperOperation::OpenMemory => TamperOperation::OpenMemory,
        abi::TamperOperation::LoadModule => TamperOperation::LoadModule,
        abi::TamperOperation::UnloadModule => TamperOperation::UnloadModule,
        abi::TamperOperation::LoadBpf => TamperOperation::LoadBpf,
        abi::TamperOperation::LoadKernel => TamperOperation::LoadKernel,
        abi::TamperOperation::WriteExecute => TamperOperation::WriteExecute,
        abi::TamperOperation::MakeMemfd => TamperOperation::MakeMemfd,
        abi::TamperOperation::RawSocket => TamperOperation::RawSocket,
    };
    let flags = record.header.flags;
    let text = Text::behind::<abi::Tamper>(bytes).take(record.name_len)?;
    let name = match operation {
        TamperOperation::RawSocket => Some(socket(record.detail).into()),
        TamperOperation::MakeMemfd => Some(memfd(text)),
        _ if record.name_len == 0 => None,
        _ if flags & abi::Tamper::NAME_IS_WALK != 0 => Some(path::walk(text, flags & abi::Tamper::PATH_CUT != 0)),
        _ => Some(path::string(text)).filter(|name| !name.is_empty()),
    };
    let target = (record.target.pid != 0).then_some(record.target);
    Ok(Action::Tamper(TamperAction { operation, target, name, number: record.number }))
}

/// The name that was given to memfd_create(2), which may be empty.
fn memfd(text: &[u8]) -> BString {
    let shown = path::string(text);
    shown.strip_prefix(b"memfd:").unwrap_or(shown.as_bytes()).into()
}

/// The word for the address family of a raw socket.
fn socket(family: u32) -> String {
    match i32::try_from(family) {
        Ok(libc::AF_INET) => "inet".to_owned(),
        Ok(libc::AF_INET6) => "inet6".to_owned(),
        Ok(libc::AF_PACKET) => "packet".to_owned(),
        Ok(AF_XDP) => "xdp".to_owned(),
        _ => family.to_string(),
    }
}

pub(super) fn capabilities(change: &abi::SetCapabilities) -> Action {
    let of = |set: abi::Capabilities| Capabilities {
        effective: set.effective,
        permitted: set.permitted,
        inheritable: set.inheritable,
    };
    Action::SetCapabilities { before: of(change.before), after: of(change.after) }
}

pub(super) fn namespace(change: &abi::Namespace) -> Action {
    let way = if change.joined == 0 { NamespaceWay::Unshare } else { NamespaceWay::Join };
    Action::Namespace(NamespaceChange { way, kinds: NamespaceKinds(change.kinds & NamespaceKinds::ALL.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::{Header, Record as _, TamperOperation as Number};

    fn decoded(head: &abi::Tamper, text: &[u8]) -> Result<TamperAction, DecodeError> {
        match tamper(&[head.as_bytes(), text].concat())? {
            Action::Tamper(action) => Ok(action),
            other => panic!("not tampering: {other:?}"),
        }
    }

    fn record(operation: Number, flags: u32, name: &[u8]) -> abi::Tamper {
        let name_len = name.len().try_into().unwrap();
        let header = Header { flags, ..Header::default() };
        abi::Tamper { header, operation: operation as u32, name_len, ..abi::Tamper::default() }
    }

    #[test]
    fn names_are_walks_or_strings_and_a_memfds_loses_what_the_kernel_put_before_it() {
        let walk = abi::Tamper::NAME_IS_WALK;
        let cut = walk | abi::Tamper::PATH_CUT;
        let cases: [(Number, u32, &[u8], Option<&str>); 7] = [
            (Number::LoadModule, 0, b"dummy\0", Some("dummy")),
            (Number::LoadModule, walk, b"evil.ko\0tmp\0", Some("/tmp/evil.ko")),
            (Number::LoadKernel, cut, b"vmlinuz\0", Some("//.../vmlinuz")),
            (Number::LoadBpf, 0, b"\0", None),
            (Number::LoadModule, 0, b"", None),
            (Number::MakeMemfd, 0, b"memfd:implant\0", Some("implant")),
            (Number::MakeMemfd, 0, b"memfd:\0", Some("")),
        ];
        for (operation, flags, text, expected) in cases {
            let action = decoded(&record(operation, flags, text), text).unwrap();
            assert_eq!(action.name, expected.map(BString::from), "{operation:?}");
        }
    }

    #[test]
    fn an_operation_that_does_not_exist_is_refused() {
        for operation in [0, 11, u32::MAX] {
            let head = abi::Tamper { operation, ..record(Number::Ptrace, 0, b"") };
            assert_eq!(decoded(&head, b""), Err(DecodeError::Operation(operation)));
        }
    }

    #[test]
    fn a_target_without_a_pid_is_none() {
        let head = record(Number::Ptrace, 0, b"");
        assert_eq!(decoded(&head, b"").unwrap().target, None);
        let target = TaskRef { start_ns: 5, pid: 6, thread: 7 };
        assert_eq!(decoded(&abi::Tamper { target, ..head }, b"").unwrap().target, Some(target));
    }
}
