use bongsu_event::{
    Activity, Credentials, Exec, FileActivity, FileOperation, ImageTraits, Log, LogMeaning, Login, NetworkActivity,
    NetworkOperation, Outcome, ProcessKey, Transport,
};

use super::*;
use crate::view::testing::{account, acts, ancestor, exec, login, process, stored};

fn says(event: bongsu_event::Event) -> String {
    sentence(&stored(1, 0, event))
}

fn nginx(activity: Activity) -> String {
    says(acts(process(812, "/usr/sbin/nginx", &["nginx: worker process"]), activity))
}

fn file(operation: FileOperation, path: &[u8], previous: Option<&str>, mode: Option<u32>) -> Activity {
    Activity::File(FileActivity {
        previous_path: previous.map(Into::into),
        mode,
        ..FileActivity::new(operation, path.into())
    })
}

fn network(operation: NetworkOperation, remote: Option<&str>) -> Activity {
    let (local, remote) = ("[::1]:80".parse().unwrap(), remote.map(|remote| remote.parse().unwrap()));
    Activity::Network(NetworkActivity::new(operation, Transport::Tcp, local, remote))
}

fn log(meaning: LogMeaning) -> bongsu_event::Event {
    let log = Log { path: "/var/log/auth.log".into(), program: None, message: "line".into(), meaning: Some(meaning) };
    bongsu_event::Event { time: bongsu_event::Timestamp(0), process: None, activity: Activity::Log(log) }
}

fn elevation(outcome: Outcome, command: Option<&str>) -> bongsu_event::Event {
    let command = command.map(Into::into);
    log(LogMeaning::Elevation { outcome, user: "backup".into(), target: "root".into(), command })
}

#[test]
fn every_kind_of_event_reads_as_a_sentence() {
    let set = |effective| Credentials { effective, ..process(1, "", &[]).credentials };
    let child = ProcessKey { boot: 1, pid: 900, start: 9 };
    let mut admitted = Login {
        outcome: Outcome::Success,
        user: "backup".into(),
        source: Some([203, 0, 113, 7].into()),
        source_port: None,
        method: Some("publickey".into()),
    };
    let cases = [
        (says(exec("/bin/sh")), "nginx (pid 812) started /bin/sh -c id (pid 813)"),
        (nginx(Activity::Fork { child }), "nginx (pid 812) made the child process 900"),
        (nginx(Activity::Exit { code: 3, signal: 0 }), "nginx (pid 812) ended with exit code 3"),
        (nginx(Activity::Exit { code: 0, signal: 9 }), "nginx (pid 812) was ended by signal 9"),
        (nginx(file(FileOperation::Create, b"/tmp/x", None, None)), "nginx (pid 812) created /tmp/x"),
        (nginx(file(FileOperation::Write, b"/tmp/x", None, None)), "nginx (pid 812) opened /tmp/x for writing"),
        (
            nginx(file(FileOperation::Read, b"/etc/shadow", None, None)),
            "nginx (pid 812) opened /etc/shadow for reading",
        ),
        (nginx(file(FileOperation::Delete, b"/tmp/x", None, None)), "nginx (pid 812) deleted /tmp/x"),
        (
            nginx(file(FileOperation::Rename, b"/tmp/y", Some("/tmp/x"), None)),
            "nginx (pid 812) renamed /tmp/x to /tmp/y",
        ),
        (
            nginx(file(FileOperation::Chmod, b"/tmp/x", None, Some(0o755))),
            "nginx (pid 812) made /tmp/x executable (mode 0755)",
        ),
        (
            nginx(file(FileOperation::Chmod, b"/tmp/x", None, Some(0o600))),
            "nginx (pid 812) set the mode of /tmp/x to 0600",
        ),
        (
            nginx(network(NetworkOperation::Connect, Some("127.0.0.1:4444"))),
            "nginx (pid 812) connected to 127.0.0.1:4444 over TCP",
        ),
        (
            nginx(network(NetworkOperation::Accept, Some("[2001:db8::7]:5"))),
            "nginx (pid 812) accepted a TCP connection from [2001:db8::7]:5 on [::1]:80",
        ),
        (nginx(network(NetworkOperation::Listen, None)), "nginx (pid 812) began to listen on [::1]:80 over TCP"),
        (
            nginx(Activity::SetCredentials { before: set(account(0, "root")) }),
            "nginx (pid 812) took the rights of www-data, having had those of root",
        ),
        (says(login("backup")), "backup failed to log in from 203.0.113.7 by password"),
        (says(log(LogMeaning::Login(admitted.clone()))), "backup logged in from 203.0.113.7 by publickey"),
        (
            {
                (admitted.source, admitted.method) = (None, None);
                says(log(LogMeaning::Login(admitted)))
            },
            "backup logged in",
        ),
        (says(elevation(Outcome::Success, Some("/bin/sh"))), "backup ran /bin/sh as root"),
        (says(elevation(Outcome::Success, None)), "backup became root"),
        (says(elevation(Outcome::Failure, Some("/bin/sh"))), "backup was refused to run /bin/sh as root"),
    ];
    for (said, expected) in cases {
        assert_eq!(said, expected);
    }
}

#[test]
fn an_exec_tells_what_is_unusual_about_it() {
    let started = |image, script: Option<&str>| Exec { image, script: script.map(Into::into), ..Exec::default() };
    let mut hidden = process(900, "/memfd:x", &["[kworker/0:1]", "-d"]);
    hidden.ancestors = [ancestor(813, "/bin/sh")].into();
    let memfd = ImageTraits { memfd: true, deleted: true, setuid: false, upper_layer: false };
    assert_eq!(
        says(acts(hidden, Activity::Exec(started(memfd, None)))),
        "sh (pid 813) started /memfd:x -d under the name [kworker/0:1] (pid 900), a program that exists in memory only"
    );
    let mut replaced = started(ImageTraits { deleted: true, ..ImageTraits::default() }, Some("/tmp/x.sh"));
    replaced.previous_executable = Some("/usr/bin/env".into());
    assert_eq!(
        says(acts(process(900, "/bin/sh", &["/bin/sh", "/tmp/x.sh"]), Activity::Exec(replaced))),
        "env (pid 900) became /bin/sh /tmp/x.sh, a program whose file is deleted, to run the script /tmp/x.sh"
    );
}

#[test]
fn hostile_bytes_are_shown_and_never_obeyed() {
    let hostile = "/tmp/\u{1b}[2J\u{202e}gpj.<script>\n".as_bytes();
    assert_eq!(
        nginx(file(FileOperation::Create, hostile, None, None)),
        "nginx (pid 812) created /tmp/\\x1b[2J\\u{202e}gpj.<script>\\x0a"
    );
    assert_eq!(nginx(file(FileOperation::Create, b"/tmp/\xff", None, None)), "nginx (pid 812) created /tmp/\\xff");
    let long = nginx(file(FileOperation::Create, &[b'a'; 9_000], None, None));
    assert!(long.ends_with("a… (8700 bytes more)") && long.len() < 400, "{long}");
}

#[test]
fn a_cut_never_breaks_a_character() {
    for length in 0..20 {
        let (head, rest) = cut("봉수대 봉수대".as_bytes(), length);
        assert!(std::str::from_utf8(head).is_ok(), "{length}");
        assert_eq!(head.len() + rest, "봉수대 봉수대".len());
    }
    assert_eq!(cut(&[0x80; 9], 4), (&[0x80; 4][..], 5), "bytes that are no text are cut where they are");
}
