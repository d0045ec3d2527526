use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use super::{follow::Follower, position::Positions};
use crate::health::Health;

/// A log in a directory of its own, and a follower that keeps its position as the spool would.
struct Bench {
    dir: tempfile::TempDir,
    follower: Follower,
    health: Arc<Health>,
    kept: Option<Positions>,
    lines: Vec<String>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let health = Arc::new(Health::default());
        let follower = Follower::new(dir.path().join("log"), None, Arc::clone(&health));
        let mut bench = Self { dir, follower, health, kept: None, lines: Vec::new() };
        bench.look();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        append(&self.path(name)).write_all(text.as_bytes()).unwrap();
    }

    /// Looks until nothing is new.
    fn look(&mut self) {
        loop {
            let look = self.follower.look(3);
            let lines = look.lines.len();
            self.lines.extend(look.lines.into_iter().map(|line| String::from_utf8(line).unwrap()));
            if let Some(positions) = look.moved {
                // As the spool does: through its text form.
                self.kept = Some(serde_json::from_slice(&serde_json::to_vec(&positions).unwrap()).unwrap());
            }
            if lines == 0 {
                return;
            }
        }
    }

    fn restart(&mut self) {
        self.follower = Follower::new(self.path("log"), self.kept.clone(), Arc::clone(&self.health));
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    #[track_caller]
    fn expect(&mut self, lines: &[&str]) {
        self.look();
        assert_eq!(std::mem::take(&mut self.lines), lines);
    }

    fn gaps(&self) -> u64 {
        self.health.log_gaps.load(Ordering::Relaxed)
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

#[test]
fn a_log_that_appears_is_read_from_its_beginning() {
    let mut bench = Bench::new();
    bench.expect(&[]);
    bench.write("log", "one\ntwo\nthr");
    bench.expect(&["one", "two"]);
    bench.write("log", "ee\n");
    bench.expect(&["three"]);
}

#[test]
fn a_log_that_was_there_is_read_from_its_end() {
    let dir = tempfile::tempdir().unwrap();
    append(&dir.path().join("log")).write_all(b"old\nhalf").unwrap();
    let health = Arc::new(Health::default());
    let mut follower = Follower::new(dir.path().join("log"), None, health);
    assert!(follower.look(10).lines.is_empty());
    append(&dir.path().join("log")).write_all(b" of it\nnew\n").unwrap();
    assert_eq!(follower.look(10).lines, [b"new"]);
}

#[test]
fn rotation_by_rename_loses_no_line_and_late_lines_come_first() {
    let mut bench = Bench::new();
    bench.write("log", "1\n2\n");
    bench.expect(&["1", "2"]);
    let mut writer = append(&bench.path("log"));
    writer.write_all(b"3\n").unwrap();
    bench.rename("log", "log.1");
    bench.expect(&["3"]);
    writer.write_all(b"4\n").unwrap();
    bench.write("log", "a\nb\n");
    writer.write_all(b"5\n").unwrap();
    bench.expect(&["4", "5", "a", "b"]);
    // The writer was not told yet.
    writer.write_all(b"6\n").unwrap();
    bench.write("log", "c\n");
    bench.expect(&["6", "c"]);
    assert_eq!(bench.gaps(), 0);
}

#[test]
fn files_rotated_away_are_read_while_nobody_has_the_name() {
    let mut bench = Bench::new();
    bench.write("log", "1\n");
    bench.expect(&["1"]);
    bench.rename("log", "log.1");
    for (line, rotated) in [("2\n", "log.2"), ("3\n", "log.3")] {
        bench.write("log", line);
        bench.rename("log", rotated);
    }
    bench.expect(&["2", "3"]);
    bench.expect(&[]);
    bench.write("log", "4\n");
    bench.expect(&["4"]);
    assert_eq!(bench.gaps(), 0);
}

#[test]
fn a_rotated_file_without_a_final_line_end_gives_its_last_line_when_it_is_let_go() {
    let mut bench = Bench::new();
    for (file, rotated, expected) in
        [("1\nlast", "log.1", vec!["1"]), ("2\n", "log.2", vec!["2"]), ("3\n", "", vec!["last", "3"])]
    {
        bench.write("log", file);
        bench.expect(&expected);
        if !rotated.is_empty() {
            bench.rename("log", rotated);
        }
    }
}

#[test]
fn restart_goes_on_where_it_was_also_in_the_middle_of_a_line() {
    let mut bench = Bench::new();
    bench.write("log", "1\n2\nthr");
    bench.expect(&["1", "2"]);
    bench.restart();
    bench.expect(&[]);
    bench.write("log", "ee\n4\n");
    bench.restart();
    bench.expect(&["three", "4"]);
    assert_eq!(bench.gaps(), 0);
}

#[test]
fn rotation_while_we_were_away_loses_no_line() {
    let mut bench = Bench::new();
    bench.write("log", "1\n");
    bench.expect(&["1"]);
    bench.write("log", "2\n");
    bench.rename("log", "log.1");
    bench.write("log", "3\n");
    bench.restart();
    bench.expect(&["2", "3"]);
    bench.restart();
    bench.expect(&[]);
    assert_eq!(bench.gaps(), 0);
}

#[test]
fn a_log_that_is_missing_at_restart_and_comes_back_is_read_whole() {
    let mut bench = Bench::new();
    bench.write("log", "1\n");
    bench.expect(&["1"]);
    bench.write("log", "2\n");
    bench.rename("log", "log.1");
    bench.restart();
    bench.expect(&[]);
    bench.write("log", "3\n");
    bench.expect(&["2", "3"]);
    assert_eq!(bench.gaps(), 0);
}

#[test]
fn copytruncate_starts_over_and_is_counted() {
    let mut bench = Bench::new();
    bench.write("log", "1\n2\n3\n");
    bench.expect(&["1", "2", "3"]);
    fs::copy(bench.path("log"), bench.path("log.1")).unwrap();
    File::options().write(true).open(bench.path("log")).unwrap().set_len(0).unwrap();
    bench.write("log", "4\n");
    bench.expect(&["4"]);
    // Grown beyond where we were before anybody looked: only its first bytes tell.
    File::options().write(true).open(bench.path("log")).unwrap().set_len(0).unwrap();
    bench.write("log", "five\nsix\nseven\n");
    bench.expect(&["five", "six", "seven"]);
    assert_eq!(bench.gaps(), 2);
}

#[test]
fn another_file_under_a_reused_inode_is_not_taken_for_the_old_one() {
    let mut bench = Bench::new();
    bench.write("log", "1\n2\n");
    bench.expect(&["1", "2"]);
    let content = "other\nlines\n";
    // Same inode, other content, as after deletion and creation on most file systems.
    fs::write(bench.path("log"), content).unwrap();
    bench.restart();
    bench.expect(&["other", "lines"]);
    assert_eq!(bench.gaps(), 1);
}

#[test]
fn what_is_no_regular_file_is_not_read() {
    let mut bench = Bench::new();
    nix::unistd::mkfifo(&bench.path("log"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    bench.expect(&[]);
    fs::remove_file(bench.path("log")).unwrap();
    bench.write("log", "1\n");
    bench.expect(&["1"]);
}

/// A writer that rotates as fast as it can, looked at all the while.
#[test]
fn no_line_is_lost_when_the_log_is_rotated_by_rename_under_load() {
    let mut bench = Bench::new();
    let path = bench.path("log");
    let (written, is_written) = std::sync::mpsc::sync_channel(1);
    let (looked, may_rotate) = std::sync::mpsc::sync_channel(1);
    let writer = std::thread::spawn(move || {
        let mut number = 0;
        for round in 0..20 {
            let mut log = append(&path);
            for _ in 0..500 {
                writeln!(log, "{number}").unwrap();
                number += 1;
            }
            // A look lies between two rotations, as logrotate rotates far more slowly than we look.
            written.send(()).unwrap();
            may_rotate.recv().unwrap();
            fs::rename(&path, path.with_extension(round.to_string())).unwrap();
        }
        append(&path).write_all(b"end\n").unwrap();
    });
    while !writer.is_finished() {
        bench.look();
        if is_written.try_recv().is_ok() {
            bench.look();
            looked.send(()).unwrap();
        }
    }
    bench.look();
    writer.join().unwrap();
    let mut expected: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    expected.push("end".to_owned());
    assert_eq!(bench.lines, expected);
    assert_eq!(bench.gaps(), 0);
}
