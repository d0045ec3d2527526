//! Processes, their ancestors and identities.

use bongsu_event::{
    Account, Ancestor, ContainerNames, Context, Credentials, Namespaces, Pod, Process, ProcessKey, Timestamp,
};
use bstr::BString;
use prost::Message as _;

use super::DecodeError;
use crate::{limits, v1};

/// The key as a message.
#[must_use]
pub fn encode_key(key: ProcessKey) -> v1::ProcessKey {
    v1::ProcessKey { boot: key.boot, pid: key.pid, start: key.start }
}

/// The key of a message.
#[must_use]
pub fn decode_key(key: &v1::ProcessKey) -> ProcessKey {
    ProcessKey { boot: key.boot, pid: key.pid, start: key.start }
}

/// A `v1::Process` encoded; `line` is what [`line_to_bytes`] made of its ancestors, who are the same for all children of a parent.
#[must_use]
pub fn process_to_bytes(process: &Process, line: &[u8]) -> Vec<u8> {
    let mut room = ArgsRoom { bytes: limits::PROCESS_ARGS_BYTES_MAX, count: limits::PROCESS_ARGS_MAX };
    let (args, cut) = room.take(&process.args);
    let message = v1::Process {
        key: Some(encode_key(process.key)),
        start: process.start.0,
        comm: bytes(&process.comm),
        executable: bytes(&process.executable),
        args,
        args_cut: process.args_cut || cut,
        cwd: bytes(&process.cwd),
        credentials: Some(encode_credentials(&process.credentials)),
        container: optional(process.container.as_ref()),
        ancestors: Vec::new(),
        context: None,
    };
    let context = (process.context != Context::default()).then(|| encode_context(&process.context));
    let context = v1::Process { context, ..v1::Process::default() };
    let mut bytes = Vec::with_capacity(message.encoded_len() + line.len() + context.encoded_len());
    // In the order of their numbers.
    message.encode_raw(&mut bytes);
    bytes.extend_from_slice(line);
    context.encode_raw(&mut bytes);
    bytes
}

/// The field `ancestors` of a `v1::Process`, encoded.
#[must_use]
pub fn line_to_bytes(ancestors: &[Ancestor]) -> Vec<u8> {
    let mut room = ArgsRoom { bytes: limits::ANCESTOR_ARGS_BYTES_MAX, count: limits::ANCESTOR_ARGS_MAX };
    let ancestors = ancestors.iter().take(Process::ANCESTORS_MAX);
    let ancestors = ancestors.map(|ancestor| encode_ancestor(ancestor, &mut room)).collect();
    v1::Process { ancestors, ..v1::Process::default() }.encode_to_vec()
}

fn encode_context(context: &Context) -> v1::Context {
    let namespaces = |it: Namespaces| v1::Namespaces { mount: it.mount, pid: it.pid, net: it.net, user: it.user };
    let pod = |pod: &Pod| v1::Pod { uid: bytes(&pod.uid), name: bytes(&pod.name), namespace: bytes(&pod.namespace) };
    let names = |it: &ContainerNames| v1::ContainerNames { name: bytes(&it.name), image: bytes(&it.image) };
    v1::Context {
        session: context.session,
        terminal: optional(context.terminal.as_ref()),
        capabilities: context.capabilities,
        namespaces: context.namespaces.map(namespaces),
        pod: context.pod.as_ref().map(pod),
        container_names: context.container_names.as_ref().map(names),
    }
}

fn decode_context(context: v1::Context) -> Context {
    let namespaces = |it: v1::Namespaces| Namespaces { mount: it.mount, pid: it.pid, net: it.net, user: it.user };
    let pod = |pod: v1::Pod| Pod { uid: pod.uid.into(), name: pod.name.into(), namespace: pod.namespace.into() };
    let names = |it: v1::ContainerNames| ContainerNames { name: it.name.into(), image: it.image.into() };
    Context {
        session: context.session,
        terminal: context.terminal.map(Into::into),
        capabilities: context.capabilities,
        namespaces: context.namespaces.map(namespaces),
        pod: context.pod.map(pod),
        container_names: context.container_names.map(names),
    }
}

/// What is left for arguments.
struct ArgsRoom {
    bytes: usize,
    count: usize,
}

