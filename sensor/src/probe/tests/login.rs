//! Logins through the real libpam, whose modules decide as they are told, and lines typed into a real shell.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use bongsu_event::{Activity, Authentication, Event, FileOperation, Outcome};
use bstr::BString;

use super::lab::Lab;
use crate::probe::{Hook, ProbeConfig, library};

/// PAM as programs use it: a conversation that answers every question with a name, and a folder of services made for the test.
const PRELUDE: &str = "import ctypes, os, sys
path, folder = sys.argv[1].encode(), sys.argv[2].encode()
pam, libc = ctypes.CDLL(path), ctypes.CDLL(None)
libc.strdup.restype = libc.calloc.restype = ctypes.c_void_p
class Answer(ctypes.Structure): _fields_ = [('text', ctypes.c_void_p), ('code', ctypes.c_int)]
Talk = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)
class Conversation(ctypes.Structure): _fields_ = [('talk', Talk), ('data', ctypes.c_void_p)]
later = 0
@Talk
def talk(count, questions, answers, data):
    global later
    if later:
        later -= 1
        return 30
    answer = Answer.from_address(libc.calloc(count, 16))
    answer.text = libc.strdup(b'asked')
    answers[0] = ctypes.addressof(answer)
    return 0
conversation = Conversation(talk, None)
def start(service, user=None):
    handle = ctypes.c_void_p()
    assert pam.pam_start_confdir(service, user, ctypes.byref(conversation), folder, ctypes.byref(handle)) == 0
    return handle
def tell(handle, item, text): assert pam.pam_set_item(handle, item, text) == 0
def ask(handle): return pam.pam_authenticate(handle, 0)
def end(handle): assert pam.pam_end(handle, 0) == 0
";

