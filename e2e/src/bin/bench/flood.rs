//! Opens for writing from all cores, as fast as they go, under the sensor and its peers: what is told, and whether the rest is counted.
//!
//! Beside the flood another process starts a program now and then: those execs must all arrive.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bongsu_e2e::{
    noop,
    peer::{self, Seen, Text, Watcher, auditd::Auditd, sensor::Alone, tracer::Tracer},
    programs,
    stored::Database,
    usage::Usage,
};

use crate::table::{mib, say, say_machine, table};

/// Between two programs that start beside the flood.
const EXEC_EVERY: Duration = Duration::from_millis(5);

/// What is measured.
pub(crate) struct Plan {
    pub(crate) opens: u32,
    pub(crate) auditd: Option<PathBuf>,
}

struct Flood {
    took: Duration,
    execs: u32,
}

/// What came of it.
#[derive(Default)]
struct Told {
    opens: u64,
    suppressed: Option<u64>,
    lost: Option<u64>,
    execs: Option<u64>,
}

/// Starts a peer.
type Start<'a> = Box<dyn Fn() -> Result<Box<dyn Watcher>> + 'a>;

/// Runs it all and prints the table.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    say_machine();
    let folder = programs::folder_beside()?;
    let program = folder.path().join("noop");
    noop::write(&program)?;
    let watched = tempfile::Builder::new().prefix("bongsu-flood-").tempdir_in("/var/tmp")?;
    let mut rows = Vec::new();
    let alone = flood(&program, watched.path(), plan.opens)?;
    rows.push(row("nobody", plan, &alone, Usage::default(), None));

    rows.push(under_sensor(plan, &program, watched.path())?);
    let peers: [(&str, Start<'_>); 3] = [
        ("opensnoop (libbpf-tools)", Box::new(|| Ok(Box::new(Tracer::opensnoop(folder.path())?)))),
        (
            "auditd, and kauditd",
            Box::new(|| match &plan.auditd {
                Some(unpacked) => Ok(Box::new(Auditd::opens(unpacked, folder.path(), watched.path())?)),
                None => bail!("the package cannot be had"),
            }),
        ),
        ("bpftrace", Box::new(|| Ok(Box::new(Tracer::bpftrace_opens(folder.path())?)))),
    ];
    for (name, start) in peers {
        match start() {
            Ok(watcher) => {
                let (flood, cost, seen) = under(watcher, &program, watched.path(), plan.opens)?;
                let Text::Words(words) = seen.text else { bail!("{name} prints what it sees") };
                let sign = watched.path().display().to_string();
                let lines = words.lines().filter(|line| line.contains(&sign) && line.contains("flooded"));
                let told = Told { opens: lines.count() as u64, lost: seen.lost, ..Told::default() };
                rows.push(row(name, plan, &flood, cost, Some(&told)));
            }
            Err(error) => rows.push(vec![name.to_owned(), format!("not measured: {error:#}")]),
        }
    }
    let again = flood(&program, watched.path(), plan.opens)?;
    rows.push(row("nobody, again", plan, &again, Usage::default(), None));
    say(&format!(
        "{} opens for writing from all cores, and a program started every {} ms beside them.\n",
        plan.opens,
        EXEC_EVERY.as_millis()
    ));
    table(
        &[
            "watched by",
            "opens/s",
            "told",
            "suppressed, counted",
            "lost, says itself",
            "unaccounted",
            "execs told",
            "user us/open",
            "system us/open",
            "peak RSS",
        ],
        &rows,
    );
    say(
        "Suppressed: over the budget of a process (500 file events a second after a burst of 5,000), left out in the kernel and told as a number.",
    );
    Ok(())
}

fn under_sensor(plan: &Plan, program: &Path, watched: &Path) -> Result<Vec<String>> {
    let mut alone = Alone::join()?;
    let life = alone.start()?;
    let (flood, cost, seen) = under(Box::new(life), program, watched, plan.opens)?;
    let mut site = alone.into_site()?;
    let sign = watched.display().to_string();
    let limit = Duration::from_secs(20);
    let mut told = site.until("the store can be read", limit, |site| told(&mut site.database()?, &sign, program))?;
    told.lost = seen.lost;
    site.end()?;
    Ok(row("bongsu-sensor", plan, &flood, cost, Some(&told)))
}

