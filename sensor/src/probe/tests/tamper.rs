//! Tampering, by python scripts that really do it, to processes that are there to be done to.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use bongsu_event::{Activity, Event, Process, Tamper, TamperOperation, Target};
use bstr::BString;

use super::lab::Lab;

/// What scripts begin with: raw system calls, and a child that waits to be tampered with and lets everybody do so.
const PRELUDE: &str = "import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
# The numbers are x86_64's; on arm64 the same calls have others.
OTHERS = {9: 222, 10: 226, 101: 117, 175: 105, 176: 106, 272: 97, 311: 271, 313: 273, 321: 280}
def call(number, *args):
    if os.uname().machine == 'aarch64': number = OTHERS[number]
    libc.syscall.restype = ctypes.c_long
    return libc.syscall(ctypes.c_long(number), *[ctypes.c_long(arg) for arg in args])
def must(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
";

fn python(script: &str) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-I", "-S", "-B", "-c", &format!("{PRELUDE}{script}")]);
    command
}

/// What a script tampered with.
fn tampers(lab: &mut Lab, script: &str) -> Vec<Tamper> {
    let (status, events) = lab.run(&mut python(script));
    assert!(status.success(), "{script}");
    of(events)
}

fn of(events: Vec<Event>) -> Vec<Tamper> {
    let of = |event: Event| match event.activity {
        Activity::Tamper(tamper) => Some(tamper),
        _ => None,
    };
    events.into_iter().filter_map(of).collect()
}

/// A process that sleeps, and how events show it as a target.
struct Victim(std::process::Child);

impl Victim {
    /// One whose exec has been seen, and whose own start is over: until then its memory map changes.
    fn start(lab: &mut Lab) -> (Self, Target) {
        let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b".").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pid = child.id();
        let is_it = |process: &Process| process.pid == pid;
        let events = lab
            .until(|event| matches!(event.activity, Activity::Exec(_)) && event.process.as_deref().is_some_and(is_it));
        let process = events.iter().rev().filter_map(|event| event.process.as_deref()).find(|it| is_it(it)).unwrap();
        let target = Target { key: process.key, executable: process.executable.clone(), comm: process.comm.clone() };
        (Self(child), target)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// An address that can be written, as its memory map tells.
    fn writable(&self) -> u64 {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid())).unwrap();
        let line = maps.lines().find(|line| line.contains(" rw-p ")).unwrap();
        u64::from_str_radix(line.split('-').next().unwrap(), 16).unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn tamper(operation: TamperOperation, number: u32) -> Tamper {
    Tamper { operation, target: None, name: None, number }
}

fn on(target: &Target, operation: TamperOperation, number: u32) -> Tamper {
    Tamper { target: Some(target.clone()), ..tamper(operation, number) }
}

fn named(operation: TamperOperation, name: &str, number: u32) -> Tamper {
    Tamper { name: Some(BString::from(name)), ..tamper(operation, number) }
}

#[test]
fn taking_hold_of_a_process_and_changing_it_is_told_with_the_target_and_reading_is_not() {
    let Some(mut lab) = Lab::open() else { return };
    let (victim, target) = Victim::start(&mut lab);
    let (pid, address) = (victim.pid(), victim.writable());
    // Where there is no GETREGS and SETREGS, GETREGSET and SETREGSET of NT_PRSTATUS.
    let is_x86 = cfg!(target_arch = "x86_64");
    let (get, set, kind, into) = if is_x86 { (12, 13, 0, "registers") } else { (0x4204, 0x4205, 1, "vector") };
    // PTRACE_ATTACH, wait, PEEKDATA, POKEDATA three times, GETREGS and SETREGS, DETACH; then SEIZE. One attach to nobody fails.
    let script = format!(
        "must(call(101, 16, {pid}, 0, 0)); os.waitpid({pid}, 0)
word = ctypes.c_long(); must(call(101, 2, {pid}, {address}, ctypes.addressof(word)))
for i in range(3): must(call(101, 5, {pid}, {address} + 8 * i, 0))
registers = ctypes.create_string_buffer(512)
vector = (ctypes.c_long * 2)(ctypes.addressof(registers), 512)
must(call(101, {get}, {pid}, {kind}, ctypes.addressof({into})))
must(call(101, {set}, {pid}, {kind}, ctypes.addressof({into})))
must(call(101, 17, {pid}, 0, 0))
assert call(101, 16, 0x3fffff, 0, 0) < 0
must(call(101, 0x4206, {pid}, 0, 0))"
    );
    let expected = [16, 5, set, 0x4206].map(|request| on(&target, TamperOperation::Ptrace, request));
    assert_eq!(tampers(&mut lab, &script), expected);
}

