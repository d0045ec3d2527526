//! Random process trees with threads, double forks, execs and kills: what the sensor tells of them is what the trees' maker knows.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use ahash::{AHashMap, AHashSet};
use bongsu_event::{Activity, Event, Process, ProcessKey};
use bstr::BString;

use super::lab::Lab;

/// Pid and start in ticks: a process key without its boot.
type Name = (u32, u64);

/// What happened to the processes of a tree.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tree {
    root: Name,
    makers: AHashMap<Name, Name>,
    execs: AHashMap<Name, Vec<BString>>,
    exits: AHashMap<Name, Vec<(u8, u8)>>,
}

fn name(text: &str) -> Name {
    let (pid, start) = text.split_once(':').unwrap();
    (pid.parse().unwrap(), start.parse().unwrap())
}

fn key(key: ProcessKey) -> Name {
    (key.pid, key.start)
}

impl Tree {
    fn told(path: &Path) -> Self {
        let mut tree = Self::default();
        for line in fs::read_to_string(path).unwrap().lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["R", root] => tree.root = name(root),
                ["F", maker, child] => assert_eq!(tree.makers.insert(name(child), name(maker)), None, "{line}"),
                ["X", who, tag] => tree.execs.entry(name(who)).or_default().push(tag.into()),
                ["E", who, code, signal] => {
                    let end = (code.parse().unwrap(), signal.parse().unwrap());
                    tree.exits.entry(name(who)).or_default().push(end);
                }
                _ => panic!("{line}"),
            }
        }
        tree
    }

    /// Takes in what the sensor tells of `root` and of those below it; says whether the root ended.
    fn take(&mut self, event: &Event, wrong: &mut Vec<String>) -> bool {
        let Some(process) = &event.process else { return false };
        let who = key(process.key);
        if who != self.root && !self.makers.contains_key(&who) {
            return false;
        }
        self.check_line(process, wrong);
        match &event.activity {
            Activity::Fork { child } => {
                let before = self.makers.insert(key(*child), who);
                wrong.extend(before.map(|before| format!("{child:?} was made twice, by {before:?} first")));
            }
            // The root was started before it had a name.
            Activity::Exec(_) if who != self.root => {
                let tag = process.args.iter().find(|arg| arg.starts_with(b"soak-")).cloned();
                self.execs.entry(who).or_default().push(tag.unwrap_or_default());
            }
            Activity::Exit { code, signal } => {
                self.exits.entry(who).or_default().push((*code, *signal));
                return who == self.root;
            }
            _ => {}
        }
        false
    }

    /// The ancestors up to the root are those that made each other, whoever adopted them since.
    fn check_line(&self, process: &Process, wrong: &mut Vec<String>) {
        let mut below = key(process.key);
        for ancestor in process.ancestors.iter() {
            if below == self.root {
                return;
            }
            let maker = self.makers.get(&below).copied();
            if maker != Some(key(ancestor.key)) {
                wrong.push(format!("above {below:?} stands {:?} and not {maker:?}", ancestor.key));
                return;
            }
            below = key(ancestor.key);
        }
        if below != self.root && process.ancestors.len() < Process::ANCESTORS_MAX {
            wrong.push(format!("nobody stands above {below:?}"));
        }
    }
}

fn differences<V: PartialEq + std::fmt::Debug>(
    what: &str,
    truth: &AHashMap<Name, V>,
    told: &AHashMap<Name, V>,
) -> Vec<String> {
    let names: AHashSet<&Name> = truth.keys().chain(told.keys()).collect();
    let differ = |name: &&Name| truth.get(name) != told.get(name);
    let say = |name: &Name| format!("{what} {name:?}: true {:?}, told {:?}", truth.get(name), told.get(name));
    names.into_iter().filter(differ).map(say).collect()
}

/// Trees for so long; every difference between what was and what was told.
fn soak(seconds: u64) -> Option<(usize, Vec<String>)> {
    let mut lab = Lab::open()?;
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth");
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    println!("seed {seed}, {seconds} s");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-W", "ignore", "-c", include_str!("soak.py")]);
    let mut root = command.arg(&truth).args([seconds.to_string(), seed.to_string()]).spawn().unwrap();

    let mut told = Tree::default();
    let mut wrong = Vec::new();
    lab.each(|event| {
        if told.root == Name::default()
            && let Some(process) = &event.process
            && process.pid == root.id()
        {
            told.root = key(process.key);
        }
        told.take(event, &mut wrong)
    });
    assert!(root.wait().unwrap().success());
    let counters = lab.close().1;
    assert_eq!((counters.ring_lost(), counters.emitted()), (0, counters.read()));

    let truth = Tree::told(&truth);
    assert_eq!(truth.root, told.root);
    wrong.extend(differences("maker of", &truth.makers, &told.makers));
    wrong.extend(differences("execs of", &truth.execs, &told.execs));
    wrong.extend(differences("exit of", &truth.exits, &told.exits));
    let count = |ends: fn(&(u8, u8)) -> bool| truth.exits.values().flatten().filter(|end| ends(end)).count();
    println!(
        "{} processes, {} execs, {} killed; {} differences",
        truth.makers.len(),
        truth.execs.values().map(Vec::len).sum::<usize>(),
        count(|end| end.1 != 0),
        wrong.len()
    );
    Some((truth.makers.len(), wrong))
}

#[test]
fn a_moment_of_random_process_trees_is_told_as_it_was() {
    let Some((processes, wrong)) = soak(2) else { return };
    assert_eq!(wrong, [""; 0]);
    assert!(processes > 20, "{processes}");
}

/// `BONGSU_SOAK_SECONDS=600 cargo test -p bongsu-sensor --release -- --ignored random_process_trees`
#[test]
#[ignore = "runs for as long as BONGSU_SOAK_SECONDS says, two minutes without it"]
fn random_process_trees_are_told_as_they_were() {
    let seconds = std::env::var_os("BONGSU_SOAK_SECONDS").map_or(120, |text| text.to_str().unwrap().parse().unwrap());
    let Some((processes, wrong)) = soak(seconds) else { return };
    assert_eq!(wrong.iter().take(20).collect::<Vec<_>>(), [""; 0], "{} differences", wrong.len());
    assert!(processes as u64 > 20 * seconds, "{processes}");
}
