//! Events written down: a map from catalogue names to values becomes an event, for the tests beside rules.
//!
//! Whatever is written is read back through the catalogue and compared, so that a sample cannot mean something else than it says;
//! fields that follow from others (`process.name`, `bongsu.elevated`) may be written and are checked the same way.

use std::{collections::BTreeMap, net::SocketAddr, str::FromStr, sync::Arc};

use bongsu_event::{
    Account, Activity, Ancestor, Context, Credentials, Event, EventId, Exec, FileActivity, FileOperation, ImageTraits,
    Log, LogMeaning, Login, NetworkActivity, NetworkOperation, Outcome, Owner, Process, ProcessKey, SensorId,
    StoredEvent, Timestamp, Transport, catalogue::FieldId,
};
use bstr::{BString, ByteSlice};

/// The moment at which samples begin: 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// A sample that is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SampleFault {
    /// A field that the catalogue does not have.
    #[error("no event has a field {0:?}")]
    UnknownField(String),
    /// Written twice under two of its names.
    #[error("the field {0} is written twice")]
    Twice(&'static str),
    /// No action, or one that is none.
    #[error("event.action must say what happened (exec, file-write, connect, login-failure, ...), not {0:?}")]
    Action(String),
    /// A value that its field cannot have.
    #[error("{field} cannot be {value:?}")]
    Value {
        /// The field.
        field: &'static str,
        /// What is written.
        value: String,
    },
    /// An event of this action reads back otherwise.
    #[error("an event with these fields has {field} {actual}, not {written:?}")]
    ReadsBack {
        /// The field.
        field: &'static str,
        /// What is written.
        written: String,
        /// What the event has.
        actual: String,
    },
}