impl ArgsRoom {
    /// The arguments as far as there is room, the last one cut; and whether something was left out.
    fn take(&mut self, args: &[BString]) -> (Vec<Vec<u8>>, bool) {
        let mut taken = Vec::with_capacity(args.len().min(self.count));
        for arg in args {
            if self.count == 0 || (self.bytes == 0 && !arg.is_empty()) {
                return (taken, true);
            }
            let kept = arg.len().min(self.bytes);
            taken.push(arg[..kept].to_vec());
            self.count -= 1;
            self.bytes -= kept;
            if kept < arg.len() {
                return (taken, true);
            }
        }
        (taken, false)
    }
}

fn encode_ancestor(ancestor: &Ancestor, room: &mut ArgsRoom) -> v1::Ancestor {
    v1::Ancestor {
        key: Some(encode_key(ancestor.key)),
        comm: bytes(&ancestor.comm),
        executable: bytes(&ancestor.executable),
        args: room.take(&ancestor.args).0,
        user: Some(encode_account(&ancestor.user)),
    }
}

pub(super) fn encode_credentials(credentials: &Credentials) -> v1::Credentials {
    v1::Credentials {
        real: Some(encode_account(&credentials.real)),
        effective: Some(encode_account(&credentials.effective)),
        gid: credentials.gid,
        egid: credentials.egid,
        login: credentials.login.as_ref().map(encode_account),
    }
}

fn encode_account(account: &Account) -> v1::Account {
    v1::Account { id: account.id, name: optional(account.name.as_ref()) }
}

pub(super) fn decode(process: v1::Process) -> Result<Process, DecodeError> {
    let key = key(process.key.as_ref(), "process.key")?;
    if process.ancestors.len() > Process::ANCESTORS_MAX {
        return Err(DecodeError::TooMany { field: "process.ancestors", max: Process::ANCESTORS_MAX });
    }
    Ok(Process {
        key,
        pid: key.pid,
        start: Timestamp(process.start),
        comm: process.comm.into(),
        executable: process.executable.into(),
        args: strings(process.args),
        args_cut: process.args_cut,
        cwd: process.cwd.into(),
        credentials: decode_credentials(process.credentials, "process.credentials")?,
        container: process.container.map(Into::into),
        context: process.context.map(decode_context).unwrap_or_default(),
        ancestors: process.ancestors.into_iter().map(decode_ancestor).collect::<Result<_, _>>()?,
    })
}

fn decode_ancestor(ancestor: v1::Ancestor) -> Result<Ancestor, DecodeError> {
    let key = key(ancestor.key.as_ref(), "process.ancestors.key")?;
    Ok(Ancestor {
        key,
        pid: key.pid,
        comm: ancestor.comm.into(),
        executable: ancestor.executable.into(),
        args: strings(ancestor.args),
        user: account(ancestor.user, "process.ancestors.user")?,
    })
}

pub(super) fn decode_credentials(
    credentials: Option<v1::Credentials>,
    field: &'static str,
) -> Result<Credentials, DecodeError> {
    let credentials = credentials.ok_or(DecodeError::Missing { field })?;
    Ok(Credentials {
        real: account(credentials.real, "credentials.real")?,
        effective: account(credentials.effective, "credentials.effective")?,
        gid: credentials.gid,
        egid: credentials.egid,
        login: credentials.login.map(decode_account),
    })
}

pub(super) fn key(key: Option<&v1::ProcessKey>, field: &'static str) -> Result<ProcessKey, DecodeError> {
    key.map(decode_key).ok_or(DecodeError::Missing { field })
}

fn account(account: Option<v1::Account>, field: &'static str) -> Result<Account, DecodeError> {
    account.map(decode_account).ok_or(DecodeError::Missing { field })
}

fn decode_account(account: v1::Account) -> Account {
    Account { id: account.id, name: account.name.map(Into::into) }
}

fn strings(list: Vec<Vec<u8>>) -> Vec<BString> {
    list.into_iter().map(Into::into).collect()
}

pub(super) fn bytes(string: &BString) -> Vec<u8> {
    string.to_vec()
}

pub(super) fn optional(string: Option<&BString>) -> Option<Vec<u8>> {
    string.map(bytes)
}