#[test]
fn being_traced_by_ones_parent_is_no_tampering() {
    let Some(mut lab) = Lab::open() else { return };
    assert_eq!(tampers(&mut lab, "must(call(101, 0, 0, 0, 0))"), []);
}

#[test]
fn writing_into_anothers_memory_is_told_whichever_way_it_is_done() {
    let Some(mut lab) = Lab::open() else { return };
    let (victim, target) = Victim::start(&mut lab);
    let (pid, address) = (victim.pid(), victim.writable());
    let script = format!(
        "data = ctypes.create_string_buffer(b'injected')
local = (ctypes.c_long * 2)(ctypes.addressof(data), 8); remote = (ctypes.c_long * 2)({address}, 8)
assert must(call(311, {pid}, ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)) == 8
remote[0] = 8
assert call(311, {pid}, ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0) < 0
os.close(os.open('/proc/self/mem', os.O_RDONLY)); os.close(os.open('/proc/{pid}/mem', os.O_RDONLY))
os.close(os.open('/proc/{pid}/mem', os.O_RDWR))
os.close(os.open('/proc/{pid}/task/{pid}/mem', os.O_WRONLY))"
    );
    let opened = |how| on(&target, TamperOperation::OpenMemory, how);
    let expected = [on(&target, TamperOperation::WriteMemory, 0), opened(0), opened(2)];
    assert_eq!(tampers(&mut lab, &script), expected, "the second way to write the same memory is the same act");
}

#[test]
fn a_target_is_found_in_the_pid_namespace_of_who_asked() {
    let Some(mut lab) = Lab::open() else { return };
    // The child of an unshare is 1 in its namespace, its own child 2; that one is seized by its parent.
    let script = "must(call(272, 0x20000000))
if os.fork() == 0:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1); os._exit(0)
    assert (os.getpid(), child) == (1, 2)
    must(call(101, 0x4206, child, 0, 0))
    os.write(writer, b'.'); os._exit(0)
assert os.wait()[1] == 0";
    let mut child = python(script).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let pid = child.id();
    let events = lab.until(|event| {
        matches!(event.activity, Activity::Exit { .. }) && event.process.as_ref().is_some_and(|it| it.pid == pid)
    });
    // Other tests tamper at the same time.
    let is_ours = |process: &Process| process.ancestors.iter().any(|above| above.pid == pid);
    let seized = events.iter().find_map(|event| match (&event.activity, event.process.as_deref()) {
        (Activity::Tamper(tamper), Some(process)) if is_ours(process) => Some((process.key, tamper)),
        _ => None,
    });
    let (who, tamper) = seized.expect("the seizing is told");
    let forked = events.iter().find_map(|event| match event.activity {
        Activity::Fork { child } if event.process.as_ref()?.key == who => Some(child),
        _ => None,
    });
    assert_eq!(tamper.target.as_ref().map(|target| target.key), forked);
    assert!(forked.is_some_and(|key| key.pid != 2), "the host's number, not the namespace's");
}

#[test]
fn a_memfd_shows_its_name_and_flags() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "os.memfd_create('implant', 3); os.memfd_create('', 1)";
    let expected = [named(TamperOperation::MakeMemfd, "implant", 3), named(TamperOperation::MakeMemfd, "", 1)];
    assert_eq!(tampers(&mut lab, script), expected);
}