/// The values of a sample by ECS name, taken out as they are used.
struct Written(BTreeMap<&'static str, String>);

/// Makes the event that these fields describe: the `number`th of a sample, `after` nanoseconds from its start.
pub(super) fn event(fields: &[(String, String)], number: u64, after: i64) -> Result<StoredEvent, SampleFault> {
    let mut written = BTreeMap::new();
    for (name, value) in fields {
        let field = FieldId::by_name(name).ok_or_else(|| SampleFault::UnknownField(name.clone()))?;
        if written.insert(field.field().ecs, value.clone()).is_some() {
            return Err(SampleFault::Twice(field.field().ecs));
        }
    }
    let all = written.clone();
    let mut written = Written(written);
    let action = written.0.remove("event.action").unwrap_or_default();
    let activity = written.activity(&action)?;
    let has_process = !matches!(activity, Activity::Log(_));
    let process = if has_process { Some(Arc::new(written.process()?)) } else { None };
    let sensor = SensorId(uuid::Uuid::from_u128(1));
    let host = Arc::new(written.text("host.name").unwrap_or_else(|| "sample".into()));
    let event = Event { time: Timestamp(START.0.saturating_add(after)), process, activity };
    let event = StoredEvent { id: EventId { sensor, epoch: 1, seq: number }, host, event };
    read_back(&all, &event).map(|()| event)
}

fn read_back(written: &BTreeMap<&'static str, String>, event: &StoredEvent) -> Result<(), SampleFault> {
    for (field, text) in written {
        let value = FieldId::by_name(field).map(|field| field.read(event));
        let actual = value.as_ref().and_then(|value| value.to_bytes());
        if actual.as_deref() != Some(text.as_bytes()) {
            let actual = actual.map_or_else(|| "not at all".to_owned(), |bytes| format!("{:?}", bytes.as_bstr()));
            return Err(SampleFault::ReadsBack { field, written: text.clone(), actual });
        }
    }
    Ok(())
}

impl Written {
    fn text(&mut self, field: &'static str) -> Option<BString> {
        self.0.remove(field).map(BString::from)
    }

    fn parsed<T: FromStr>(&mut self, field: &'static str) -> Result<Option<T>, SampleFault> {
        let Some(value) = self.0.remove(field) else { return Ok(None) };
        value.parse().map(Some).map_err(|_not_one| SampleFault::Value { field, value })
    }

    fn activity(&mut self, action: &str) -> Result<Activity, SampleFault> {
        Ok(match action {
            "exec" => Activity::Exec(Exec {
                previous_executable: None,
                script: self.text("bongsu.process.script"),
                image: ImageTraits {
                    memfd: self.parsed("bongsu.process.memfd")?.unwrap_or(false),
                    deleted: self.parsed("bongsu.process.deleted")?.unwrap_or(false),
                    setuid: self.parsed("bongsu.process.setuid")?.unwrap_or(false),
                    upper_layer: self.parsed("bongsu.process.upper_layer")?.unwrap_or(false),
                },
                inode: 1,
                ..Exec::default()
            }),
            "exit" => Activity::Exit { code: self.parsed("process.exit_code")?.unwrap_or(0), signal: 0 },
            "fork" => Activity::Fork { child: ProcessKey { boot: 1, pid: 4001, start: 4001 } },
            "file-create" => self.file(FileOperation::Create)?,
            "file-write" => self.file(FileOperation::Write)?,
            "file-read" => self.file(FileOperation::Read)?,
            "file-delete" => self.file(FileOperation::Delete)?,
            "file-rename" => self.file(FileOperation::Rename)?,
            "file-chmod" => self.file(FileOperation::Chmod)?,
            "file-chown" => self.file(FileOperation::Chown)?,
            "file-close-write" => self.file(FileOperation::CloseWrite)?,
            "file-link" => self.file(FileOperation::Link)?,
            "file-symlink" => self.file(FileOperation::Symlink)?,
            "file-truncate" => self.file(FileOperation::Truncate)?,
            "file-set-attribute" => self.file(FileOperation::SetAttribute)?,
            "connect" => self.network(NetworkOperation::Connect)?,
            "accept" => self.network(NetworkOperation::Accept)?,
            "listen" => self.network(NetworkOperation::Listen)?,
            "set-credentials" => {
                let name = self.0.get("user.name").map(|name| name.as_str().into());
                let id = self.0.get("process.real_user.id").and_then(|id| id.parse().ok()).unwrap_or(1000);
                let account = Account { id, name };
                let before = Credentials { real: account.clone(), effective: account, ..Credentials::default() };
                Activity::SetCredentials { before }
            }
            "log" => self.log("syslog", None),
            "login-success" => self.login(Outcome::Success)?,
            "login-failure" => self.login(Outcome::Failure)?,
            "elevation" => {
                let failed = self.0.remove("event.outcome").is_some_and(|outcome| outcome == "failure");
                let meaning = LogMeaning::Elevation {
                    outcome: if failed { Outcome::Failure } else { Outcome::Success },
                    user: self.text("user.name").unwrap_or_default(),
                    target: self.text("user.effective.name").unwrap_or_else(|| "root".into()),
                    command: None,
                };
                self.log("sudo", Some(meaning))
            }
            other => return Err(SampleFault::Action(other.to_owned())),
        })
    }

    fn file(&mut self, operation: FileOperation) -> Result<Activity, SampleFault> {
        Ok(Activity::File(FileActivity {
            operation,
            path: self.text("file.path").unwrap_or_default(),
            previous_path: self.text("bongsu.file.previous_path"),
            mode: self.parsed("bongsu.file.mode")?,
            owner: self.parsed("bongsu.file.uid")?.map(|uid| Owner { uid: Some(uid), gid: None }),
            attribute: self.text("bongsu.file.attribute"),
        }))
    }

    fn network(&mut self, operation: NetworkOperation) -> Result<Activity, SampleFault> {
        let mut end = |ip, port| -> Result<SocketAddr, SampleFault> {
            let ip = self.parsed(ip)?.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
            Ok(SocketAddr::new(ip, self.parsed(port)?.unwrap_or(40_000)))
        };
        let (source, destination) = (end("source.ip", "source.port")?, end("destination.ip", "destination.port")?);
        let udp = self.0.remove("network.transport").is_some_and(|transport| transport == "udp");
        let (local, remote) = match operation {
            NetworkOperation::Connect | NetworkOperation::Send | NetworkOperation::Close => (source, Some(destination)),
            NetworkOperation::Accept | NetworkOperation::Receive => (destination, Some(source)),
            NetworkOperation::Listen | NetworkOperation::Bind => (destination, None),
        };
        let transport = if udp { Transport::Udp } else { Transport::Tcp };
        Ok(Activity::Network(NetworkActivity::new(operation, transport, local, remote)))
    }

    fn login(&mut self, outcome: Outcome) -> Result<Activity, SampleFault> {
        let login = Login {
            outcome,
            user: self.text("user.name").unwrap_or_default(),
            source: self.parsed("source.ip")?,
            source_port: self.parsed("source.port")?,
            method: self.text("bongsu.login.method"),
        };
        Ok(self.log("sshd", Some(LogMeaning::Login(login))))
    }

    fn log(&mut self, program: &str, meaning: Option<LogMeaning>) -> Activity {
        Activity::Log(Log {
            path: self.text("log.file.path").unwrap_or_else(|| "/var/log/auth.log".into()),
            program: Some(self.text("log.syslog.appname").unwrap_or_else(|| program.into())),
            message: self.text("message").unwrap_or_default(),
            meaning,
        })
    }

    fn process(&mut self) -> Result<Process, SampleFault> {
        let pid = self.parsed("process.pid")?.unwrap_or(4000);
        let real = Account { id: self.parsed("process.real_user.id")?.unwrap_or(1000), name: self.text("user.name") };
        let effective = Account {
            id: self.parsed("process.user.id")?.unwrap_or(real.id),
            name: self.text("user.effective.name").or_else(|| real.name.clone()),
        };
        let login = self.text("bongsu.login_user.name").map(|name| Account { id: 1000, name: Some(name) });
        let executable = self.text("process.executable").unwrap_or_else(|| "/usr/bin/true".into());
        let command_line = self.text("process.command_line").unwrap_or_else(|| executable.clone());
        let comm = self.text("bongsu.process.comm").unwrap_or_else(|| comm_of(&executable));
        Ok(Process {
            key: ProcessKey { boot: 1, pid, start: pid.into() },
            pid,
            start: START,
            comm,
            executable,
            args: words(&command_line),
            args_cut: false,
            cwd: self.text("process.working_directory").unwrap_or_else(|| "/".into()),
            credentials: Credentials { real: real.clone(), effective, gid: 1000, egid: 1000, login },
            container: self.text("container.id"),
            context: Context::default(),
            ancestors: self.parent(&real)?.into_iter().collect(),
        })
    }

    fn parent(&mut self, user: &Account) -> Result<Option<Ancestor>, SampleFault> {
        let Some(executable) = self.text("process.parent.executable") else { return Ok(None) };
        let command_line = self.text("process.parent.command_line").unwrap_or_else(|| executable.clone());
        let pid = self.parsed("process.parent.pid")?.unwrap_or(3999);
        Ok(Some(Ancestor {
            key: ProcessKey { boot: 1, pid, start: pid.into() },
            pid,
            comm: comm_of(&executable),
            executable,
            args: words(&command_line),
            user: user.clone(),
        }))
    }
}

fn words(command_line: &BString) -> Vec<BString> {
    command_line.split_str(" ").map(BString::from).collect()
}

fn comm_of(executable: &BString) -> BString {
    let name = executable.rsplit_str("/").next().unwrap_or_default();
    name[..name.len().min(15)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(fields: &[(&str, &str)]) -> Result<StoredEvent, SampleFault> {
        let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        event(&fields, 1, 0)
    }

    #[test]
    fn what_is_written_is_what_the_catalogue_reads() {
        for sample in [
            &[("event.action", "exec"), ("Image", "/usr/bin/id"), ("process.name", "id"), ("user.name", "www-data")][..],
            &[("event.action", "exec"), ("bongsu.process.memfd", "true"), ("process.executable", "/memfd:x")],
            &[
                ("event.action", "exec"),
                ("bongsu.process.setuid", "true"),
                ("process.user.id", "0"),
                ("bongsu.elevated", "true"),
            ],
            &[("event.action", "file-rename"), ("file.path", "/a"), ("bongsu.file.previous_path", "/b")],
            &[("event.action", "connect"), ("destination.ip", "203.0.113.1"), ("destination.port", "443")],
            &[("event.action", "accept"), ("source.ip", "2001:db8::1"), ("network.direction", "ingress")],
            &[("event.action", "login-failure"), ("user.name", "alice"), ("source.ip", "203.0.113.1")],
            &[("event.action", "elevation"), ("user.name", "alice"), ("bongsu.elevated", "true")],
            &[
                ("event.action", "set-credentials"),
                ("user.name", "alice"),
                ("process.user.id", "0"),
                ("bongsu.elevated", "true"),
            ],
            &[("event.action", "log"), ("program", "cron"), ("message", "hello")],
        ] {
            assert!(made(sample).is_ok(), "{sample:?}: {:?}", made(sample));
        }
    }

    #[test]
    fn a_sample_that_is_no_event_is_refused() {
        for sample in [
            &[("user.name", "alice")][..],
            &[("event.action", "dance")],
            &[("event.action", "exec"), ("no.such", "x")],
            &[("event.action", "exec"), ("file.path", "/etc/shadow")],
            &[("event.action", "exec"), ("Image", "/bin/a"), ("exe", "/bin/a")],
            &[("event.action", "exec"), ("process.executable", "/bin/a"), ("process.name", "b")],
            &[("event.action", "connect"), ("destination.port", "many")],
        ] {
            assert!(made(sample).is_err(), "{sample:?}");
        }
    }
}
