//! The real worker, as the correlator uses it.

#![expect(clippy::unwrap_used, reason = "what a test cannot do, it must fail on; helpers are not seen as tests")]

mod cases;
mod harness;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::{fs::FileTypeExt, process::ExitStatusExt},
    path::Path,
    time::{Duration, Instant},
};

use harness::{Worker, file_of, request, rule_names};

/// Never ends on a file of some size: a loop over every pair of its offsets.
const ENDLESS: &str = "rule endless { condition:
    for any i in (0..filesize) : ( for any j in (0..filesize) : ( uint8(i) + uint8(j) == 1000 ) ) }";

#[test]
fn says_how_many_rules_hold_and_what_holds_it() {
    let worker = Worker::start(&[]);
    assert_eq!(worker.hello["protocol"], 1);
    assert!(worker.hello["rules"].as_u64().unwrap() >= 12);
    assert_eq!(worker.hello["problems"].as_array().unwrap().len(), 0);
    let status = fs::read_to_string(format!("/proc/{}/status", worker.pid())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(field("NoNewPrivs:"), ["1"]);
    assert_eq!(field("Seccomp:"), ["2"]);
    for task in fs::read_dir(format!("/proc/{}/task", worker.pid())).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2"), "a thread outside of the jail: {status}");
    }
    if nix::unistd::Uid::effective().is_root() {
        assert_eq!(field("Uid:"), ["65534"; 4]);
        assert_eq!(field("Gid:"), ["65534"; 4]);
        assert!(field("Groups:").is_empty());
        assert_eq!(field("CapEff:"), ["0000000000000000"]);
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", worker.pid())).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(limit("Max core file size"), "0");
    assert_eq!(limit("Max file size"), "0");
    assert_eq!(limit("Max processes"), "0");
    assert!(limit("Max address space").parse::<u64>().unwrap() < 2 << 30);
    assert!(worker.finish().success());
}

#[test]
fn names_what_matched_with_its_meaning_and_place() {
    let mut worker = Worker::start(&[]);
    let answer = worker.scan(b"--------BONGSU-DEMO-IMPLANT-v1 /etc/shadow");
    assert_eq!(answer["outcome"], "matched");
    assert_eq!(answer["id"], 1);
    let rule = &answer["rules"][0];
    assert_eq!(rule["name"], "bongsu_demo_implant");
    assert_eq!(rule["severity"], "critical");
    assert_eq!(rule["tags"][0], "demo");
    assert_eq!(rule["techniques"][0], "T1059.004");
    assert_eq!(rule["places"][0]["pattern"], "$marker");
    assert_eq!(rule["places"][0]["offset"], 8);
    assert!(rule["title"].as_str().unwrap().contains("demonstration"));
}

#[test]
fn answers_no_match_and_goes_on() {
    let mut worker = Worker::start(&[]);
    for bytes in [b"".as_slice(), b"hello", &[0; 100_000]] {
        let answer = worker.scan(bytes);
        assert_eq!(answer["outcome"], "no-match", "{answer}");
        assert_eq!(answer["rules"].as_array().unwrap().len(), 0);
    }
    // What was found in one file is not found in the next.
    assert_eq!(worker.scan(b"BONGSU-DEMO-IMPLANT-v1 /bin/sh")["outcome"], "matched");
    assert_eq!(worker.scan(b"harmless")["outcome"], "no-match");
    assert!(worker.finish().success());
}

#[test]
fn every_rule_matches_what_it_must_and_nothing_it_must_not() {
    let cases = cases::read_all();
    let mut worker = Worker::start(&[]);
    let mut matched = BTreeSet::new();
    let mut spared = BTreeSet::new();
    for case in &cases {
        let answer = worker.scan(&case.bytes);
        let names = rule_names(&answer);
        if case.must_match {
            assert!(names.contains(&case.rule.as_str()), "{}: {:?} gave {answer}", case.rule, case.name);
            matched.insert(case.rule.as_str());
        } else {
            assert!(names.is_empty(), "{}: no match: {:?} gave {answer}", case.rule, case.name);
            spared.insert(case.rule.as_str());
        }
    }
    let rules = usize::try_from(worker.hello["rules"].as_u64().unwrap()).unwrap();
    assert_eq!(matched.len(), rules, "every rule has a case that it must match: {matched:?}");
    assert_eq!(spared, matched, "every rule has a case that it must not match");
}

/// Debian's own programs. A rule that finds something in them would cry wolf on every host.
#[test]
fn no_rule_matches_the_programs_of_this_machine() {
    let mut worker = Worker::start(&[]);
    let started = Instant::now();
    let (mut files, mut bytes, mut too_large) = (0, 0, 0);
    for folder in ["/usr/bin", "/usr/sbin", "/usr/lib/systemd", "/usr/lib/x86_64-linux-gnu"] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            if !meta.is_file() || meta.file_type().is_socket() {
                continue;
            }
            let answer = worker.scan_path(&path);
            assert!(
                ["no-match", "too-large"].contains(&answer["outcome"].as_str().unwrap()),
                "{} gave {answer}",
                path.display()
            );
            if answer["outcome"] == "too-large" {
                too_large += 1;
            } else {
                files += 1;
                bytes += meta.len();
            }
        }
    }
    println!("{files} files of {} MiB in {:?}; {too_large} too large", bytes >> 20, started.elapsed());
    assert!(files > 100, "only {files} files found to scan");
}

