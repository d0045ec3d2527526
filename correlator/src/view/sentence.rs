//! What an event says, in one line of plain words.

mod name;
mod rare;

use std::fmt::{self, Write as _};

use bongsu_event::{
    Account, Activity, Ancestor, ConnectResult, Exec, FileActivity, FileOperation, Log, LogMeaning, Login,
    NetworkActivity, NetworkOperation, Outcome, Process, Shown, StoredEvent,
};
use bstr::ByteSlice;

/// How many bytes of one host string a sentence takes; the fields of the entry have more of it.
const BYTES_MAX: usize = 300;

/// The event in words. Never longer than a few hundred characters, never with a character that a terminal would obey.
pub(crate) fn sentence(event: &StoredEvent) -> String {
    let mut line = String::new();
    let process = event.event.process.as_deref();
    let written = match &event.event.activity {
        Activity::Exec(exec) => exec_line(&mut line, process, exec),
        Activity::Fork { child } => write!(line, "{} made the child process {}", Actor(process), child.pid),
        Activity::Exit { code, signal: 0 } => write!(line, "{} ended with exit code {code}", Actor(process)),
        Activity::Exit { signal, .. } => write!(line, "{} was ended by signal {signal}", Actor(process)),
        Activity::File(file) => file_line(&mut line, process, file),
        Activity::Network(network) => network_line(&mut line, process, network),
        Activity::SetCredentials { before } => credentials_line(&mut line, process, before),
        Activity::ExecFailed(failed) => {
            write!(line, "{} could not start {} (error {})", Actor(process), Brief(&failed.path), failed.error)
        }
        Activity::SetName { before } => {
            let name = process.map_or(&b""[..], |process| &process.comm);
            write!(line, "{} gave itself the name {}, before {}", Actor(process), Brief(name), Brief(before))
        }
        Activity::Mount(_) | Activity::SetCapabilities { .. } | Activity::Namespace(_) => {
            rare::privilege(&mut line, process, &event.event.activity)
        }
        Activity::Tamper(tamper) => rare::tamper(&mut line, process, tamper),
        Activity::IoUring(ring) => rare::ring(&mut line, process, ring),
        Activity::Dns(dns) => name::dns(&mut line, process, dns),
        Activity::Tls(hello) => name::hello(&mut line, process, hello),
        Activity::Authentication(authentication) => name::authentication(&mut line, process, authentication),
        Activity::ShellLine { line: typed } => write!(line, "{} was given the line {}", Actor(process), Brief(typed)),
        Activity::Log(log) => log_line(&mut line, log),
        Activity::Suppressed(left) => rare::suppressed(&mut line, process, *left),
    };
    written.expect("writing to a String does not fail");
    line
}

/// Host bytes, escaped, and cut when they are long.
pub(crate) struct Brief<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match cut(self.0, BYTES_MAX) {
            (head, 0) => Shown(head).fmt(f),
            (head, rest) => write!(f, "{}… ({rest} bytes more)", Shown(head)),
        }
    }
}

/// The first `bytes_max` bytes, less a character cut in two, and how many bytes follow.
pub(super) fn cut(bytes: &[u8], bytes_max: usize) -> (&[u8], usize) {
    if bytes.len() <= bytes_max {
        return (bytes, 0);
    }
    // Only a character that the cut itself broke is taken away: at most three bytes at the very end.
    let end = (bytes_max.saturating_sub(3)..=bytes_max)
        .rev()
        .find(|end| bytes.get(*end).is_some_and(|byte| !(0x80..0xc0).contains(byte)))
        .unwrap_or(bytes_max);
    (&bytes[..end], bytes.len() - end)
}

/// `nginx (pid 812)`.
struct Actor<'a>(Option<&'a Process>);

impl fmt::Display for Actor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(process) => named(f, &process.executable, &process.comm, process.pid),
            None => f.write_str("an unknown process"),
        }
    }
}

struct Parent<'a>(&'a Ancestor);

impl fmt::Display for Parent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        named(f, &self.0.executable, &self.0.comm, self.0.pid)
    }
}

fn named(f: &mut fmt::Formatter<'_>, executable: &[u8], comm: &[u8], pid: u32) -> fmt::Result {
    let name = base_name(executable);
    let name = if name.is_empty() { comm } else { name };
    write!(f, "{} (pid {pid})", Brief(if name.is_empty() { b"a process" } else { name }))
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit_str("/").next().unwrap_or(path)
}

