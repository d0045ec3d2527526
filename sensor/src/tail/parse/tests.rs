use bongsu_event::{Activity, Log, LogMeaning, Login, Outcome, Timestamp};
use jiff::tz::{self, TimeZone};
use proptest::{collection::vec, prelude::*};

use super::event;

fn at(text: &str) -> Timestamp {
    let time: jiff::Timestamp = text.parse().unwrap();
    Timestamp(i64::try_from(time.as_nanosecond()).unwrap())
}

fn log(line: &str) -> Log {
    let event = event(b"/var/log/auth.log", line.into(), at("2026-11-22T10:00:00Z"), &TimeZone::UTC);
    match event.activity {
        Activity::Log(log) => log,
        other => panic!("{other:?}"),
    }
}

fn meaning(program: &str, text: &str) -> Option<LogMeaning> {
    log(&format!("Nov 22 09:59:59 web-1 {program}[42]: {text}")).meaning
}

#[test]
fn times_of_lines() {
    let zone = TimeZone::fixed(tz::offset(1));
    let cases = [
        ("Nov 22 09:11:12 h p: x", "2026-11-22T09:11:12Z", "2026-11-22T08:11:12Z"),
        ("Nov  2 09:11:12 h p: x", "2026-11-22T09:11:12Z", "2026-11-02T08:11:12Z"),
        // Read on New Year's day: last year's line. Read shortly before: next year's line, from a clock ahead.
        ("Dec 31 23:59:59 h p: x", "2027-01-01T00:00:00Z", "2026-12-31T22:59:59Z"),
        ("Jan  1 00:00:01 h p: x", "2026-12-31T22:00:00Z", "2026-12-31T23:00:01Z"),
        // 29 February of a year that has one.
        ("Feb 29 12:00:00 h p: x", "2028-03-01T00:00:00Z", "2028-02-29T11:00:00Z"),
        ("<38>2026-11-22T09:11:12.5+01:00 h p: x", "2026-11-22T09:00:00Z", "2026-11-22T08:11:12.5Z"),
        ("2026-11-22T09:11:12Z h p: x", "2026-11-22T09:11:12Z", "2026-11-22T09:11:12Z"),
        // Not believed: too far off, or no time at all.
        ("2040-01-01T00:00:00Z h p: x", "2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
        ("1999-01-01T00:00:00Z h p: x", "2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
        ("Nov 31 09:11:12 h p: x", "2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
        ("Nov 22 29:11:12 h p: x", "2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
        ("no time here", "2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"),
    ];
    for (line, now, expected) in cases {
        assert_eq!(event(b"/l", line.into(), at(now), &zone).time, at(expected), "{line}");
    }
}

#[test]
fn the_program_is_what_the_line_says() {
    let cases = [
        ("Nov 22 09:11:12 h sshd[1]: x", Some("sshd")),
        ("Nov 22 09:11:12 h kernel: x", Some("kernel")),
        ("2026-11-22T09:11:12Z h a-b/c: x", Some("a-b/c")),
        ("Nov 22 09:11:12 h", None),
        ("Nov 22 09:11:12 h sshd[1 x", None),
        ("Nov 22 09:11:12 last message repeated 2 times", None),
        ("", None),
    ];
    for (line, program) in cases {
        assert_eq!(log(line).program, program.map(Into::into), "{line}");
        assert_eq!(log(line).message, line);
    }
}

fn login(
    outcome: Outcome,
    user: &str,
    source: Option<&str>,
    port: Option<u16>,
    method: Option<&str>,
) -> Option<LogMeaning> {
    Some(LogMeaning::Login(Login {
        outcome,
        user: user.into(),
        source: source.map(|source| source.parse().unwrap()),
        source_port: port,
        method: method.map(Into::into),
    }))
}

#[test]
fn sshd_lines() {
    use Outcome::{Failure, Success};
    let cases = [
        (
            "Failed password for root from 10.0.0.1 port 22 ssh2",
            login(Failure, "root", Some("10.0.0.1"), Some(22), Some("password")),
        ),
        (
            "Failed password for invalid user bob from ::1 port 9 ssh2",
            login(Failure, "bob", Some("::1"), Some(9), Some("password")),
        ),
        (
            "Failed none for invalid user  from 10.0.0.1 port 22 ssh2",
            login(Failure, "", Some("10.0.0.1"), Some(22), Some("none")),
        ),
        (
            "Failed keyboard-interactive/pam for alice from 10.0.0.1 port 22 ssh2",
            login(Failure, "alice", Some("10.0.0.1"), Some(22), Some("keyboard-interactive/pam")),
        ),
        (
            "Accepted password for alice from 10.0.0.1 port 22 ssh2",
            login(Success, "alice", Some("10.0.0.1"), Some(22), Some("password")),
        ),
        (
            "Accepted publickey for alice from 10.0.0.1 port 22 ssh2: ED25519 SHA256:abc",
            login(Success, "alice", Some("10.0.0.1"), Some(22), Some("publickey")),
        ),
        (
            "Failed password for root from UNKNOWN port 65535 ssh2",
            login(Failure, "root", None, Some(65535), Some("password")),
        ),
        // The user name is hostile: the address is sshd's, not the peer's.
        (
            "Failed password for invalid user root from 1.2.3.4 port 22 ssh2 from 6.6.6.6 port 1 ssh2",
            login(Failure, "root from 1.2.3.4 port 22 ssh2", Some("6.6.6.6"), Some(1), Some("password")),
        ),
        (
            "Failed password for invalid user x for root from 1.2.3.4 from 6.6.6.6 port 1 ssh2",
            login(Failure, "x for root from 1.2.3.4", Some("6.6.6.6"), Some(1), Some("password")),
        ),
        (
            "message repeated 2 times: [ Failed password for root from 10.0.0.1 port 22 ssh2]",
            login(Failure, "root", Some("10.0.0.1"), Some(22), Some("password")),
        ),
        ("message repeated 2 times: [ Failed password for root from 10.0.0.1 port 22 ssh2", None),
        ("message repeated x times: [ Accepted password for root from 10.0.0.1 port 22 ssh2]", None),
        ("Invalid user admin from 10.0.0.1 port 22", login(Failure, "admin", Some("10.0.0.1"), Some(22), None)),
        (
            "Invalid user a from 1.1.1.1 port 2 from 6.6.6.6 port 1",
            login(Failure, "a from 1.1.1.1 port 2", Some("6.6.6.6"), Some(1), None),
        ),
        (
            "Connection closed by authenticating user root 10.0.0.1 port 22 [preauth]",
            login(Failure, "root", Some("10.0.0.1"), Some(22), Some("preauth")),
        ),
        (
            "Disconnected from invalid user x 9.9.9.9 port 1 6.6.6.6 port 22 [preauth]",
            login(Failure, "x 9.9.9.9 port 1", Some("6.6.6.6"), Some(22), Some("preauth")),
        ),
        ("Connection closed by 10.0.0.1 port 22 [preauth]", None),
        ("Failed password for root from 10.0.0.1 port 99999 ssh2", None),
        ("Failed password for root from nowhere port 1 ssh2", None),
        ("Accepted password for root", None),
        ("Server listening on 0.0.0.0 port 22.", None),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.0.0.1  user=root",
            None,
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(meaning("sshd", text), expected, "{text}");
        assert_eq!(meaning("sshd-session", text), expected, "{text}");
        assert_eq!(meaning("evil", text), None, "only sshd says what sshd says: {text}");
    }
}

fn elevation(outcome: Outcome, user: &str, target: &str, command: Option<&str>) -> Option<LogMeaning> {
    let command = command.map(Into::into);
    Some(LogMeaning::Elevation { outcome, user: user.into(), target: target.into(), command })
}

#[test]
fn sudo_lines() {
    use Outcome::{Failure, Success};
    let cases = [
        (
            "   bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/id -u",
            elevation(Success, "bob", "root", Some("/usr/bin/id -u")),
        ),
        ("bob : PWD=/ ; USER=www ; COMMAND=/bin/ls", elevation(Success, "bob", "www", Some("/bin/ls"))),
        (
            "bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            elevation(Failure, "bob", "root", Some("/bin/sh")),
        ),
        (
            "bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            elevation(Failure, "bob", "root", Some("/bin/sh")),
        ),
        // A directory that would hide the change to root.
        (
            "bob : TTY=pts/0 ; PWD=/x ; USER=bob ; COMMAND=/bin/ls ; USER=root ; COMMAND=/bin/sh",
            elevation(Success, "bob", "root", Some("/bin/ls ; USER=root ; COMMAND=/bin/sh")),
        ),
        ("pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1000)", None),
        ("nothing", None),
    ];
    for (text, expected) in cases {
        assert_eq!(meaning("sudo", text), expected, "{text}");
    }
}

#[test]
fn su_lines() {
    use Outcome::{Failure, Success};
    let cases = [
        ("(to root) bob on pts/1", elevation(Success, "bob", "root", None)),
        ("FAILED SU (to root) bob on pts/1", elevation(Failure, "bob", "root", None)),
        ("Successful su for root by bob", elevation(Success, "bob", "root", None)),
        ("FAILED su for root by bob", elevation(Failure, "bob", "root", None)),
        ("pam_unix(su:session): session opened for user root(uid=0) by bob(uid=1000)", None),
    ];
    for (text, expected) in cases {
        assert_eq!(meaning("su", text), expected, "{text}");
    }
}

#[test]
fn pam_lines() {
    use Outcome::{Failure, Success};
    let cases = [
        (
            "pam_unix(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=tty1 ruser= rhost=  user=bob",
            login(Failure, "bob", None, None, None),
        ),
        (
            "pam_unix(login:session): session opened for user bob(uid=1000) by LOGIN(uid=0)",
            login(Success, "bob", None, None, Some("login")),
        ),
        ("pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)", None),
        ("pam_unix(login:session): session closed for user bob", None),
    ];
    for (text, expected) in cases {
        assert_eq!(meaning("login", text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_line_panics(line in vec(any::<u8>(), 0..200), program in "sshd|sudo|su|login", text in "(Failed|Accepted|Invalid user|for|from|port|ssh2|USER=|COMMAND=| ; | : |TTY=|[0-9.: a-z\\[\\]()])*") {
        let zone = TimeZone::UTC;
        prop_assert_eq!(event(b"/l", line, Timestamp(0), &zone).process, None);
        let line = format!("Nov 22 09:59:59 h {program}[1]: {text}");
        let now = Timestamp(i64::MAX);
        prop_assert!(event(b"/l", line.into(), now, &zone).time <= now);
    }
}