fn told(database: &mut Database, sign: &str, program: &Path) -> Result<Told> {
    use bongsu_proto::v1::event::Activity;
    let mut told = Told::default();
    for action in ["file-create", "file-write"] {
        let is_ours = |path: &[u8]| String::from_utf8_lossy(path).starts_with(sign);
        told.opens += database
            .events(action)?
            .iter()
            .filter(|stored| matches!(&stored.event.activity, Some(Activity::File(file)) if is_ours(&file.path)))
            .count() as u64;
    }
    let pid = std::process::id();
    let mut suppressed = 0;
    for stored in database.events("suppressed")? {
        let own =
            stored.event.process.as_ref().is_none_or(|process| process.key.as_ref().is_some_and(|key| key.pid == pid));
        if let Some(Activity::Suppressed(left)) = &stored.event.activity
            && own
        {
            suppressed += left.count;
        }
    }
    told.suppressed = Some(suppressed);
    let execs = database.events("exec")?;
    let path = program.display().to_string();
    let ours = execs.iter().filter(|stored| {
        stored.event.process.as_ref().is_some_and(|process| String::from_utf8_lossy(&process.executable) == path)
    });
    told.execs = Some(ours.count() as u64);
    Ok(told)
}

fn under(watcher: Box<dyn Watcher>, program: &Path, watched: &Path, opens: u32) -> Result<(Flood, Usage, Seen)> {
    let before = peer::settled_usage(&*watcher)?;
    let flood = flood(program, watched, opens)?;
    let cost = peer::settled_usage(&*watcher)?.since(before);
    Ok((flood, cost, watcher.end()?))
}

/// Each thread opens a file of its own again and again.
fn flood(program: &Path, watched: &Path, opens: u32) -> Result<Flood> {
    let threads = u32::try_from(thread::available_parallelism()?.get())?;
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let (took, execs) = thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let mut execs = 0;
            while !over.load(Ordering::Relaxed) {
                Command::new(program).stdin(Stdio::null()).status()?;
                execs += 1;
                thread::sleep(EXEC_EVERY);
            }
            std::io::Result::Ok(execs)
        });
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || -> std::io::Result<()> {
                    let path = watched.join(format!("flooded-{thread}"));
                    fs::write(&path, b"")?;
                    for _ in 0..opens / threads {
                        drop(OpenOptions::new().write(true).open(&path)?);
                    }
                    Ok(())
                })
            })
            .collect();
        let ended: std::io::Result<Vec<()>> = workers.into_iter().map(join).collect();
        let took = start.elapsed();
        over.store(true, Ordering::Relaxed);
        let execs = join(beside);
        ended.and(execs.map(|execs| (took, execs)))
    })
    .context("the flood failed")?;
    Ok(Flood { took, execs })
}

fn join<T>(worker: thread::ScopedJoinHandle<'_, T>) -> T {
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn row(name: &str, plan: &Plan, flood: &Flood, cost: Usage, told: Option<&Told>) -> Vec<String> {
    let or_none = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let per_open = |time: Duration| match told {
        Some(_) => format!("{:.2}", time.as_secs_f64() * 1e6 / f64::from(plan.opens)),
        None => "-".to_owned(),
    };
    let unaccounted = told.map(|told| {
        let known = told.opens + told.suppressed.unwrap_or(0) + told.lost.unwrap_or(0);
        i64::from(plan.opens) - i64::try_from(known).unwrap_or(i64::MAX)
    });
    vec![
        name.to_owned(),
        format!("{:.0}", f64::from(plan.opens) / flood.took.as_secs_f64()),
        or_none(told.map(|told| told.opens)),
        or_none(told.and_then(|told| told.suppressed)),
        or_none(told.and_then(|told| told.lost)),
        unaccounted.map_or_else(|| "-".to_owned(), |number| number.to_string()),
        told.and_then(|told| told.execs).map_or_else(|| "-".to_owned(), |execs| format!("{execs} of {}", flood.execs)),
        per_open(cost.user),
        per_open(cost.system),
        if told.is_some() { mib(cost.peak_rss_kib) } else { "-".to_owned() },
    ]
}