fn exec_line(line: &mut String, process: Option<&Process>, exec: &Exec) -> fmt::Result {
    let Some(process) = process else { return line.write_str("an unknown process started a program") };
    let became = match (process.parent(), &exec.previous_executable) {
        // A child starts as a copy of its parent, so the parent is who started the program.
        (Some(parent), None) => write!(line, "{} started ", Parent(parent)).map(|()| false),
        (Some(parent), Some(before)) if *before == parent.executable => {
            write!(line, "{} started ", Parent(parent)).map(|()| false)
        }
        (_, Some(before)) => write!(line, "{} (pid {}) became ", Brief(base_name(before)), process.pid).map(|()| true),
        (None, None) => line.write_str("something started ").map(|()| false),
    }?;
    command(line, process)?;
    if !became {
        write!(line, " (pid {})", process.pid)?;
    }
    for (holds, remark) in [
        (exec.image.memfd, ", a program that exists in memory only"),
        (exec.image.deleted && !exec.image.memfd, ", a program whose file is deleted"),
        (exec.image.setuid, ", a set-uid program"),
    ] {
        if holds {
            line.write_str(remark)?;
        }
    }
    match &exec.script {
        Some(script) => write!(line, ", to run the script {}", Brief(script)),
        None => Ok(()),
    }
}

/// The program by its true path, its arguments, and what it calls itself where that is another name.
fn command(line: &mut String, process: &Process) -> fmt::Result {
    let executable = if process.executable.is_empty() { &process.comm } else { &process.executable };
    write!(line, "{}", Brief(executable))?;
    let (name, rest) = process.args.split_first().map_or((None, &[][..]), |(name, rest)| (Some(name), rest));
    if !rest.is_empty() {
        write!(line, " {}", Brief(&bstr::join(" ", rest)))?;
    }
    if process.args_cut {
        line.write_str("…")?;
    }
    match name {
        Some(name) if base_name(name) != base_name(executable) => write!(line, " under the name {}", Brief(name)),
        _ => Ok(()),
    }
}

fn file_line(line: &mut String, process: Option<&Process>, file: &FileActivity) -> fmt::Result {
    let (actor, path) = (Actor(process), Brief(&file.path));
    match (file.operation, &file.previous_path, file.mode) {
        (FileOperation::Create, _, _) => write!(line, "{actor} created {path}"),
        (FileOperation::Write, _, _) => write!(line, "{actor} opened {path} for writing"),
        (FileOperation::Read, _, _) => write!(line, "{actor} opened {path} for reading"),
        (FileOperation::Delete, _, _) => write!(line, "{actor} deleted {path}"),
        (FileOperation::Rename, Some(before), _) => write!(line, "{actor} renamed {} to {path}", Brief(before)),
        (FileOperation::Rename, None, _) => write!(line, "{actor} renamed a file to {path}"),
        (FileOperation::Chmod, _, Some(mode)) if mode & 0o111 != 0 => {
            write!(line, "{actor} made {path} executable (mode {mode:04o})")
        }
        (FileOperation::Chmod, _, Some(mode)) => write!(line, "{actor} set the mode of {path} to {mode:04o}"),
        (FileOperation::Chmod, _, None) => write!(line, "{actor} changed the mode of {path}"),
        (FileOperation::Chown, ..) => {
            let owner = file.owner.unwrap_or_default();
            let to = [("user", owner.uid), ("group", owner.gid)].map(|(kind, id)| id.map(|id| format!("{kind} {id}")));
            let to = to.into_iter().flatten().collect::<Vec<_>>().join(" and ");
            write!(line, "{actor} gave {path} to {}", if to.is_empty() { "nobody else" } else { &to })
        }
        (FileOperation::CloseWrite, ..) => write!(line, "{actor} finished writing {path}"),
        (FileOperation::Link, Some(other), _) => write!(line, "{actor} gave {} the further name {path}", Brief(other)),
        (FileOperation::Link, None, _) => write!(line, "{actor} gave a file the further name {path}"),
        (FileOperation::Symlink, Some(to), _) => write!(line, "{actor} made {path} a link to {}", Brief(to)),
        (FileOperation::Symlink, None, _) => write!(line, "{actor} made the link {path}"),
        (FileOperation::Truncate, ..) => write!(line, "{actor} cut {path} short"),
        (FileOperation::SetAttribute, ..) => match &file.attribute {
            Some(attribute) => write!(line, "{actor} changed the attribute {} of {path}", Brief(attribute)),
            None => write!(line, "{actor} changed an attribute of {path}"),
        },
    }
}