#[test]
fn memory_that_is_both_writable_and_executable_is_told_once_for_each_protection() {
    let Some(mut lab) = Lab::open() else { return };
    // First pages that are one or the other, and a call that fails; then mmap and mprotect that ask for both, again and again.
    let script = "def map(protection): return must(call(9, 0, 4096, protection, 0x22, -1, 0))
plain = map(3); map(5); must(call(10, plain, 4096, 5))
assert call(10, 4096, 4096, 7) < 0
for i in range(100): map(7)
must(call(10, plain, 4096, 6)); must(call(10, plain, 4096, 7))";
    let expected = [7, 6].map(|protection| tamper(TamperOperation::WriteExecute, protection));
    assert_eq!(tampers(&mut lab, script), expected);
}

#[test]
fn raw_and_packet_sockets_are_told_and_other_sockets_are_not() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()
socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 58).close()";
    let expected = [named(TamperOperation::RawSocket, "inet", 1), named(TamperOperation::RawSocket, "inet6", 58)];
    assert_eq!(tampers(&mut lab, script), expected);
}

#[test]
fn a_packet_socket_shows_its_protocol_as_people_write_it() {
    let Some(mut lab) = Lab::open() else { return };
    let script = "try: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800)).close()
except OSError as error: sys.exit(error.errno)";
    let (status, events) = lab.run(&mut python(script));
    if status.code() == Some(libc::EAFNOSUPPORT) {
        // Debian's cloud kernels have packet sockets in a module, which a guest without modules lacks.
        assert_eq!(of(events), [], "what failed is not told");
        return;
    }
    assert!(status.success());
    assert_eq!(of(events), [named(TamperOperation::RawSocket, "packet", 0x800)]);
}

#[test]
fn a_bpf_program_that_somebody_else_loads_shows_its_own_name_and_type() {
    let Some(mut lab) = Lab::open() else { return };
    // BPF_PROG_LOAD of `r0 = 0; exit` as a socket filter, with a name and without; and one that the verifier refuses.
    let script = "code = ctypes.create_string_buffer(bytes([0xb7,0,0,0,0,0,0,0, 0x95,0,0,0,0,0,0,0]), 16)
gpl = ctypes.create_string_buffer(b'GPL')
def load(name, count):
    head = (1).to_bytes(4, 'little') + count.to_bytes(4, 'little')
    head += ctypes.addressof(code).to_bytes(8, 'little') + ctypes.addressof(gpl).to_bytes(8, 'little')
    attributes = ctypes.create_string_buffer(head + bytes(24) + name.ljust(16, b'\\0'), 128)
    return call(321, 5, ctypes.addressof(attributes), 128)
must(load(b'hide_me', 2)); must(load(b'', 2))
assert load(b'wrong', 1) < 0";
    let expected = [named(TamperOperation::LoadBpf, "hide_me", 1), tamper(TamperOperation::LoadBpf, 1)];
    assert_eq!(tampers(&mut lab, script), expected);
}

#[test]
fn a_module_shows_the_name_it_carries_when_it_comes_and_when_it_goes() {
    let Some(mut lab) = Lab::open() else { return };
    // One that fits the running kernel lies in the guests of `cargo xtask vm-test` and nowhere else.
    if !std::path::Path::new("/modules/crc-itu-t.ko").exists() {
        return println!("skipped: no module for the running kernel is at hand");
    }
    // finit_module, the same again, which fails, and delete_module; then init_module and delete_module.
    let script = "f = os.open('/modules/crc-itu-t.ko', os.O_RDONLY); parameters = ctypes.create_string_buffer(b'')
def load(): return call(313, f, ctypes.addressof(parameters), 0)
name = ctypes.create_string_buffer(b'crc_itu_t')
must(load()); assert load() < 0; must(call(176, ctypes.addressof(name), 0))
image = os.read(f, 1 << 20); image = ctypes.create_string_buffer(image, len(image))
must(call(175, ctypes.addressof(image), len(image), ctypes.addressof(parameters)))
must(call(176, ctypes.addressof(name), 0))";
    let round = [TamperOperation::LoadModule, TamperOperation::UnloadModule];
    let expected: Vec<Tamper> = [round, round].concat().into_iter().map(|it| named(it, "crc_itu_t", 0)).collect();
    assert_eq!(tampers(&mut lab, script), expected);
}