#[test]
fn a_scan_that_takes_too_long_is_timed_out_and_the_next_one_is_not() {
    let mut worker = Worker::with_rules(ENDLESS);
    assert_eq!(worker.hello["problems"].as_array().unwrap().len(), 0, "{}", worker.hello);
    let started = Instant::now();
    let answer = worker.ask(7, 1000, file_of(&[1; 2_000_000]));
    assert_eq!(answer["outcome"], "timed-out", "{answer}");
    assert_eq!(answer["id"], 7);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let answer = worker.scan(b"BONGSU-DEMO-IMPLANT-v1 /bin/sh");
    assert_eq!(rule_names(&answer)[0], "bongsu_demo_implant", "{answer}");
}

#[test]
fn a_killed_worker_gives_no_answer_and_another_one_takes_its_place() {
    let mut worker = Worker::with_rules(ENDLESS);
    worker.send(request(1, 60_000).as_bytes(), &[file_of(&[1; 2_000_000])]);
    wait_until_busy(worker.pid());
    worker.kill();
    assert!(worker.answer().is_none());
    assert_eq!(worker.finish().signal(), Some(9));
    assert_eq!(Worker::start(&[]).scan(b"hello")["outcome"], "no-match");
}

/// Waits until the worker has used processor time for its request, seen in `/proc`.
fn wait_until_busy(pid: u32) {
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        after_name.split_whitespace().nth(11).unwrap().parse::<u64>().unwrap()
    };
    let before = ticks();
    let give_up = Instant::now() + Duration::from_secs(20);
    while ticks() < before + 5 {
        assert!(Instant::now() < give_up, "the worker does nothing");
        std::thread::yield_now();
    }
}

#[test]
fn a_large_file_is_too_large_not_clean() {
    let mut worker = Worker::start(&["--bytes-max", "1000"]);
    assert_eq!(worker.scan(&[0; 1000])["outcome"], "no-match");
    let mut bytes = b"BONGSU-DEMO-IMPLANT-v1 /bin/sh".to_vec();
    bytes.resize(1001, 0);
    assert_eq!(worker.scan(&bytes)["outcome"], "too-large");
}

#[test]
fn a_file_that_is_no_file_fails() {
    let mut worker = Worker::start(&[]);
    for path in ["/dev/zero", "/proc/self"] {
        let answer = worker.scan_path(Path::new(path));
        assert_eq!(answer["outcome"], "failed", "{path}: {answer}");
    }
    let pipe = nix::unistd::pipe().unwrap();
    assert_eq!(worker.ask(3, 1000, File::from(pipe.0))["outcome"], "failed");
}

#[test]
fn names_lead_nowhere() {
    // A request that tries to name a file is not one of this protocol, whatever the name.
    let mut worker = Worker::start(&[]);
    for name in ["/etc/shadow", "../../etc/shadow", "", "a\\u0000b", "/proc/self/fd/0"] {
        worker.send(format!(r#"{{"id":1,"deadline_ms":1000,"path":"{name}"}}"#).as_bytes(), &[file_of(b"x")]);
        assert_eq!(worker.answer().unwrap()["outcome"], "failed");
    }
    assert_eq!(worker.scan(b"x")["outcome"], "no-match");
}

#[test]
fn garbage_spoils_only_itself() {
    let mut worker = Worker::start(&[]);
    let packets: [&[u8]; 8] = [
        b"{",
        b"\0",
        b"null",
        b"[]",
        &[0xff; 4096],
        &[b' '; 20_000],
        br#"{"id":-1,"deadline_ms":1}"#,
        br#"{"id":1,"deadline_ms":1e99}"#,
    ];
    for packet in packets {
        worker.send(packet, &[]);
        let answer = worker.answer().unwrap();
        assert_eq!((&answer["outcome"], &answer["id"]), (&"failed".into(), &0.into()), "{answer}");
    }
    let asks = request(5, 1000);
    worker.send(asks.as_bytes(), &[]);
    assert_eq!(worker.answer().unwrap()["outcome"], "failed", "without a file");
    worker.send(asks.as_bytes(), &[file_of(b"a"), file_of(b"b"), file_of(b"c")]);
    assert_eq!(worker.answer().unwrap()["outcome"], "failed", "with too many");
    assert_eq!(worker.scan(b"hello")["outcome"], "no-match");
    assert!(worker.finish().success());
}

#[test]
fn descriptors_do_not_pile_up() {
    // Far more files than the worker may have open at a time.
    let mut worker = Worker::start(&[]);
    for _ in 0..200 {
        assert_eq!(worker.scan(b"hello")["outcome"], "no-match");
    }
}

#[test]
fn a_rule_that_fills_memory_meets_the_limit_not_the_host() {
    // Every offset is a match of many patterns, over a file of the largest size.
    let many: String = (0..200).map(|n| format!("$p{n} = {{ 00 [0-{}] 00 }}\n", n + 1)).collect();
    let mut worker = Worker::with_rules(&format!("rule greedy {{ strings: {many} condition: any of them }}"));
    let file = tempfile::tempfile().unwrap();
    file.set_len(64 << 20).unwrap();
    worker.send(request(1, 2000).as_bytes(), &[file]);
    let answer = worker.answer();
    println!("{answer:?}");
    let peak = answer.as_ref().map(|_| {
        let status = fs::read_to_string(format!("/proc/{}/status", worker.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    });
    // Either it copes within its memory, or it ends: both leave the host alone.
    assert!(peak.is_none_or(|kib| kib < 512 << 10), "{peak:?} KiB");
}
