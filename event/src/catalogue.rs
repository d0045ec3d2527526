//! THE CATALOGUE: each field of an event once, with its names in every language we speak and the function that reads it.
//!
//! Rules, exports, search and docs all read this one table. A field that is not here does not exist; a field that gets a new name
//! in ECS, Sigma or OCSF gets it here and nowhere else.
//!
//! Sources of the names: Elastic Common Schema 8.17, the Sigma taxonomy appendix (Linux categories), OCSF 1.4.

mod action;
mod read;

use std::{borrow::Cow, net::IpAddr};

use bstr::{BStr, BString, ByteSlice};

pub use action::Action;

use crate::{Activity, NetworkOperation, Outcome, StoredEvent, Transport};
use read::{
    base_name, count, effective_user_name, elevated, list, of_dns, of_file, of_log, of_login, of_network, of_process,
    of_tamper, of_traffic, optional, outcome, server, source, user_name,
};

/// What a field holds in one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// The event has no such thing.
    Absent,
    /// Bytes from the host, or a word of ours.
    Text(Cow<'a, BStr>),
    /// A number.
    Number(i64),
    /// An IP address.
    Address(IpAddr),
    /// Yes or no.
    Flag(bool),
}

impl<'a> Value<'a> {
    fn text(bytes: &'a [u8]) -> Self {
        Self::Text(Cow::Borrowed(bytes.as_bstr()))
    }

    fn owned(bytes: BString) -> Self {
        // BStr's owned form is BString; Cow<BStr> keeps it without another copy.
        Self::Text(Cow::Owned(bytes))
    }

    /// Whether the event has the field at all.
    #[must_use]
    pub fn is_present(&self) -> bool {
        *self != Self::Absent
    }

    /// The value as the bytes a person or a string comparison would see; `None` when absent.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Absent => None,
            Self::Text(text) => Some(Cow::Borrowed(text.as_bytes())),
            Self::Number(number) => Some(Cow::Owned(number.to_string().into_bytes())),
            Self::Address(address) => Some(Cow::Owned(address.to_string().into_bytes())),
            Self::Flag(flag) => Some(Cow::Borrowed(if *flag { b"true" } else { b"false" })),
        }
    }
}

/// The type of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`Value::Text`].
    Text,
    /// [`Value::Number`].
    Number,
    /// [`Value::Address`].
    Address,
    /// [`Value::Flag`].
    Flag,
}

/// A field: one row of the catalogue.
pub struct Field {
    /// Its ECS name; fields that ECS lacks live under `bongsu.`.
    pub ecs: &'static str,
    /// Its names in Sigma rules, most usual first.
    pub sigma: &'static [&'static str],
    /// Its OCSF path, empty where OCSF has none.
    pub ocsf: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// What it holds, in one line for the docs.
    pub about: &'static str,
    /// Reads it.
    pub read: for<'a> fn(&'a StoredEvent) -> Value<'a>,
}

/// The place of a field in [`FIELDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(u16);

impl FieldId {
    /// The field of that name: an ECS name in its exact case, or a Sigma name in any case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        FIELDS
            .iter()
            .position(|field| field.ecs == name)
            .or_else(|| {
                FIELDS.iter().position(|field| field.sigma.iter().any(|sigma| sigma.eq_ignore_ascii_case(name)))
            })
            .and_then(|index| u16::try_from(index).ok())
            .map(Self)
    }

    /// The row.
    #[must_use]
    pub fn field(self) -> &'static Field {
        &FIELDS[usize::from(self.0)]
    }

    /// The place in [`FIELDS`], for tables indexed by field.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// What the field holds in `event`.
    #[must_use]
    pub fn read(self, event: &StoredEvent) -> Value<'_> {
        (self.field().read)(event)
    }
}

macro_rules! field {
    ($ecs:literal, $sigma:expr, $ocsf:literal, $kind:ident, $about:literal, $read:expr) => {
        Field { ecs: $ecs, sigma: &$sigma, ocsf: $ocsf, kind: Kind::$kind, about: $about, read: $read }
    };
}

