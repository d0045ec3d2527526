//! From a rule's `logsource` to the events it can be about.

use bongsu_event::catalogue::Action::{
    Accept, Connect, DnsAnswer, DnsQuestion, Elevation, Exec, Exit, FileChmod, FileChown, FileCreate, FileDelete,
    FileLink, FileRead, FileRename, FileSetAttribute, FileSymlink, FileTruncate, FileWrite, LoginFailure, LoginSuccess,
};

use super::action::Actions;

/// What a logsource narrows a rule to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    /// The event must have done one of these.
    pub(crate) actions: Actions,
    /// The line must say that one of these wrote it; empty when that does not matter.
    pub(crate) programs: &'static [&'static str],
}

/// The categories of the Sigma taxonomy that a Linux host can have, and `authentication`.
#[rustfmt::skip]
const CATEGORIES: &[(&str, Actions)] = &[
    ("process_creation", Actions::of(&[Exec])),
    ("process_termination", Actions::of(&[Exit])),
    // Sysmon's event 11 is a file made or overwritten; a file also comes to be under a name by a rename.
    ("file_event", Actions::of(&[FileCreate, FileWrite, FileRename, FileLink, FileSymlink])),
    ("file_change", Actions::of(&[FileWrite, FileChmod, FileChown, FileTruncate, FileSetAttribute])),
    ("file_access", Actions::of(&[FileRead])),
    ("file_delete", Actions::of(&[FileDelete])),
    ("file_rename", Actions::of(&[FileRename])),
    ("network_connection", Actions::of(&[Connect, Accept])),
    ("dns_query", Actions::of(&[DnsQuestion, DnsAnswer])),
    ("authentication", Actions::of(&[LoginSuccess, LoginFailure, Elevation])),
];

/// Services that write logs, by the programs that a line of theirs names.
#[rustfmt::skip]
const SERVICES: &[(&str, &[&str])] = &[
    ("auth", &[]),
    ("syslog", &[]),
    ("sshd", &["sshd", "sshd-session", "sshd-auth"]),
    ("sudo", &["sudo"]),
    ("su", &["su"]),
    ("cron", &["cron", "crond", "anacron"]),
    ("clamav", &["clamd", "clamscan", "freshclam"]),
    ("vsftpd", &["vsftpd"]),
    ("guacamole", &["guacd"]),
    ("systemd", &["systemd", "systemd-logind"]),
];

/// The events that a logsource means, or why there can be none.
pub(crate) fn resolve(product: Option<&str>, category: Option<&str>, service: Option<&str>) -> Result<Source, String> {
    if let Some(product) = product.filter(|product| *product != "linux") {
        return Err(format!("no host of this fleet sends events of product {product:?}"));
    }
    match (category, service) {
        (None, None) if product.is_none() => {
            Err("a logsource needs product: linux, a category or a service".to_owned())
        }
        (None, None) => Ok(Source { actions: Actions::ALL, programs: &[] }),
        (Some(category), None) => CATEGORIES
            .iter()
            .find(|(name, _)| *name == category)
            .map(|(_, actions)| Source { actions: *actions, programs: &[] })
            .ok_or_else(|| format!("no sensor sends events of category {category:?}; there are {}", names(CATEGORIES))),
        (None, Some(service)) => SERVICES
            .iter()
            .find(|(name, _)| *name == service)
            .map(|(_, programs)| Source { actions: Actions::LOG, programs })
            .ok_or_else(|| format!("no sensor reads the service {service:?}; there are {}", names(SERVICES))),
        (Some(_), Some(_)) => Err("no event has a category and a service at once: name one of them".to_owned()),
    }
}

fn names<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
