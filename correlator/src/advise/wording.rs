//! What one beat says in words, without its time.

use bongsu_api::TimelineEntry;

use super::{
    names::{quoted, visible},
    sentence::Cited,
};

struct Words<'a> {
    entry: &'a TimelineEntry,
    count: usize,
}

impl Words<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.entry.fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn is(&self, name: &str) -> bool {
        self.field(name) == Some("true")
    }

    /// `“backup”`, or `an unknown account`.
    fn user(&self, name: &str) -> String {
        self.field(name).map_or_else(|| "an unknown account".to_owned(), quoted)
    }

    fn program(&self, name: &str) -> String {
        self.field(name).map_or_else(|| "a program".to_owned(), quoted)
    }

    fn as_user(&self) -> String {
        self.field("user.name").map(|user| format!(" as {}", quoted(user))).unwrap_or_default()
    }

    fn times(&self) -> String {
        match self.count {
            1 => String::new(),
            2 => " twice".to_owned(),
            count => format!(" {count} times"),
        }
    }

    fn end(&self, side: &str) -> Option<String> {
        let address = visible(self.field(&format!("{side}.ip"))?);
        Some(match self.field(&format!("{side}.port")) {
            Some(port) => format!("{address}, port {}", visible(port)),
            None => address,
        })
    }
}

/// What happened, beginning in lower case and without a full stop.
pub(crate) fn of_beat(beat: &Cited<'_>) -> String {
    let words = Words { entry: beat.first(), count: beat.count() };
    match words.entry.action.as_str() {
        "login-failure" => login(&words, "failed"),
        "login-success" => login(&words, "succeeded"),
        "elevation" => elevation(&words),
        "exec" => exec(&words),
        "set-credentials" => set_credentials(&words),
        "connect" | "accept" | "listen" => network(&words),
        "file-create" => file(&words, "created"),
        "file-write" => file(&words, "wrote to"),
        "file-read" => file(&words, "read"),
        "file-delete" => file(&words, "deleted"),
        "file-rename" => file(&words, "renamed"),
        "file-chmod" => file(&words, "changed the permissions of"),
        "exit" => format!("{} ended{}", words.program("process.executable"), words.times()),
        "fork" => format!("{} made a copy of itself{}", words.program("process.executable"), words.times()),
        "log" => format!("a log said{}: {}", words.times(), quoted(&words.entry.text)),
        _ => format!("this happened{}: {}", words.times(), quoted(&words.entry.text)),
    }
}

fn login(words: &Words<'_>, ending: &str) -> String {
    let source = words.field("source.ip").map(|ip| format!(" from {}", visible(ip))).unwrap_or_default();
    let user = words.user("user.name");
    match words.count {
        1 => format!("a login as {user}{source} {ending}"),
        count => format!("{count} logins as {user}{source} {ending}"),
    }
}

fn elevation(words: &Words<'_>) -> String {
    let (user, target) = (words.user("user.name"), words.user("user.effective.name"));
    let by = words.field("log.syslog.appname").map(|program| format!(" by {}", visible(program))).unwrap_or_default();
    let times = words.times();
    match words.field("event.outcome") {
        Some("failure") => format!("{user} asked to act as {target}{by}{times} and was refused"),
        _ => format!("{user} got the rights of {target}{by}{times}"),
    }
}

fn exec(words: &Words<'_>) -> String {
    let what = words.field("process.command_line").or_else(|| words.field("process.executable"));
    let what = what.map_or_else(|| "a program".to_owned(), quoted);
    let by = words.program("process.parent.executable");
    let trait_ = if words.is("bongsu.process.memfd") {
        ", a program that lives in memory only and left no file"
    } else if words.is("bongsu.process.deleted") {
        ", a program whose file had already been deleted"
    } else if words.is("bongsu.elevated") {
        ", which gave it the rights of root"
    } else {
        ""
    };
    format!("{by} started {what}{}{}{trait_}", words.as_user(), words.times())
}

fn set_credentials(words: &Words<'_>) -> String {
    let (before, after) = (words.user("user.name"), words.user("user.effective.name"));
    format!("{} went from {before} to {after}{}", words.program("process.executable"), words.times())
}

fn network(words: &Words<'_>) -> String {
    let program = words.program("process.executable");
    let (user, times) = (words.as_user(), words.times());
    let unknown = || "an unknown address".to_owned();
    match words.entry.action.as_str() {
        "connect" => {
            format!("{program} connected{user} to {}{times}", words.end("destination").unwrap_or_else(unknown))
        }
        // Who connects chooses a new port each time: only the address means something.
        "accept" => {
            let from = words.field("source.ip").map_or_else(unknown, visible);
            format!("{program} accepted a connection from {from}{user}{times}")
        }
        _ => format!("{program} began to listen on {}{user}{times}", words.end("destination").unwrap_or_else(unknown)),
    }
}

fn file(words: &Words<'_>, verb: &str) -> String {
    let program = words.program("process.executable");
    let path = words.field("file.path").map_or_else(|| "a file".to_owned(), quoted);
    let from = words
        .field("bongsu.file.previous_path")
        .map(|previous| format!(" (before: {})", quoted(previous)))
        .unwrap_or_default();
    format!("{program} {verb} {path}{from}{}{}", words.as_user(), words.times())
}
