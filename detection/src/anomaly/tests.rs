//! A synthetic host with its usual noise, and what it takes to be noticed.

use std::sync::Arc;

use bongsu_event::{
    Account, Activity, Credentials, Event, EventId, Exec, FileActivity, FileOperation, Log, NetworkActivity,
    NetworkOperation, Process, ProcessKey, Severity, StoredEvent, Transport,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{feature::FEATURES, model::Model, *};
use crate::Entity;

const SENSOR: SensorId = SensorId(Uuid::from_u128(7));
const WINDOW: Duration = Duration::from_mins(5);

/// A host that makes events, with a small random number generator so that each run is the same.
struct World {
    seed: u64,
    seq: u64,
    out: Vec<Finding>,
    engine: Anomaly,
}

impl World {
    fn new(settings: Settings) -> Self {
        Self { seed: 1, seq: 0, out: Vec::new(), engine: Anomaly::new(settings) }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % bound
    }

    fn happens(&mut self, window: i64, process: Option<(u32, &str)>, activity: Activity) -> EventId {
        self.seq += 1;
        let id = EventId { sensor: SENSOR, epoch: 1, seq: self.seq };
        let time = Timestamp(window * 300_000_000_000 + 1_000_000 * i64::try_from(self.seq % 290_000).unwrap());
        let process = process.map(|(uid, executable)| Arc::new(process_of(uid, executable)));
        let event = StoredEvent { id, host: Arc::new("host".into()), event: Event { time, process, activity } };
        self.engine.observe(&event, &mut self.out);
        id
    }

    /// A window of a web server with a cron job and a little else.
    fn usual(&mut self, window: i64) {
        for _ in 0..2 + self.below(6) {
            self.happens(window, Some((0, "/usr/bin/run-parts")), Activity::Exec(Exec::default()));
        }
        let busy = self.below(20);
        for _ in 0..20 + busy {
            self.happens(window, None, Activity::Log(line()));
        }
        for at in 0..5 + busy / 2 {
            self.happens(window, Some((33, "/usr/sbin/nginx")), connect(u8::try_from(at % 3).unwrap()));
        }
        for _ in 0..self.below(4) {
            self.happens(window, Some((0, "/usr/sbin/logrotate")), file(FileOperation::Rename));
        }
    }

    /// Someone at work: programs from /tmp as www-data, connections to new places, reads of sensitive files.
    fn attack(&mut self, window: i64) -> Vec<EventId> {
        let mut ids = Vec::new();
        for at in 0..6 {
            let program = format!("/tmp/x{at}");
            ids.push(self.happens(window, Some((33, &program)), Activity::Exec(Exec::default())));
            ids.push(self.happens(window, Some((33, &program)), connect(100 + at)));
            ids.push(self.happens(window, Some((33, &program)), file(FileOperation::Read)));
        }
        ids
    }
}

fn process_of(uid: u32, executable: &str) -> Process {
    let account = Account { id: uid, name: Some(if uid == 0 { "root" } else { "www-data" }.into()) };
    Process {
        key: ProcessKey { boot: 1, pid: 100 + uid, start: 5 },
        pid: 100 + uid,
        start: Timestamp(0),
        comm: "comm".into(),
        executable: executable.into(),
        args: Vec::new(),
        args_cut: false,
        cwd: "/".into(),
        credentials: Credentials { real: account.clone(), effective: account, ..Credentials::default() },
        container: None,
        context: bongsu_event::Context::default(),
        ancestors: [].into(),
    }
}

fn line() -> Log {
    Log { path: "/var/log/syslog".into(), program: None, message: "line".into(), meaning: None }
}

fn connect(last: u8) -> Activity {
    let (local, remote) = (([10, 0, 0, 1], 4000).into(), ([10, 0, 0, last], 443).into());
    Activity::Network(NetworkActivity::new(NetworkOperation::Connect, Transport::Tcp, local, Some(remote)))
}

fn file(operation: FileOperation) -> Activity {
    Activity::File(FileActivity::new(operation, "/etc/shadow".into()))
}

#[test]
fn an_attack_is_found_with_its_events_and_reasons() {
    let mut world = World::new(Settings::default());
    (0..100).for_each(|window| world.usual(window));
    assert_eq!(world.out, []);
    world.usual(100);
    let attack = world.attack(100);
    world.usual(101);
    world.engine.flush(&mut world.out);
    let [finding] = &world.out[..] else { panic!("{:?}", world.out) };
    assert_eq!((finding.rule.as_str(), finding.severity, finding.confidence), (RULE, Severity::Medium, 100));
    assert_eq!(attack.iter().filter(|id| !finding.events.contains(id)).count(), 0, "the attack's events come first");
    assert!(finding.events.len() <= EVENTS_MAX);
    assert!(finding.entities.contains(&Entity::Address([10, 0, 0, 103].into())));
    for expected in [
        "programs started from temporary directories or memory: 6, usually 0",
        "sensitive files read: 6, usually 0",
        "programs started by others than root: 6, usually 0",
    ] {
        assert!(finding.reasons.iter().any(|reason| reason == expected), "{expected} in {:?}", finding.reasons);
    }
}

#[test]
fn usual_windows_stay_within_the_budget() {
    let mut world = World::new(Settings::default());
    (0..24 + 4 * 288).for_each(|window| world.usual(window));
    world.engine.flush(&mut world.out);
    assert!(world.out.len() <= 4 * 3, "{} findings in four days", world.out.len());
    // And they are unusual for their kind, not everyday windows.
    assert!(world.out.iter().all(|finding| finding.severity == Severity::Low), "{:?}", world.out);
}

#[test]
fn nothing_is_said_before_the_baseline_or_without_variety() {
    let mut early = World::new(Settings::default());
    (0..23).for_each(|window| early.usual(window));
    early.attack(23);
    early.engine.flush(&mut early.out);
    assert_eq!(early.out, [], "23 windows");

    let mut same = World::new(Settings::default());
    for window in 0..50 {
        same.happens(window, None, Activity::Log(line()));
    }
    same.attack(50);
    same.engine.flush(&mut same.out);
    assert_eq!(same.out, [], "all windows the same");
}

#[test]
fn one_event_of_a_kind_never_seen_is_no_alarm() {
    let mut world = World::new(Settings::default());
    (0..60).for_each(|window| world.usual(window));
    world.usual(60);
    world.happens(60, Some((0, "/usr/bin/vi")), file(FileOperation::Read));
    world.engine.flush(&mut world.out);
    assert_eq!(world.out, []);
}

#[test]
fn bursts_of_work_do_not_hide_something_new() {
    // Seconds on a machine that builds software now and then: thousands of programs and files, or a handful.
    let mut counts = [[0; FEATURES]; 28];
    for (at, window) in (0_u32..).zip(&mut counts) {
        (window[0], window[2], window[10]) = (4 + at % 3, 5 + at % 3, 1 + at % 2);
        if at % 3 == 1 {
            let files = 1 << (at * 7 % 12);
            for feature in [0, 2, 3, 10, 11, 12, 13] {
                window[feature] += files;
            }
        }
    }
    let model = Model::fit(&counts).unwrap();
    // Guessed passwords, a login, root, a program from /tmp that reads what is sensitive.
    let mut attack = counts[0];
    (attack[4], attack[5], attack[14], attack[15], attack[16], attack[17], attack[18]) = (6, 5, 2, 6, 1, 2, 9);
    let improbable = model.measure(&attack).probability;
    assert!(improbable < 0.002, "{improbable}");
    let mut burst = counts[1];
    burst[0] *= 2;
    assert!(model.measure(&burst).probability > 0.1, "one more burst");
}

#[test]
fn being_far_busier_in_the_usual_proportions_counts_too() {
    let mut world = World::new(Settings::default());
    (0..100).for_each(|window| world.usual(window));
    for _ in 0..40 {
        world.usual(100);
    }
    world.engine.flush(&mut world.out);
    assert_eq!(world.out.len(), 1);
}

#[test]
fn what_is_anomalous_is_not_learned_until_it_lasts() {
    let mut world = World::new(Settings::default());
    (0..60).for_each(|window| world.usual(window));
    for window in 60..100 {
        world.usual(window);
        world.attack(window);
    }
    let at_change = world.engine.baseline_windows(SENSOR);
    assert!((60..=76).contains(&at_change), "learned {at_change} of 60 usual and 40 anomalous windows");
    let raised = world.out.len();
    assert!((1..=3).contains(&raised), "{raised} findings on one day");
    // Two days on the host has changed, and nobody is told any more.
    for window in 100..700 {
        world.usual(window);
        world.attack(window);
    }
    let before = world.out.len();
    for window in 700..800 {
        world.usual(window);
        world.attack(window);
    }
    assert!(world.out.len() <= before + 3, "{:?}", world.out.len() - before);
}

#[test]
fn noise_does_not_buy_silence() {
    let mut world = World::new(Settings { findings_per_day: 2, ..Settings::default() });
    (0..60).for_each(|window| world.usual(window));
    for window in 60..70 {
        world.usual(window);
        for _ in 0..20 {
            world.happens(window, Some((33, "/tmp/x")), file(FileOperation::Delete));
        }
    }
    let spent = world.out.len();
    assert!((1..=2).contains(&spent), "{spent}");
    world.usual(70);
    for _ in 0..5 {
        world.attack(70);
    }
    world.engine.flush(&mut world.out);
    assert_eq!(world.out.len(), spent + 1, "far worse than the noise");
}

#[test]
fn a_snapshot_continues_as_if_it_had_never_stopped_and_is_small() {
    let story = |world: &mut World, windows: std::ops::Range<i64>| windows.for_each(|window| world.usual(window));
    let mut whole = World::new(Settings::default());
    story(&mut whole, 0..300);
    let snapshot = whole.engine.snapshot();
    assert!(snapshot.len() <= 70_000, "{} bytes", snapshot.len());

    let mut resumed = World::new(Settings::default());
    assert!(resumed.engine.restore(&snapshot).unwrap());
    (resumed.seed, resumed.seq) = (whole.seed, whole.seq);
    whole.out.clear();
    for world in [&mut whole, &mut resumed] {
        world.usual(300);
        world.attack(300);
        world.engine.flush(&mut world.out);
    }
    assert_eq!(whole.out.len(), 1);
    // The window that was open at the snapshot is gone unless its events come again; this one was over.
    assert_eq!(resumed.out[0].events, whole.out[0].events);

    let late = resumed.engine.losses().late;
    resumed.happens(299, None, Activity::Log(line()));
    assert_eq!(resumed.engine.losses().late, late + 1, "a window that is over is not counted again");
}

#[test]
fn a_full_host_fits_the_bound() {
    let mut world = World::new(Settings::default());
    let host = world.engine.hosts.entry(SENSOR).or_default();
    for window in 0..288 {
        host.memory.baseline.learn([1_000_000 - window; FEATURES], 288);
    }
    (0..2000).for_each(|mark| host.memory.known.learn(u32::MAX - mark));
    let measure = |distance| model::Measure { distance, probability: 0.0, parts: [0.0; FEATURES] };
    for at in 0..300 {
        host.memory.budget.spend(Timestamp(i64::MAX), &measure(1.1_f64.powi(at) * 7.3), 1000, WINDOW);
    }
    let size = world.engine.snapshot().len();
    assert!(size <= 70_000, "{size} bytes");
}

#[test]
fn a_snapshot_that_is_none_is_refused() {
    let mut engine = Anomaly::new(Settings::default());
    assert!(engine.restore(b"{}").is_err());
    let other = Anomaly::new(Settings { window: Duration::from_secs(1), ..Settings::default() });
    assert!(!engine.restore(&other.snapshot()).unwrap());
}

#[test]
fn a_window_ends_without_further_traffic() {
    let mut world = World::new(Settings::default());
    let at = |seconds: i64| Timestamp(seconds * 1_000_000_000);
    let first = i64::from(WARM_UP);
    for window in 0..=first {
        world.engine.advance(at(window * 300), &mut world.out);
        world.happens(window, None, Activity::Log(line()));
    }
    world.engine.advance(at(first * 300 + 304), &mut world.out);
    assert_eq!(world.engine.baseline_windows(SENSOR), 0);
    world.engine.advance(at(first * 300 + 305), &mut world.out);
    assert_eq!(world.engine.baseline_windows(SENSOR), 1);
}

#[test]
fn the_windows_of_the_sensors_start_are_not_learned() {
    let mut world = World::new(Settings::default());
    for window in 0..10 {
        world.usual(window);
    }
    world.engine.flush(&mut world.out);
    assert_eq!(world.engine.baseline_windows(SENSOR), 10 - usize::from(WARM_UP));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_baseline_panics_and_every_probability_is_one(
        windows in proptest::collection::vec(prop_oneof![
            Just([0; FEATURES]),
            any::<[bool; FEATURES]>().prop_map(|bits| bits.map(|bit| if bit { 1_000_000 } else { 0 })),
            any::<[u8; FEATURES]>().prop_map(|counts| counts.map(u32::from)),
        ], 2..60),
        probe: [u16; FEATURES],
    ) {
        if let Ok(model) = Model::fit(&windows) {
            let measure = model.measure(&probe.map(u32::from));
            prop_assert!((0.0..=1.0).contains(&measure.probability), "{}", measure.probability);
            prop_assert!(measure.distance.is_finite());
        }
    }
}

/// `cargo test --release -p bongsu-detection rollup_costs -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
fn rollup_costs() {
    let mut world = World::new(Settings::default());
    let start = std::time::Instant::now();
    (0..1000).for_each(|window| world.usual(window));
    println!("{} ns an event, making it and fits included", start.elapsed().as_nanos() / u128::from(world.seq));
    let windows: Vec<_> = world.engine.hosts[&SENSOR].memory.baseline.windows().copied().collect();
    let start = std::time::Instant::now();
    Model::fit(&windows).unwrap();
    println!("{} us a fit of {} windows", start.elapsed().as_micros(), windows.len());
}