fn network_line(line: &mut String, process: Option<&Process>, network: &NetworkActivity) -> fmt::Result {
    let (actor, local) = (Actor(process), network.local);
    let transport = match network.transport {
        bongsu_event::Transport::Tcp => "TCP",
        bongsu_event::Transport::Udp => "UDP",
    };
    let result = match network.result {
        None | Some(ConnectResult::Established) => "",
        Some(ConnectResult::Refused) => ", which was refused",
        Some(ConnectResult::TimedOut) => ", which nobody answered",
        Some(ConnectResult::Unreachable) => ", to which there was no way",
        Some(ConnectResult::GivenUp) => ", and gave up",
    };
    match (network.operation, network.remote) {
        (NetworkOperation::Connect, Some(remote)) if !result.is_empty() => {
            write!(line, "{actor} tried to connect to {remote} over {transport}{result}")
        }
        (NetworkOperation::Connect, Some(remote)) => write!(line, "{actor} connected to {remote} over {transport}"),
        (NetworkOperation::Connect, None) => write!(line, "{actor} connected to an unknown address over {transport}"),
        (NetworkOperation::Accept, Some(remote)) => {
            write!(line, "{actor} accepted a {transport} connection from {remote} on {local}")
        }
        (NetworkOperation::Accept, None) => write!(line, "{actor} accepted a {transport} connection on {local}"),
        (NetworkOperation::Listen, _) => write!(line, "{actor} began to listen on {local} over {transport}"),
        (NetworkOperation::Bind, _) => write!(line, "{actor} took the address {local} for {transport}"),
        (NetworkOperation::Close, remote) => {
            let traffic = network.traffic.unwrap_or_default();
            let remote = remote.map_or_else(|| "an unknown address".to_owned(), |remote| remote.to_string());
            let seconds = traffic.lasted_ns / 1_000_000_000;
            let (sent, received) = (traffic.sent, traffic.received);
            write!(
                line,
                "{actor} closed the {transport} connection with {remote} after {seconds} s: {sent} bytes sent, {received} received"
            )
        }
        (NetworkOperation::Send | NetworkOperation::Receive, remote) => {
            let way = if network.operation == NetworkOperation::Send { "sent to" } else { "received from" };
            let remote = remote.map_or_else(|| "an unknown address".to_owned(), |remote| remote.to_string());
            write!(line, "{actor} {way} {remote} over {transport}")
        }
    }
}

fn credentials_line(line: &mut String, process: Option<&Process>, before: &bongsu_event::Credentials) -> fmt::Result {
    let actor = Actor(process);
    let Some(after) = process.map(|process| &process.credentials) else {
        return write!(line, "{actor} changed its user from {}", User(&before.effective));
    };
    if before.effective.id != after.effective.id {
        let (before, after) = (User(&before.effective), User(&after.effective));
        write!(line, "{actor} took the rights of {after}, having had those of {before}")
    } else if before.real.id != after.real.id {
        write!(line, "{actor} changed its real user from {} to {}", User(&before.real), User(&after.real))
    } else if (before.gid, before.egid) != (after.gid, after.egid) {
        write!(line, "{actor} changed its group from {} to {}", before.egid, after.egid)
    } else {
        write!(line, "{actor} set its user to {} once more", User(&after.effective))
    }
}

/// The account's name, or its number where it has none.
pub(super) struct User<'a>(pub(super) &'a Account);

impl fmt::Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.name {
            Some(name) if !name.is_empty() => Brief(name).fmt(f),
            _ => write!(f, "uid {}", self.0.id),
        }
    }
}

fn log_line(line: &mut String, log: &Log) -> fmt::Result {
    match &log.meaning {
        Some(LogMeaning::Login(login)) => login_line(line, login),
        Some(LogMeaning::Elevation { outcome, user, target, command }) => {
            let (user, target) = (Brief(user), Brief(target));
            match (outcome, command) {
                (Outcome::Success, Some(command)) => write!(line, "{user} ran {} as {target}", Brief(command)),
                (Outcome::Success, None) => write!(line, "{user} became {target}"),
                (Outcome::Failure, Some(command)) => {
                    write!(line, "{user} was refused to run {} as {target}", Brief(command))
                }
                (Outcome::Failure, None) => write!(line, "{user} was refused to become {target}"),
            }
        }
        None => match &log.program {
            Some(program) => write!(line, "{} wrote: {}", Brief(program), Brief(&log.message)),
            None => write!(line, "{} got the line: {}", Brief(&log.path), Brief(&log.message)),
        },
    }
}

fn login_line(line: &mut String, login: &Login) -> fmt::Result {
    match login.outcome {
        Outcome::Success => write!(line, "{} logged in", Brief(&login.user))?,
        Outcome::Failure => write!(line, "{} failed to log in", Brief(&login.user))?,
    }
    if let Some(source) = login.source {
        write!(line, " from {source}")?;
    }
    match &login.method {
        Some(method) => write!(line, " by {}", Brief(method)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