/// Every field there is.
#[rustfmt::skip]
pub static FIELDS: &[Field] = &[
    field!("event.action", ["EventAction"], "activity_name", Text, "what happened: exec, connect, login-failure, ...",
        |event| Value::text(Action::of(&event.event.activity).as_str().as_bytes())),
    field!("event.category", [], "category_name", Text, "the ECS category",
        |event| Value::text(Action::of(&event.event.activity).category().as_bytes())),
    field!("event.type", [], "type_name", Text, "the ECS type",
        |event| Value::text(Action::of(&event.event.activity).event_type().as_bytes())),
    field!("event.outcome", ["Outcome"], "status", Text, "success or failure, where the event says",
        |event| outcome(&event.event.activity).map_or(Value::Absent, |outcome| Value::text(match outcome {
            Outcome::Success => b"success",
            Outcome::Failure => b"failure",
        }))),
    field!("host.id", [], "device.uid", Text, "the sensor's id",
        |event| Value::owned(event.id.sensor.to_string().into())),
    field!("host.name", ["Computer", "ComputerName", "hostname"], "device.hostname", Text, "the name the host claims",
        |event| Value::text(&event.host)),
    field!("process.entity_id", ["ProcessGuid"], "process.uid", Text, "the process key",
        |event| of_process(event, |process| Value::owned(process.key.to_string().into()))),
    field!("process.pid", ["ProcessId"], "process.pid", Number, "thread group id in the initial pid namespace",
        |event| of_process(event, |process| Value::Number(process.pid.into()))),
    field!("process.name", ["ProcessName"], "process.name", Text, "the last part of the image's path",
        |event| of_process(event, |process| Value::text(base_name(&process.executable)))),
    field!("bongsu.process.comm", ["comm"], "", Text, "the kernel's comm, which the process may set to anything",
        |event| of_process(event, |process| Value::text(&process.comm))),
    field!("process.executable", ["Image", "exe"], "process.file.path", Text, "the resolved path of the image",
        |event| of_process(event, |process| Value::text(&process.executable))),
    field!("process.command_line", ["CommandLine"], "process.cmd_line", Text, "the arguments joined by spaces",
        |event| of_process(event, |process| Value::owned(process.command_line()))),
    field!("process.working_directory", ["CurrentDirectory", "cwd"], "process.working_directory", Text, "working directory at exec",
        |event| of_process(event, |process| Value::text(&process.cwd))),
    field!("process.real_user.id", [], "actor.user.uid", Number, "real uid",
        |event| of_process(event, |process| Value::Number(process.credentials.real.id.into()))),
    field!("process.user.id", ["euid"], "process.user.uid", Number, "effective uid",
        |event| of_process(event, |process| Value::Number(process.credentials.effective.id.into()))),
    field!("bongsu.login_user.name", ["auid"], "actor.session.user.name", Text, "who logged in, kept over su and sudo",
        |event| of_process(event, |process| optional(process.credentials.login.as_ref().and_then(|login| login.name.as_ref())))),
    field!("process.exit_code", ["ExitCode"], "exit_code", Number, "the code given to exit, 128 + signal when one ended it",
        |event| match event.event.activity {
            Activity::Exit { code, signal: 0 } => Value::Number(code.into()),
            Activity::Exit { signal, .. } => Value::Number(128 + i64::from(signal)),
            _ => Value::Absent,
        }),
    field!("process.parent.entity_id", ["ParentProcessGuid"], "process.parent_process.uid", Text, "the parent's process key",
        |event| of_process(event, |process| process.parent().map_or(Value::Absent, |parent| Value::owned(parent.key.to_string().into())))),
    field!("process.parent.pid", ["ParentProcessId"], "process.parent_process.pid", Number, "the parent's pid",
        |event| of_process(event, |process| process.parent().map_or(Value::Absent, |parent| Value::Number(parent.pid.into())))),
    field!("process.parent.executable", ["ParentImage"], "process.parent_process.file.path", Text, "the path of the parent's image",
        |event| of_process(event, |process| process.parent().map_or(Value::Absent, |parent| Value::text(&parent.executable)))),
    field!("process.parent.name", [], "process.parent_process.name", Text, "the last part of the path of the parent's image",
        |event| of_process(event, |process| process.parent().map_or(Value::Absent, |parent| Value::text(base_name(&parent.executable))))),
    field!("process.parent.command_line", ["ParentCommandLine"], "process.parent_process.cmd_line", Text, "the parent's arguments joined by spaces",
        |event| of_process(event, |process| process.parent().map_or(Value::Absent, |parent| Value::owned(parent.command_line())))),
    field!("container.id", ["ContainerId"], "container.uid", Text, "the container, by the cgroup",
        |event| of_process(event, |process| optional(process.container.as_ref()))),
    field!("user.name", ["User", "user", "TargetUserName"], "actor.user.name", Text, "the account the event is about: who logs in or asks, else the real user of the process",
        user_name),
    field!("user.effective.name", [], "user.name", Text, "the account whose rights are used",
        effective_user_name),
    field!("bongsu.elevated", [], "", Flag, "whether this very event gave root to somebody who had not had it",
        elevated),
    field!("bongsu.process.memfd", [], "", Flag, "whether the program that was started lives in memory only",
        |event| match &event.event.activity { Activity::Exec(exec) => Value::Flag(exec.image.memfd), _ => Value::Absent }),
    field!("bongsu.process.deleted", [], "", Flag, "whether the program that was started has no name left",
        |event| match &event.event.activity { Activity::Exec(exec) => Value::Flag(exec.image.deleted), _ => Value::Absent }),
    field!("bongsu.process.setuid", [], "", Flag, "whether the program that was started carries the set-uid or set-gid bit",
        |event| match &event.event.activity { Activity::Exec(exec) => Value::Flag(exec.image.setuid), _ => Value::Absent }),
    field!("bongsu.process.script", [], "", Text, "the script, when the kernel ran an interpreter for it",
        |event| match &event.event.activity { Activity::Exec(exec) => optional(exec.script.as_ref()), _ => Value::Absent }),
    field!("bongsu.process.environment", [], "", Text, "the variables of the program's environment that the sensor was asked to send, joined by spaces",
        |event| match &event.event.activity {
            Activity::Exec(exec) if !exec.environment.is_empty() => Value::owned(bstr::join(" ", &exec.environment).into()),
            _ => Value::Absent,
        }),
    field!("file.path", ["TargetFilename"], "file.path", Text, "the file's path after the operation",
        |event| of_file(event, |file| Value::text(&file.path))),
    field!("file.name", [], "file.name", Text, "the last part of the file's path",
        |event| of_file(event, |file| Value::text(base_name(&file.path)))),
    field!("bongsu.file.previous_path", ["SourceFilename"], "", Text, "the path before a rename",
        |event| of_file(event, |file| optional(file.previous_path.as_ref()))),
    field!("bongsu.file.mode", [], "", Number, "permission bits after a chmod or create",
        |event| of_file(event, |file| file.mode.map_or(Value::Absent, |mode| Value::Number(mode.into())))),
    field!("network.transport", ["Protocol"], "connection_info.protocol_name", Text, "tcp or udp",
        |event| of_network(event, |network| Value::text(match network.transport { Transport::Tcp => b"tcp", Transport::Udp => b"udp" }))),
    field!("network.direction", [], "connection_info.direction", Text, "egress for a connect, ingress for an accept",
        |event| of_network(event, |network| match network.operation {
            NetworkOperation::Connect | NetworkOperation::Send => Value::text(b"egress"),
            NetworkOperation::Accept | NetworkOperation::Receive => Value::text(b"ingress"),
            NetworkOperation::Listen | NetworkOperation::Bind | NetworkOperation::Close => Value::Absent,
        })),
    field!("source.ip", ["SourceIp", "src_ip", "c-ip"], "src_endpoint.ip", Address, "where it came from",
        |event| match &event.event.activity {
            Activity::Network(network) => source(network).map_or(Value::Absent, |end| Value::Address(end.ip())),
            _ => of_login(event, |login| login.source.map_or(Value::Absent, Value::Address)),
        }),
    field!("source.port", ["SourcePort", "src_port"], "src_endpoint.port", Number, "the port it came from",
        |event| match &event.event.activity {
            Activity::Network(network) => source(network).map_or(Value::Absent, |end| Value::Number(end.port().into())),
            _ => of_login(event, |login| login.source_port.map_or(Value::Absent, |port| Value::Number(port.into()))),
        }),
    field!("destination.ip", ["DestinationIp", "dst_ip"], "dst_endpoint.ip", Address, "where it went",
        |event| server(&event.event.activity).map_or(Value::Absent, |end| Value::Address(end.ip()))),
    field!("destination.port", ["DestinationPort", "dst_port"], "dst_endpoint.port", Number, "the port it went to",
        |event| server(&event.event.activity).map_or(Value::Absent, |end| Value::Number(end.port().into()))),
    field!("bongsu.login.method", [], "auth_protocol", Text, "how somebody tried to log in: password, publickey, ...",
        |event| of_login(event, |login| optional(login.method.as_ref()))),
    field!("log.file.path", [], "log_name", Text, "the file the line was appended to",
        |event| of_log(event, |log| Value::text(&log.path))),
    field!("log.syslog.appname", ["program"], "log_provider", Text, "the program that the line says wrote it",
        |event| of_log(event, |log| optional(log.program.as_ref()))),
    field!("bongsu.connect.result", [], "", Text, "what came of a connect: established, refused, timed-out, unreachable, given-up",
        |event| of_network(event, |network| network.result.map_or(Value::Absent, |result| Value::text(result.as_str().as_bytes())))),
    field!("bongsu.network.bytes_sent", [], "traffic.bytes_out", Number, "bytes of payload that went over a connection that ended",
        |event| of_traffic(event, |traffic| traffic.sent)),
    field!("bongsu.network.bytes_received", [], "traffic.bytes_in", Number, "bytes of payload that came over a connection that ended",
        |event| of_traffic(event, |traffic| traffic.received)),
    field!("event.duration", [], "duration", Number, "how long a connection stood, in nanoseconds",
        |event| of_traffic(event, |traffic| traffic.lasted_ns)),
    field!("dns.question.name", ["QueryName", "query"], "query.hostname", Text, "the name that was asked for",
        |event| of_dns(event, |dns| Value::text(&dns.name))),
    field!("dns.question.type", ["record_type"], "query.type", Text, "the type that was asked for: A, AAAA, TXT, ..., or its number",
        |event| of_dns(event, |dns| Value::owned(dns.kind_word().into()))),
    field!("dns.response_code", ["QueryStatus"], "rcode", Text, "what the server said: NOERROR, NXDOMAIN, ..., or its number",
        |event| of_dns(event, |dns| dns.answer.as_ref().map_or(Value::Absent, |answer| Value::owned(answer.code_word().into())))),
    field!("bongsu.dns.addresses", ["QueryResults", "answer"], "", Text, "the addresses that were answered, a space between",
        |event| of_dns(event, |dns| list(dns.answer.iter().flat_map(|answer| &answer.addresses).map(ToString::to_string)))),
    field!("bongsu.dns.names", [], "", Text, "the names that were answered, a space between",
        |event| of_dns(event, |dns| dns.answer.as_ref().filter(|answer| !answer.names.is_empty())
            .map_or(Value::Absent, |answer| Value::owned(bstr::join(" ", &answer.names).into())))),
    field!("tls.client.server_name", [], "tls.sni", Text, "the name that a TLS client asked for (SNI)",
        |event| match &event.event.activity { Activity::Tls(hello) => Value::text(&hello.server_name), _ => Value::Absent }),
    field!("bongsu.target.entity_id", [], "", Text, "the key of the process to which something was done",
        |event| of_tamper(event, |tamper| tamper.target.as_ref().map_or(Value::Absent, |target| Value::owned(target.key.to_string().into())))),
    field!("bongsu.target.pid", ["TargetProcessId"], "", Number, "the pid of the process to which something was done",
        |event| of_tamper(event, |tamper| tamper.target.as_ref().map_or(Value::Absent, |target| Value::Number(target.key.pid.into())))),
    field!("bongsu.target.executable", ["TargetImage"], "", Text, "the image of the process to which something was done",
        |event| of_tamper(event, |tamper| tamper.target.as_ref().map_or(Value::Absent, |target| Value::text(&target.executable)))),
    field!("bongsu.tamper.name", [], "", Text, "what was loaded or made: a module, a BPF program, a memfd, a raw socket's kind",
        |event| of_tamper(event, |tamper| optional(tamper.name.as_ref()))),
    field!("bongsu.tamper.number", [], "", Number, "the ptrace request, the BPF program type, the protection bits, the protocol",
        |event| of_tamper(event, |tamper| Value::Number(tamper.number.into()))),
    field!("bongsu.namespaces", [], "", Text, "the kinds of namespaces that were entered, a space between",
        |event| match &event.event.activity {
            Activity::Namespace(change) => list(change.kinds.names().map(str::to_owned)),
            _ => Value::Absent,
        }),
    field!("bongsu.capabilities.gained", [], "", Number, "the capabilities that capset gave, a bit for each",
        |event| match &event.event.activity {
            Activity::SetCapabilities { before, after } => count(after.effective & !before.effective),
            _ => Value::Absent,
        }),
    field!("bongsu.process.capabilities", [], "", Number, "the capabilities of the process, a bit for each",
        |event| of_process(event, |process| process.context.capabilities.map_or(Value::Absent, count))),
    field!("bongsu.process.terminal", ["tty"], "process.tty", Text, "the controlling terminal",
        |event| of_process(event, |process| optional(process.context.terminal.as_ref()))),
    field!("bongsu.process.session", ["ses"], "process.session.uid", Number, "the session's id: the pid of its leader",
        |event| of_process(event, |process| process.context.session.map_or(Value::Absent, |session| Value::Number(session.into())))),
    field!("orchestrator.resource.name", ["pod"], "", Text, "the Kubernetes pod",
        |event| of_process(event, |process| optional(process.context.pod.as_ref().map(|pod| &pod.name).filter(|name| !name.is_empty())))),
    field!("orchestrator.namespace", [], "", Text, "the pod's Kubernetes namespace",
        |event| of_process(event, |process| optional(process.context.pod.as_ref().map(|pod| &pod.namespace).filter(|name| !name.is_empty())))),
    field!("container.name", [], "container.name", Text, "what the container is called; in Kubernetes within its pod",
        |event| of_process(event, |process| optional(process.context.container_names.as_ref().map(|names| &names.name).filter(|name| !name.is_empty())))),
    field!("container.image.name", [], "container.image.name", Text, "the image of the container",
        |event| of_process(event, |process| optional(process.context.container_names.as_ref().map(|names| &names.image).filter(|name| !name.is_empty())))),
    field!("bongsu.process.upper_layer", [], "", Flag, "whether the program that was started was put into its container after the start",
        |event| match &event.event.activity { Activity::Exec(exec) => Value::Flag(exec.image.upper_layer), _ => Value::Absent }),
    field!("bongsu.process.tried", [], "", Text, "the path of a program that could not be started",
        |event| match &event.event.activity { Activity::ExecFailed(failed) => Value::text(&failed.path), _ => Value::Absent }),
    field!("error.code", ["exit"], "status_code", Text, "the number of the error of a program that could not be started",
        |event| match &event.event.activity { Activity::ExecFailed(failed) => Value::owned(failed.error.to_string().into()), _ => Value::Absent }),
    field!("bongsu.process.previous_comm", [], "", Text, "the name a process had before it gave itself another",
        |event| match &event.event.activity { Activity::SetName { before } => Value::text(before), _ => Value::Absent }),
    field!("bongsu.file.attribute", [], "", Text, "the extended attribute that was set or removed",
        |event| of_file(event, |file| optional(file.attribute.as_ref()))),
    field!("bongsu.file.uid", [], "", Number, "the user that a file was given to",
        |event| of_file(event, |file| file.owner.and_then(|owner| owner.uid).map_or(Value::Absent, |uid| Value::Number(uid.into())))),
    field!("bongsu.mount.source", [], "", Text, "what was mounted",
        |event| match &event.event.activity { Activity::Mount(mount) => Value::text(&mount.source), _ => Value::Absent }),
    field!("bongsu.mount.target", [], "", Text, "where something was mounted or unmounted",
        |event| match &event.event.activity { Activity::Mount(mount) => Value::text(&mount.target), _ => Value::Absent }),
    field!("bongsu.mount.kind", [], "", Text, "the kind of the file system that was mounted",
        |event| match &event.event.activity { Activity::Mount(mount) => Value::text(&mount.kind), _ => Value::Absent }),
    field!("bongsu.io_uring.operation", [], "", Text, "what an io_uring was asked for: openat, connect, ...",
        |event| match &event.event.activity { Activity::IoUring(ring) => Value::owned(ring.operation.word().into()), _ => Value::Absent }),
    field!("bongsu.io_uring.path", [], "", Text, "the path that an io_uring was asked for, where the kernel shows it",
        |event| match &event.event.activity { Activity::IoUring(ring) => optional(ring.path.as_ref()), _ => Value::Absent }),
    field!("bongsu.auth.service", [], "service.name", Text, "PAM's name for the program that asked",
        |event| match &event.event.activity { Activity::Authentication(asked) => Value::text(&asked.service), _ => Value::Absent }),
    field!("bongsu.auth.remote_host", [], "", Text, "where an authentication came from, as the program told PAM",
        |event| match &event.event.activity { Activity::Authentication(asked) => optional(asked.remote_host.as_ref()), _ => Value::Absent }),
    field!("bongsu.shell.line", [], "", Text, "the line typed into an interactive shell",
        |event| match &event.event.activity { Activity::ShellLine { line } => Value::text(line), _ => Value::Absent }),
    field!("bongsu.suppressed.family", [], "", Text, "what kind of events of the process were left out, because it made too many: file, sensitive, network, packet, process, tamper",
        |event| match &event.event.activity { Activity::Suppressed(left) => Value::owned(left.family.as_str().into()), _ => Value::Absent }),
    field!("bongsu.suppressed.count", [], "", Number, "how many events were left out",
        |event| match &event.event.activity { Activity::Suppressed(left) => Value::Number(i64::try_from(left.count).unwrap_or(i64::MAX)), _ => Value::Absent }),
    field!("message", ["Message"], "message", Text, "the line",
        |event| of_log(event, |log| Value::text(&log.message))),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_means_two_fields() {
        let mut names = HashSet::new();
        for field in FIELDS {
            assert!(names.insert(field.ecs.to_owned()), "{} twice", field.ecs);
            for sigma in field.sigma.iter().filter(|sigma| **sigma != field.ecs) {
                let lower = sigma.to_ascii_lowercase();
                // A Sigma name may be written in two cases for one field, never for two fields.
                let first = FieldId::by_name(sigma).unwrap();
                assert_eq!(first.field().ecs, field.ecs, "{lower} names two fields");
            }
        }
    }

    #[test]
    fn every_field_is_found_by_each_of_its_names() {
        for field in FIELDS {
            for name in std::iter::once(&field.ecs).chain(field.sigma) {
                assert_eq!(FieldId::by_name(name).unwrap().field().ecs, field.ecs);
            }
        }
        assert_eq!(FieldId::by_name("no.such.field"), None);
    }
}