/// A folder with services, and libpam.
struct Ground {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Ground {
    /// `None`, said aloud, where there is no PAM.
    fn new() -> Option<Self> {
        let Some(library) = library::pam().into_iter().find(|path| path.exists()) else {
            println!("skipped: no libpam on this host");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        for (service, module) in [("yes", "pam_permit.so"), ("no", "pam_deny.so")] {
            fs::write(folder.path().join(service), format!("auth required {module}\n")).unwrap();
        }
        Some(Self { folder, library })
    }

    fn python(&self, library: &Path, script: &str) -> Command {
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-I", "-S", "-B", "-c", &format!("{PRELUDE}{script}")]).arg(library).arg(self.folder.path());
        command
    }
}

fn authentications(events: &[Event]) -> Vec<Authentication> {
    let of = |event: &Event| match &event.activity {
        Activity::Authentication(said) => Some(said.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn said(outcome: Outcome, service: &str, user: &str) -> Authentication {
    Authentication { outcome, service: service.into(), user: user.into(), remote_host: None, terminal: None }
}

fn hook(lab: &Lab, name: &str) -> Hook {
    lab.probes.hooks.borrow().iter().find(|hook| hook.name == name).cloned().unwrap()
}

#[test]
fn what_pam_decides_is_told_with_service_account_remote_host_and_terminal() {
    let Some(ground) = Ground::new() else { return };
    let Some(mut lab) = Lab::open() else { return };
    let script = "yes = start(b'YES', b'alice')
tell(yes, 4, b'192.0.2.7'); tell(yes, 3, b'/dev/pts/7'); tell(yes, 8, b'ruser')
assert ask(yes) == 0
no = start(b'no', b'r\\xffot')
tell(no, 4, b'x' * 300)
assert ask(no) != 0 and ask(no) != 0
tell(no, 4, None); tell(no, 2, b'bob')
assert ask(no) != 0
end(no)
again = start(b'no', b'carol')
assert ask(again) != 0
unasked = start(b'yes')";
    let (status, events) = lab.run(&mut ground.python(&ground.library, script));
    assert!(status.success());
    let yes = Authentication {
        remote_host: Some("192.0.2.7".into()),
        terminal: Some("/dev/pts/7".into()),
        ..said(Outcome::Success, "yes", "alice")
    };
    let no = Authentication {
        user: b"r\xffot".into(),
        remote_host: Some(BString::from("x".repeat(255))),
        ..said(Outcome::Failure, "no", "")
    };
    let expected = [yes, no.clone(), no, said(Outcome::Failure, "no", "bob"), said(Outcome::Failure, "no", "carol")];
    assert_eq!(authentications(&events), expected);
}

#[test]
fn the_account_is_known_that_a_module_asked_for_and_what_is_not_decided_yet_is_not_told() {
    let Some(ground) = Ground::new() else { return };
    let Some(mut lab) = Lab::open() else { return };
    let script = "handle = start(b'yes')
later = 1
assert ask(handle) in (30, 31)
assert ask(handle) == 0";
    let (status, events) = lab.run(&mut ground.python(&ground.library, script));
    assert!(status.success());
    assert_eq!(authentications(&events), [said(Outcome::Success, "yes", "asked")]);
}

#[test]
fn a_child_that_authenticates_by_its_parents_handle_is_told_with_what_both_said() {
    let Some(ground) = Ground::new() else { return };
    let Some(mut lab) = Lab::open() else { return };
    let script = "handle = start(b'no', b'alice')
tell(handle, 4, b'192.0.2.7')
if os.fork() == 0:
    tell(handle, 3, b'ssh')
    assert ask(handle) != 0
    os._exit(0)
assert os.wait()[1] == 0
assert ask(handle) != 0";
    let mut child = ground.python(&ground.library, script).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let pid = child.id();
    let is_its = |event: &Event| event.process.as_ref().is_some_and(|process| process.pid == pid);
    let mut events = lab.until(|event| is_its(event) && matches!(event.activity, Activity::Exit { .. }));
    let parent = |event: &Event| event.process.as_ref()?.ancestors.first().map(|parent| parent.pid);
    events.retain(|event| is_its(event) || parent(event) == Some(pid));
    let parents = Authentication { remote_host: Some("192.0.2.7".into()), ..said(Outcome::Failure, "no", "alice") };
    let childs = Authentication { terminal: Some("ssh".into()), ..parents.clone() };
    assert_eq!(authentications(&events), [childs, parents]);
}

#[test]
fn su_is_told_as_it_tells_pam() {
    const SU: &str = "/bin/su";
    if !Path::new(SU).exists() || !Path::new("/etc/pam.d/su").exists() {
        return println!("skipped: no {SU} here");
    }
    let Some(mut lab) = Lab::open() else { return };
    let mut command = Command::new(SU);
    // Without a terminal, whoever runs the tests.
    command.args(["-s", "/bin/true", "nobody"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (status, events) = lab.run(&mut command);
    assert!(status.success());
    let told = authentications(&events);
    let [told] = &told[..] else { panic!("not one: {told:?}") };
    let told = Authentication { terminal: None, ..told.clone() };
    assert_eq!(told, said(Outcome::Success, "su", "nobody"));
}

#[test]
fn without_pam_and_unasked_for_lines_there_is_nothing_to_be_blind_to() {
    let config = ProbeConfig { pam: vec!["/nowhere/libpam.so.0".into()], ..ProbeConfig::default() };
    let Some(lab) = Lab::open_with(&config) else { return };
    for name in ["authentication", "shell-line"] {
        let hook = hook(&lab, name);
        assert_eq!((&*hook.rung, hook.programs.len()), ("needless", 0), "{hook:?}");
    }
}

/// A program that holds a library open and authenticates each time it is told to.
struct Holder {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn start(ground: &Ground, library: &Path, user: &str) -> Self {
        let script = format!(
            "print('ready', flush=True)
for line in sys.stdin:
    handle = start(b'yes', b'{user}'); assert ask(handle) == 0; end(handle)
    print('done', flush=True)"
        );
        let mut command = ground.python(library, &script);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut holder = Self { child, input, output };
        holder.read("ready\n");
        holder
    }

    fn read(&mut self, expected: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, expected);
    }

    /// Authenticates, and waits until that is told.
    fn authenticates(&mut self, lab: &mut Lab) -> Authentication {
        self.input.write_all(b"\n").unwrap();
        self.read("done\n");
        let pid = self.child.id();
        let is_its = |event: &Event| event.process.as_ref().is_some_and(|process| process.pid == pid);
        let events = lab.until(|event| is_its(event) && matches!(event.activity, Activity::Authentication(_)));
        authentications(&events).pop().unwrap()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_library_that_is_upgraded_is_watched_again_beside_the_one_that_still_runs() {
    let Some(ground) = Ground::new() else { return };
    let library = ground.folder.path().join("libpam.so.0");
    fs::copy(&ground.library, &library).unwrap();
    let Some(mut lab) = Lab::open_with(&ProbeConfig { pam: vec![library.clone()], ..ProbeConfig::default() }) else {
        return;
    };
    let mut old = Holder::start(&ground, &library, "old");
    assert_eq!(old.authenticates(&mut lab), said(Outcome::Success, "yes", "old"));

    // As packages are upgraded: a new file beside the old one, then in its place.
    let upgrade = format!("cp {0} {0}.new && exec mv {0}.new {0}", library.display());
    assert!(Command::new("/bin/sh").args(["-c", &upgrade]).status().unwrap().success());
    let path = BString::from(library.to_str().unwrap());
    lab.until(|event| match &event.activity {
        Activity::File(file) => file.operation == FileOperation::Rename && file.path == path,
        _ => false,
    });
    // What comes after that in a round of the reader's own finds the new file watched.
    lab.run(&mut Command::new("/bin/true"));
    let mut new = Holder::start(&ground, &library, "new");
    assert_eq!(new.authenticates(&mut lab), said(Outcome::Success, "yes", "new"));
    assert_eq!(old.authenticates(&mut lab), said(Outcome::Success, "yes", "old"));
    assert_eq!(hook(&lab, "authentication").rung, format!("uprobe:{}", library.display()));

    // A file that is no library: what is known is said.
    let broken = format!("echo broken > {0}.new && exec mv {0}.new {0}", library.display());
    let mut hooks = lab.probes.hooks.clone();
    assert!(Command::new("/bin/sh").args(["-c", &broken]).status().unwrap().success());
    lab.until(|event| match &event.activity {
        Activity::File(file) => file.operation == FileOperation::Rename && file.path == path,
        _ => false,
    });
    let silent =
        |hooks: &Vec<Hook>| hooks.iter().any(|hook| hook.name == "authentication" && hook.rung == crate::probe::SILENT);
    lab.wait(async { tokio::time::timeout(std::time::Duration::from_secs(30), hooks.wait_for(silent)).await })
        .unwrap()
        .unwrap();
    assert_eq!(new.authenticates(&mut lab), said(Outcome::Success, "yes", "new"));
}

/// Types lines into an interactive bash, each after its prompt, and reads all the while what the terminal shows.
const TYPIST: &str = "import os, pty, select, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execve('/bin/bash', ['bash', '--norc', '--noprofile', '-i'], {'PS1': 'ready> ', 'TERM': 'dumb', 'PATH': '/bin', 'HOME': '/tmp'})
seen = b''
def pump(wait):
    global seen
    if select.select([terminal], [], [], wait)[0]: seen += os.read(terminal, 65536)
def write(data):
    while data:
        if select.select([terminal], [terminal], [])[1]: data = data[os.write(terminal, data[:64]):]
        pump(0)
for line in [b'echo one', b'', b'  : t\\xc3\\xa4', b': ' + b'x' * 5000, b'exit 3']:
    while not seen.endswith(b'ready> '): pump(10)
    seen = b''
    write(line + b'\\r')
try:
    while True: os.read(terminal, 65536)
except OSError: pass
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3";

#[test]
fn lines_typed_into_a_shell_are_told_where_somebody_asked_and_long_ones_are_cut() {
    if !Path::new("/bin/bash").exists() {
        return println!("skipped: no bash here");
    }
    let Some(mut lab) = Lab::open_with(&ProbeConfig { shells: library::shells(), ..ProbeConfig::default() }) else {
        return;
    };
    let mut child = Command::new("/usr/bin/python3").args(["-I", "-S", "-B", "-c", TYPIST]).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let pid = child.id();
    let events = lab.until(|event| {
        matches!(event.activity, Activity::Exit { .. }) && event.process.as_ref().is_some_and(|it| it.pid == pid)
    });
    let lines: Vec<(String, BString)> = events
        .iter()
        .filter_map(|event| {
            let process = event.process.as_ref()?;
            let Activity::ShellLine { line } = &event.activity else { return None };
            let ours = process.ancestors.first().is_some_and(|parent| parent.pid == pid);
            ours.then(|| (process.executable.to_string(), line.clone()))
        })
        .collect();
    let shell = fs::canonicalize("/bin/bash").unwrap().display().to_string();
    let long = format!(": {}...", "x".repeat(4093));
    let expected = ["echo one", "  : t\u{e4}", &long, "exit 3"];
    assert_eq!(lines, expected.map(|line| (shell.clone(), BString::from(line))));
}
