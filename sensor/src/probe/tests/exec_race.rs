//! Paths, arguments and environments that change while a program is started: what is told is what the program got.

use std::{collections::BTreeMap, thread};

use bongsu_event::{Activity, Event};
use bstr::BString;

use super::{
    budget::limited,
    lab::Lab,
    race::{Race, assert_raced, judge},
};
use crate::{config::Environment, probe::ProbeConfig};

/// The memory: a path, the first argument, the second one, a variable. Of the first argument and the variable a byte changes at each end and some in
/// between, of the path its only one; the second argument names one and the same file in both ways.
const PAGE: &str = "b'a\\0' + bytes(14) + b'x' * 31 + b'\\0' + bytes(16) + b'/proc/self/./cmdline\\0' + bytes(43) + b'V=' + b'x' * 29 + b'\\0'";
const FLIPS: [(usize, u8); 10] =
    [(0, 3), (16, 3), (17, 3), (31, 3), (46, 3), (75, 1), (130, 3), (131, 3), (144, 3), (158, 3)];

/// `a` and `b` write what their arguments name: the program's own arguments, environment and name.
const PREPARE: &str = "for name in 'ab':
 with open(name, 'wb') as copy: copy.write(open('/bin/cat', 'rb').read())
 os.chmod(name, 0o755)
read, write = os.pipe()
out = os.dup(1)
others = [ctypes.create_string_buffer(text) for text in (b'/proc/self/environ', b'/proc/self/comm')]
pid = ctypes.c_int()
def pointers(*addresses): return (ctypes.c_void_p * (len(addresses) + 1))(*addresses)";

/// posix_spawn(3) makes a child that shares its memory with its maker until it has become the program.
const ROUND: &str = " arguments = pointers(address + 16, address + 64, *map(ctypes.addressof, others))
 variables = pointers(address + 128)
 os.dup2(write, 1)
 assert libc.posix_spawn(ctypes.byref(pid), ctypes.c_void_p(address), None, None, arguments, variables) == 0
 left = page[:1] + b'\\0' + page[16:48] + page[64:85] + page[128:160]
 os.dup2(out, 1)
 assert os.waitpid(pid.value, 0)[1] == 0
 strings = os.read(read, 65536).split(b'\\0')
 took = b'\\0'.join([strings[5].strip(), strings[0], strings[1], strings[4], b''])
 took, left, key = took.hex(), left.hex(), pid.value";

/// What the program said of itself, or the sensor of it: name, first and second argument, variable.
type Started = [BString; 4];

fn told(event: &Event) -> Option<(u32, Started)> {
    let (process, Activity::Exec(exec)) = (event.process.as_deref()?, &event.activity) else { return None };
    let (Some(name), [first, second, third, fourth], [variable]) =
        (process.executable.rsplit(|byte| *byte == b'/').next(), &process.args[..], &exec.environment[..])
    else {
        return None;
    };
    assert_eq!([&**third, &**fourth], [&b"/proc/self/environ"[..], b"/proc/self/comm"]);
    Some((process.pid, [name.into(), first.clone(), second.clone(), variable.clone()]))
}

fn taken(hex: &str) -> Started {
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let strings: Vec<BString> = bytes.split(|byte| *byte == 0).map(BString::from).collect();
    let [name, first, second, variable, _] = <[BString; 5]>::try_from(strings).unwrap();
    [name, first, second, variable]
}

#[test]
fn a_path_arguments_and_a_variable_that_change_during_an_exec_are_told_as_the_program_got_them() {
    let config = ProbeConfig { budgets: limited(0, 1), environment: Environment::All, ..ProbeConfig::default() };
    let Some(mut lab) = Lab::open_with(&config) else { return };
    // Where there is one processor it is an emulated one, which takes ten times as long to start a program.
    let rounds = if thread::available_parallelism().unwrap().get() == 1 { 300 } else { 3000 };
    let race = Race { prepare: PREPARE, page: PAGE, flips: &FLIPS, round: ROUND, rounds, rounds_max: 3 * rounds };
    let folder = tempfile::tempdir().unwrap();
    let (rounds, events) = race.run(&mut lab, folder.path());
    assert_raced("exec", &rounds);
    let told: BTreeMap<u32, Started> = events.iter().filter_map(told).collect();
    let taken: BTreeMap<u32, Started> =
        rounds.iter().map(|round| (round.key.parse().unwrap(), taken(&round.took))).collect();
    let first = taken.values().next().unwrap();
    let changed = |part: usize| taken.values().any(|other| other[part] != first[part]);
    assert!((0..first.len()).all(changed), "each of path, arguments and variable changed");
    let wrong = taken.iter().filter(|(pid, strings)| told.get(pid) != Some(strings)).count();
    assert_eq!((wrong, told.len()), (0, rounds.len()));
}

#[test]
fn a_path_that_changes_during_an_exec_that_fails_fools_no_rung_inside_the_kernel() {
    // Of the two one is not there, and the other is no program: the error says which it was.
    let race = Race {
        prepare: "with open('b', 'wb') as garbage: garbage.write(b'\\x7fNOT')
os.chmod('b', 0o755)
nothing = (ctypes.c_void_p * 1)()",
        page: "b'a\\0'",
        flips: &[(0, 3)],
        round: " assert libc.execve(ctypes.c_void_p(address), nothing, nothing) == -1
 left = chr(page[0])
 took = {2: 'a', 8: 'b'}[ctypes.get_errno()]",
        rounds: 1000,
        rounds_max: 20_000,
    };
    let told = |event: &Event| match &event.activity {
        Activity::ExecFailed(failed) => Some(failed.path.to_string()),
        _ => None,
    };
    judge("exec-failed", |_| (), &race, told);
}
