//! `bongsu-demo`: one attack, told end to end. It starts a correlator and a sensor on this machine, does a harmless attack for real,
//! and shows what a person would be told of it. It ends by itself, leaves nothing behind, and fails when any step did not happen.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bongsu_api::{Incident, Ledger};
use bongsu_e2e::{
    attack::{self, AuthLog, Ground},
    ordinary::OrdinaryWork,
    site::{Site, SiteOptions},
    slack::SlackReceiver,
    verdict,
};
use clap::Parser;

/// One window in twenty: the demo has no day, and a machine that does other work meanwhile is not calm within half a minute.
const FINDINGS_PER_DAY: u32 = 86_400 / 20;
/// How long one window of the anomaly detector is here. A real site's are minutes long; the demo has less time.
const WINDOW: Duration = Duration::from_secs(1);
/// How many of them make a baseline.
const BASELINE_WINDOWS: u32 = 24;
/// How long the whole story may take to arrive, once the attack is done.
const STORY_WITHIN: Duration = Duration::from_secs(60);

#[derive(Parser)]
#[command(name = "bongsu-demo", about = "Show one attack, told end to end, on this machine")]
struct Arguments {
    /// Keep the correlator and its page up until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    match demonstrate(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            print(&format!("\nThe demo failed: {why:#}"));
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(arguments: &Arguments) -> Result<()> {
    // Ctrl-C ends the demo in order: what was started is ended, what was written is removed.
    let interrupt = nix::sys::signal::SigAction::new(
        nix::sys::signal::SigHandler::Handler(on_interrupt),
        nix::sys::signal::SaFlags::empty(),
        nix::sys::signal::SigSet::empty(),
    );
    // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
    unsafe { nix::sys::signal::sigaction(nix::sys::signal::Signal::SIGINT, &interrupt)? };
    Demo::new().run(arguments)
}

extern "C" fn on_interrupt(_: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

struct Demo {
    start: Instant,
}

impl Demo {
    fn new() -> Self {
        Self { start: Instant::now() }
    }

    fn run(&self, arguments: &Arguments) -> Result<()> {
        print(
            "Bongsu: one attack, told end to end. Everything below really happens on this machine; nothing harms it.\n",
        );
        if !nix::unistd::geteuid().is_root() {
            bail!("loading kernel programs needs root: start this through cargo xtask demo");
        }
        let slack = SlackReceiver::start()?;
        let ground = Ground::new()?;
        let mut log = AuthLog::open(&ground.path("auth.log"))?;
        let options = SiteOptions::default().follow(log.path()).correlator(&format!(
            "[slack]\nwebhook_url = \"{}\"\n\n[anomaly]\nwindow_seconds = {}\nbaseline_windows = {BASELINE_WINDOWS}\nfindings_per_day = {FINDINGS_PER_DAY}\n",
            slack.url(),
            WINDOW.as_secs()
        ));
        let work = OrdinaryWork::start(WINDOW / 3);
        let mut site = Site::start(options)?;
        self.tell("correlator", &format!("one program, SQLite; {}", site.url()?));
        let sensor = site.wait_for_sensor()?;
        let hooks: Vec<_> = sensor.hooks.iter().map(|hook| format!("{} ({})", hook.name, hook.rung)).collect();
        self.tell("sensor", &format!("joined by token; kernel {}; hooks: {}", sensor.kernel, hooks.join(", ")));

        self.tell("ordinary", &format!("{BASELINE_WINDOWS} windows of ordinary work, to learn what is usual here"));
        self.learn_what_is_usual(&mut site)?;

        attack::run(&ground, &mut log, |step| self.tell("attack", step.0))?;
        self.tell("attack", "done; waiting for the story");
        let incident = site.until("the incident tells the whole story", STORY_WITHIN, |site| {
            let incident = verdict::the_incident_of(site.console(), attack::ACCOUNT)?;
            verdict::complete(&incident)?;
            Ok(incident)
        })?;
        work.end()?;
        self.tell("story", &format!("complete, {}", incident.summary.id));
        verdict::citations_exist(&incident, &mut site.database()?)?;
        let message = slack.message_about(&incident.summary.id)?;
        let evidence = fetch_and_verify(&site, &incident, ground.folder())?;
        let told = jiff::Timestamp::now();
        let ledger = site.until("the ledger adds up", STORY_WITHIN, |site| site.ledger_after(told))?;

        print("");
        print(&site.shown_incident(&incident.summary.id)?);
        print_checks(&incident, &message, &evidence, &ledger);
        if arguments.keep {
            let page = format!("{}/incidents/{}", site.url()?, incident.summary.id);
            let link = site.admin_link()?;
            print(&format!("\nThe page is up: {page}\n  log in once with: {link}\nPress Ctrl-C to end and clean up."));
            while !INTERRUPTED.load(Ordering::Relaxed) {
                thread::park_timeout(Duration::from_millis(200));
            }
        } else {
            print("\nThe page with all of this stays up with: cargo xtask demo --keep");
        }
        site.end()?;
        self.tell("end", "everything is ended and removed");
        Ok(())
    }

    /// The detector says nothing before it has a baseline: wait for the windows to pass, as they do, by the clock.
    fn learn_what_is_usual(&self, site: &mut Site) -> Result<()> {
        let windows = BASELINE_WINDOWS + 4;
        let learned = self.start.elapsed() + WINDOW * windows;
        site.until("ordinary work goes on", WINDOW * windows * 2, |_| {
            if INTERRUPTED.load(Ordering::Relaxed) || self.start.elapsed() > learned {
                Ok(())
            } else {
                bail!("not yet")
            }
        })?;
        if INTERRUPTED.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }

    fn tell(&self, what: &str, text: &str) {
        print(&format!("[{:5.1} s] {what:<10} {text}", self.start.elapsed().as_secs_f64()));
    }
}

/// What was fetched.
struct Fetched {
    sha256: String,
    size: u64,
    path: String,
    yara_rules: Vec<String>,
}

/// Fetches the binary that a yara rule matched, through the command line, and holds its bytes against its name.
fn fetch_and_verify(site: &Site, incident: &Incident, folder: &Path) -> Result<Fetched> {
    let evidence = incident
        .evidence
        .iter()
        .find(|evidence| evidence.verdict.outcome == "matched")
        .context("no evidence of the incident matched a yara rule")?;
    let file = folder.join("fetched-evidence");
    site.console().fetch_evidence(&evidence.sha256, &file)?;
    verdict::sha256_is(&file, &evidence.sha256)?;
    Ok(Fetched {
        sha256: evidence.sha256.clone(),
        size: evidence.size,
        path: evidence.path.clone(),
        yara_rules: evidence.verdict.yara_rules.clone(),
    })
}

fn print_checks(incident: &Incident, message: &str, evidence: &Fetched, ledger: &Ledger) {
    let count = |detector: &str| incident.findings.iter().filter(|finding| finding.detector == detector).count();
    print("\nWhat had to happen, and did");
    print(&format!(
        "  one incident     {} findings: {} by rules, {} by sequence, {} by anomaly, {} by YARA",
        incident.findings.len(),
        count("sigma"),
        count("sequence"),
        count("anomaly"),
        count("yara")
    ));
    print(&format!(
        "  story            {} sentences, each citing events that are in the store",
        incident.advice.story.len()
    ));
    print(&format!(
        "  evidence         {} ({} bytes, {}), fetched and verified; YARA: {}",
        evidence.path,
        evidence.size,
        &evidence.sha256[..16],
        evidence.yara_rules.join(", ")
    ));
    print(&format!("  Slack            {message}"));
    print(&format!(
        "  kernel ledger    emitted {} = read {} + lost {}",
        ledger.kernel_emitted, ledger.read, ledger.ring_lost
    ));
    let shed: u64 = ledger.shed.iter().map(|shed| shed.count).sum();
    print(&format!(
        "  sensor ledger    numbered {} = stored {} + spooled {} + shed {shed}",
        ledger.last_seq, ledger.stored, ledger.spooled
    ));
}

fn print(line: &str) {
    // When nobody reads any more there is nobody to tell.
    drop(writeln!(io::stdout(), "{line}"));
}
