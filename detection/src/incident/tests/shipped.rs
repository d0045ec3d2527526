//! The demo's attack as the sensor tells it, through the shipped rules, into one incident.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use bongsu_event::{
    Account, Activity, Ancestor, Credentials, Event, Exec, FileActivity, FileOperation, ImageTraits, Log, LogMeaning,
    Login, NetworkActivity, NetworkOperation, Outcome, Process, StoredEvent, Transport,
};

use super::*;
use crate::{Engine, shipped};

const FOLDER: &str = "/tmp/bongsu-demo";
const TICKS: u64 = 8_640_000;

/// A host whose events are numbered and a tenth of a second apart.
struct Told {
    seq: u64,
    events: Vec<StoredEvent>,
}

fn account(name: &str) -> Account {
    let id = match name {
        "root" => 0,
        "backup" => 34,
        _ => 1000,
    };
    Account { id, name: Some(name.into()) }
}

/// A process under its parents, nearest first, started so many ticks into the story; the older ones are days old.
fn under(pid: u32, executable: &str, arguments: &[&str], user: &str, parents: &[&Process]) -> Process {
    let above = |parent: &&Process| Ancestor {
        key: parent.key,
        pid: parent.pid,
        comm: parent.comm.clone(),
        executable: parent.executable.clone(),
        args: parent.args.clone(),
        user: parent.credentials.real.clone(),
    };
    Process {
        key: ProcessKey { boot: 1, pid, start: if pid < 1000 { u64::from(pid) } else { TICKS + u64::from(pid) } },
        pid,
        start: Timestamp(0),
        comm: "comm".into(),
        executable: executable.into(),
        args: arguments.iter().map(|argument| (*argument).into()).collect(),
        args_cut: false,
        cwd: "/".into(),
        credentials: Credentials { real: account(user), effective: account(user), ..Credentials::default() },
        container: None,
        context: bongsu_event::Context::default(),
        ancestors: parents.iter().map(above).collect(),
    }
}

impl Told {
    fn add(&mut self, process: Option<&Process>, activity: Activity) {
        self.seq += 1;
        let time = Timestamp(1_700_000_000_000_000_000 + i64::try_from(self.seq).unwrap() * 100_000_000);
        self.events.push(StoredEvent {
            id: event(self.seq),
            host: Arc::new("web-1".into()),
            event: Event { time, process: process.cloned().map(Arc::new), activity },
        });
    }

    fn exec(&mut self, process: &Process, image: ImageTraits, script: Option<&str>) {
        let script = script.map(Into::into);
        self.add(Some(process), Activity::Exec(Exec { image, script, ..Exec::default() }));
    }

    fn file(&mut self, process: &Process, operation: FileOperation, path: &str, mode: Option<u32>) {
        self.add(Some(process), Activity::File(FileActivity { mode, ..FileActivity::new(operation, path.into()) }));
    }

    fn login(&mut self, outcome: Outcome) {
        let login = Login {
            outcome,
            user: "backup".into(),
            source: Some([203, 0, 113, 7].into()),
            source_port: Some(40_000),
            method: Some("password".into()),
        };
        let log = Log {
            path: "/var/log/auth.log".into(),
            program: Some("sshd".into()),
            message: "a password for backup from 203.0.113.7 port 40000 ssh2".into(),
            meaning: Some(LogMeaning::Login(login)),
        };
        self.add(None, Activity::Log(log));
    }
}

fn attack(told: &mut Told, sudo: impl FnOnce(&mut Told)) {
    let in_folder = |name: &str| format!("{FOLDER}/{name}");
    for _ in 0..6 {
        told.login(Outcome::Failure);
    }
    told.login(Outcome::Success);
    let init = under(1, "/usr/lib/systemd/systemd", &[], "root", &[]);
    let nginx = under(700, &in_folder("nginx"), &["nginx"], "backup", &[&init]);
    let shell = under(5001, "/usr/bin/dash", &["/bin/sh", "-c", "id; chmod +x stage.sh"], "backup", &[&nginx, &init]);
    told.exec(&shell, ImageTraits::default(), None);
    let stage = in_folder("stage.sh");
    told.file(&shell, FileOperation::Create, &stage, Some(0o644));
    let chmod = under(5002, "/usr/bin/chmod", &["chmod", "+x", &stage], "backup", &[&shell, &nginx, &init]);
    told.exec(&chmod, ImageTraits::default(), None);
    told.file(&chmod, FileOperation::Chmod, &stage, Some(0o755));
    sudo(told);
    let script = under(5003, "/usr/bin/dash", &["/bin/sh", &stage], "backup", &[&shell, &nginx, &init]);
    told.exec(&script, ImageTraits::default(), Some(&stage));
    let loader = under(5004, &in_folder("loader"), &["loader"], "backup", &[&script, &shell, &nginx, &init]);
    told.exec(&loader, ImageTraits::default(), None);
    let implant = Process { executable: "/memfd:kworker".into(), ..loader };
    told.exec(&implant, ImageTraits { memfd: true, deleted: true, setuid: false, upper_layer: false }, None);
    let home: SocketAddr = ([127, 0, 0, 1], 4444).into();
    let (operation, transport) = (NetworkOperation::Connect, Transport::Tcp);
    let local = ([127, 0, 0, 1], 50_000).into();
    told.add(Some(&implant), Activity::Network(NetworkActivity::new(operation, transport, local, Some(home))));
    let above = [&implant, &script, &shell, &nginx, &init];
    let mut helper = under(5005, &in_folder("backup-helper"), &["backup-helper"], "backup", &above);
    helper.credentials.effective = account("root");
    told.exec(&helper, ImageTraits { setuid: true, ..ImageTraits::default() }, None);
    told.file(&helper, FileOperation::Read, "/etc/shadow", None);
}

/// An administrator becomes root from a shell of hours, in the midst of it.
fn administrator(told: &mut Told) {
    let bash = under(900, "/usr/bin/bash", &["-bash"], "kim", &[]);
    let mut sudo = under(6000, "/usr/bin/sudo", &["sudo", "-i"], "kim", &[&bash]);
    sudo.credentials.effective = account("root");
    told.exec(&sudo, ImageTraits { setuid: true, ..ImageTraits::default() }, None);
}

#[test]
fn the_demo_is_one_incident_by_the_shipped_rules() {
    let mut told = Told { seq: 0, events: Vec::new() };
    attack(&mut told, administrator);
    let mut engine = Engine::load(&shipped()).engine;
    let mut findings = Vec::new();
    for event in &told.events {
        engine.observe(event, &mut findings);
    }
    engine.settle(&mut findings);
    let (of_kim, of_attack): (Vec<_>, Vec<_>) =
        findings.iter().cloned().partition(|finding| finding.entities.contains(&user("kim")));
    let titles: BTreeSet<&str> = of_attack.iter().map(|finding| finding.title.as_str()).collect();
    for expected in ["Password guessed, then root", "Web server started a shell", "Program run from memory"] {
        assert!(titles.contains(expected), "{expected} in {titles:?}");
    }
    let mut grouper = grouper();
    let (groups, pending) = partition(&mut grouper, &findings);
    let mut expected: Vec<FindingId> = of_attack.iter().map(|finding| finding.id).collect();
    expected.sort_unstable();
    let story: Vec<_> =
        findings.iter().map(|finding| (finding.title.as_str(), grouper.place(finding).incident)).collect();
    assert!(groups.contains(&expected), "one incident of the attack: {story:?}");
    assert!(pending.iter().all(|id| of_kim.iter().any(|finding| finding.id == *id)), "{story:?}");
}
