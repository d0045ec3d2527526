//! Operations left to an io_uring, by python scripts that really have one.

use std::{fs, net::TcpListener, path::Path, process::Command};

use bongsu_event::{Activity, Event, FileOperation, IoUring, IoUringOperation};
use bstr::BString;

use super::lab::Lab;
use crate::probe::ProbeConfig;

/// What scripts begin with: a ring, and what it is asked for one at a time.
const PRELUDE: &str = r"import ctypes, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
def must(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def word(at): return ctypes.c_uint32.from_address(at)
class Ring:
    def __init__(self, flags=0):
        asked = ctypes.create_string_buffer(struct.pack('<5I', 0, 0, flags, 0, 1000), 120)
        self.fd = must(libc.syscall(ctypes.c_long(425), ctypes.c_long(8), asked))
        at = struct.unpack('<30I', asked.raw)
        def shared(offset): return libc.mmap(None, 4096, 3, 0x8001, self.fd, offset)
        sq, cq, self.entries = shared(0), shared(0x8000000), shared(0x10000000)
        self.tail, self.mask, self.array = word(sq + at[11]), word(sq + at[12]).value, sq + at[16]
        self.head, self.ready, self.cqmask, self.ends = word(cq + at[20]), word(cq + at[21]), word(cq + at[22]).value, cq + at[25]
    def ask(self, operation, fd=-100, off=0, addr=0, len=0, flags=0, addr3=0, slot=0, how=0):
        index = self.tail.value & self.mask
        entry = struct.pack('<BBHiQQIIQHHIQQ', operation, how, 0, fd, at(off), at(addr), len & 0xffffffff, flags, 0, 0, 0, slot, at(addr3), 0)
        ctypes.memmove(self.entries + 64 * index, entry, 64)
        word(self.array + 4 * index).value = index
        self.tail.value += 1
        while self.ready.value == self.head.value:
            must(libc.syscall(ctypes.c_long(426), ctypes.c_long(self.fd), ctypes.c_long(1), ctypes.c_long(1), ctypes.c_long(3), None, ctypes.c_long(8)))
        result = ctypes.c_int32.from_address(self.ends + 16 * (self.head.value & self.cqmask) + 8).value
        self.head.value += 1
        return result
held = []
def at(value):
    if isinstance(value, int): return value
    held.append(ctypes.create_string_buffer(value if isinstance(value, bytes) else os.fsencode(value)))
    return ctypes.addressof(held[-1])
def ok(result):
    if result < 0: raise OSError(-result, os.strerror(-result))
    return result
";

/// What the process of a script, run in `folder`, did.
fn run(lab: &mut Lab, folder: &Path, script: &str) -> Vec<Event> {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &format!("{PRELUDE}{script}")]).current_dir(folder);
    let (status, events) = lab.run(&mut command);
    assert!(status.success(), "{script}");
    events
}

fn rings(events: &[Event]) -> Vec<IoUring> {
    let of = |event: &Event| match &event.activity {
        Activity::IoUring(ring) => Some(ring.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn asked(operation: u8) -> IoUring {
    IoUring { operation: IoUringOperation(operation), path: None, remote: None }
}

fn on(operation: u8, path: &Path) -> IoUring {
    IoUring { path: Some(BString::from(path.as_os_str().as_encoded_bytes())), ..asked(operation) }
}

/// A folder under its real name.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    (folder, path)
}

/// Every operation on files that is told, and three that are not: reading, opening for reading, and one that the kernel does not know.
const FILES: &str = "
here = os.open('.', os.O_RDONLY)
f = ok(ring.ask(18, addr='a', len=0o600, flags=os.O_CREAT | os.O_WRONLY))
ok(ring.ask(28, fd=here, addr=os.getcwd() + '/b', len=24, off=struct.pack('<QQQ', os.O_CREAT | os.O_RDWR, 0o600, 0)))
ok(ring.ask(18, addr='a', flags=os.O_RDONLY))
ok(ring.ask(22, fd=here if False else os.open('/proc/self/comm', os.O_RDONLY), addr=bytes(64), len=64))
ok(ring.ask(35, fd=here, addr='a', len=-100, off='./c'))
ok(ring.ask(37, fd=here, addr='d', len=0o700))
ok(ring.ask(38, fd=-100, addr='c', off='d/../s'))
ok(ring.ask(39, fd=-100, addr='c', len=here, off='l'))
ring.ask(42, addr='user.x', off='1', len=1, addr3='c')
ring.ask(41, fd=f, addr='user.x', off='1', len=1)
ok(ring.ask(36, fd=here, addr='l'))
assert ring.ask(36, addr='gone') < 0
assert ring.ask(200) < 0";

fn told_of_files(folder: &Path) -> Vec<IoUring> {
    let mut expected: Vec<IoUring> =
        [(18, "a"), (28, "b"), (35, "c"), (37, "d"), (38, "s"), (39, "l"), (42, "c"), (41, "c"), (36, "l")]
            .map(|(operation, name)| on(operation, &folder.join(name)))
            .into();
    expected.push(on(36, &folder.join("gone")));
    expected
}

#[test]
fn what_a_ring_does_to_files_is_told_with_the_path_and_failed_or_not() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    let events = run(&mut lab, &folder, &format!("ring = Ring(){FILES}"));
    assert_eq!(rings(&events), told_of_files(&folder));
}

#[test]
fn a_ring_that_a_thread_of_the_kernel_serves_is_its_owners() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    // IORING_SETUP_SQPOLL.
    let events = run(&mut lab, &folder, &format!("ring = Ring(2){FILES}"));
    assert_eq!(rings(&events), told_of_files(&folder));
}

