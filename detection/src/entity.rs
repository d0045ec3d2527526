//! Who and what an event involves, and how bytes from a host are shown in the words of a finding.

use std::{collections::BTreeSet, net::IpAddr};

use bongsu_event::{Activity, Ancestor, Event, LogMeaning, Process, Shown};
use bstr::ByteSlice;

use crate::Entity;

/// Programs that stand above unrelated work on the same host: an ancestor from there upwards says nothing.
const SHARED: [&[u8]; 14] = [
    b"systemd",
    b"init",
    b"kthreadd",
    b"sshd",
    b"cron",
    b"crond",
    b"containerd-shim",
    b"containerd-shim-runc-v2",
    b"dockerd",
    b"conmon",
    b"tini",
    b"dumb-init",
    b"gdm",
    b"agetty",
];

/// The entities of one event.
///
/// Users are the accounts that acted, not those whose rights they were given: that is nearly always root, and would join
/// everything on a host.
#[must_use]
pub fn entities(event: &Event) -> BTreeSet<Entity> {
    let mut found = BTreeSet::new();
    if let Some(process) = event.process.as_deref() {
        of_process(process, &mut found);
    }
    match &event.activity {
        Activity::Exec(exec) => {
            let image = event.process.as_deref().map(|process| &process.executable);
            found.extend(image.into_iter().chain(&exec.script).cloned().map(Entity::File));
        }
        Activity::File(file) => {
            found.insert(Entity::File(file.path.clone()));
            found.extend(file.previous_path.iter().cloned().map(Entity::File));
        }
        Activity::Mount(mount) => {
            found.insert(Entity::File(mount.target.clone()));
        }
        Activity::Network(network) => {
            found.extend(network.remote.map(|remote| Entity::Address(remote.ip().to_canonical())));
        }
        Activity::Tls(hello) => {
            found.insert(Entity::Address(hello.remote.ip().to_canonical()));
        }
        Activity::IoUring(ring) => {
            found.extend(ring.path.iter().cloned().map(Entity::File));
            found.extend(ring.remote.map(|remote| Entity::Address(remote.ip().to_canonical())));
        }
        Activity::Tamper(tamper) => {
            found.extend(tamper.target.as_ref().map(|target| Entity::Process(target.key)));
        }
        Activity::Authentication(authentication) => {
            found.insert(Entity::User(authentication.user.clone()));
            let address =
                authentication.remote_host.as_ref().and_then(|host| host.to_str().ok()?.parse::<IpAddr>().ok());
            found.extend(address.map(|address| Entity::Address(address.to_canonical())));
        }
        Activity::SetCredentials { before } => found.extend(before.real.name.iter().cloned().map(Entity::User)),
        Activity::Log(log) => match &log.meaning {
            Some(LogMeaning::Login(login)) => {
                found.insert(Entity::User(login.user.clone()));
                found.extend(login.source.map(|source| Entity::Address(source.to_canonical())));
            }
            Some(LogMeaning::Elevation { user, .. }) => {
                found.insert(Entity::User(user.clone()));
            }
            None => {}
        },
        // A resolver is nobody's accomplice: who shares one has nothing in common.
        Activity::Dns(_)
        | Activity::Fork { .. }
        | Activity::Exit { .. }
        | Activity::ExecFailed(_)
        | Activity::SetName { .. }
        | Activity::SetCapabilities { .. }
        | Activity::Namespace(_)
        | Activity::ShellLine { .. }
        | Activity::Suppressed(_) => {}
    }
    found
}

fn of_process(process: &Process, found: &mut BTreeSet<Entity>) {
    found.insert(Entity::Process(process.key));
    let shared = |above: &Ancestor| above.pid <= 2 || SHARED.contains(&base_name(&above.executable));
    found.extend(process.ancestors.iter().take_while(|above| !shared(above)).map(|above| Entity::Ancestor(above.key)));
    let accounts = [Some(&process.credentials.real), process.credentials.login.as_ref()];
    found.extend(accounts.into_iter().flatten().filter_map(|account| account.name.clone()).map(Entity::User));
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit_str("/").next().unwrap_or(path)
}

/// How many characters of a host's text a reason shows.
const SHOWN_MAX: usize = 160;

/// Bytes from a host as a person may read them, as [`Shown`] escapes them; cut when long.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    match bytes.char_indices().nth(SHOWN_MAX) {
        Some((end, ..)) => format!("{}…", Shown(&bytes[..end])),
        None => Shown(bytes).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_bytes_are_shown_escaped_and_cut() {
        assert_eq!(shown(b"/bin/sh -c '\x1b[2J'"), "/bin/sh -c '\\x1b[2J'");
        assert_eq!(shown(b"a\xffb\n"), "a\\xffb\\x0a");
        assert_eq!(shown("봉수".as_bytes()), "봉수");
        assert_eq!(shown(&[b'a'; 500]).chars().count(), SHOWN_MAX + 1);
    }
}