#[test]
fn what_a_ring_opened_is_a_file_like_any_other() {
    let (_guard, folder) = folder();
    let secret = folder.join("secret");
    fs::write(&secret, "s").unwrap();
    let config = ProbeConfig { sensitive_paths: vec![secret], ..ProbeConfig::default() };
    let Some(mut lab) = Lab::open_with(&config) else { return };
    let script = "os.symlink('secret', 'link')
ring = Ring()
new = struct.pack('<QQQ', os.O_CREAT | os.O_WRONLY, 0o640, 0)
ok(ring.ask(28, addr='new', len=24, off=new))
ok(ring.ask(18, addr='new', flags=os.O_RDWR, how=16))
ok(ring.ask(18, addr='new', flags=os.O_RDONLY))
assert ring.ask(18, addr='gone', flags=os.O_RDWR) < 0
ok(ring.ask(18, addr='link', flags=os.O_RDONLY))";
    let events = run(&mut lab, &folder, script);
    let files: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.activity {
            Activity::File(file) if file.path.starts_with(folder.as_os_str().as_encoded_bytes()) => {
                Some((file.operation, file.path.to_string(), file.mode))
            }
            _ => None,
        })
        .filter(|(operation, ..)| *operation != FileOperation::Symlink)
        .collect();
    let path = |name: &str| folder.join(name).display().to_string();
    let expected = [
        (FileOperation::Create, path("new"), Some(0o640)),
        (FileOperation::Write, path("new"), None),
        (FileOperation::Read, path("secret"), None),
    ];
    assert_eq!(files, expected);
}

#[test]
fn a_connect_by_a_ring_shows_the_peer_and_a_servers_operations_are_told_once() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = format!(
        "ring = Ring()
peer = struct.pack('=H', 2) + struct.pack('>H', {}) + socket.inet_aton('127.0.0.1') + bytes(8)
for i in range(3):
    s = ok(ring.ask(45, fd=2, off=1))
    if i == 0: ok(ring.ask(16, fd=s, addr=peer, off=16)); ok(ring.ask(26, fd=s, addr=b'x', len=1)); ok(ring.ask(26, fd=s, addr=b'x', len=1))
local = struct.pack('=H', 1) + b'name'
u = socket.socket(socket.AF_UNIX)
assert ring.ask(16, fd=u.fileno(), addr=local, off=6) < 0",
        address.port()
    );
    let events = run(&mut lab, &folder, &script);
    let expected = [asked(45), IoUring { remote: Some(address), ..asked(16) }, asked(26), asked(16)];
    assert_eq!(rings(&events), expected);
    let connected = events.iter().any(|event| match &event.activity {
        Activity::Network(network) => network.remote == Some(address),
        _ => false,
    });
    assert!(connected, "the connection itself is told as any other");
}

#[test]
fn the_path_told_is_the_one_the_kernel_took_while_another_process_writes_into_it() {
    let Some(mut lab) = Lab::open() else { return };
    let (_guard, folder) = folder();
    // The child turns the name's first letter from a to b and back without a pause; both share the page.
    let script = "ring = Ring()
page = libc.mmap(None, 4096, 3, 0x21, -1, 0)
ctypes.memmove(page, b'a-file\\0', 7)
letter = ctypes.c_char.from_address(page)
child = os.fork()
if child == 0:
    while True: letter.value = b'b'; letter.value = b'a'
took = []
for i in range(300):
    os.sched_yield()
    for name in 'ab': os.close(os.open(name + '-file', os.O_CREAT | os.O_RDONLY))
    ok(ring.ask(36, addr=page))
    took.append('b' if os.path.exists('a-file') else 'a')
os.kill(child, 9); os.wait()
open('took', 'w').write(''.join(took))";
    let events = run(&mut lab, &folder, script);
    let told: String = rings(&events)
        .into_iter()
        .filter(|ring| ring.operation == IoUringOperation(36))
        .map(|ring| match ring.path.unwrap().strip_prefix(folder.as_os_str().as_encoded_bytes()).unwrap() {
            b"/a-file" => 'a',
            b"/b-file" => 'b',
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, fs::read_to_string(folder.join("took")).unwrap());
    assert!(told.contains('a') && told.contains('b'), "the race was none");
}
