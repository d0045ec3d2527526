//! What a person expects of the example.

use super::*;

const F: &[RuleIndex] = &[FAILED];
const S: &[RuleIndex] = &[SUCCESS];
const P: &[RuleIndex] = &[PRIVILEGE];

#[test]
fn five_failures_a_success_and_a_privilege_change_are_one_finding_with_all_its_events() {
    let mut engine = engine(example(Scope::Host));
    let mut out = Vec::new();
    let story = [(0, F), (1000, F), (2000, F), (3000, F), (4000, F), (61_000, S), (90_000, P)];
    for (seq, (time, matched)) in (1..).zip(story) {
        engine.observe(&event(1, seq, time, "deploy"), matched, &mut out);
    }
    assert!(out.is_empty(), "an earlier event could still arrive");
    engine.flush(&mut out);
    assert_eq!(numbers(&out), [[1, 2, 3, 4, 5, 6, 7]]);
    assert_eq!(
        out[0].reasons,
        [
            "same user.name deploy",
            "5 times failed_login within 4 s",
            "login_success, 57 s later",
            "privilege_change, 29 s later"
        ]
    );
    assert_eq!((out[0].first, out[0].last), (Timestamp(0), Timestamp(90_000_000_000)));
}

#[test]
fn each_way_to_miss_it_is_missed() {
    let ways: [(&str, &[Fed]); 6] = [
        ("four failures", &[(0, "a", F), (1, "a", F), (2, "a", F), (3, "a", F), (4, "a", S), (5, "a", P)]),
        ("no success", &[(0, "a", F), (1, "a", F), (2, "a", F), (3, "a", F), (4, "a", F), (5, "a", P)]),
        (
            "failures too far apart",
            &[
                (0, "a", F),
                (1, "a", F),
                (2, "a", F),
                (3, "a", F),
                (10 * MINUTE + 1, "a", F),
                (11 * MINUTE, "a", S),
                (12 * MINUTE, "a", P),
            ],
        ),
        (
            "success too late",
            &[
                (0, "a", F),
                (1, "a", F),
                (2, "a", F),
                (3, "a", F),
                (4, "a", F),
                (5 * MINUTE + 5, "a", S),
                (6 * MINUTE, "a", P),
            ],
        ),
        (
            "privilege change too late",
            &[(0, "a", F), (1, "a", F), (2, "a", F), (3, "a", F), (4, "a", F), (5, "a", S), (30 * MINUTE + 6, "a", P)],
        ),
        (
            "another user, by a letter's case",
            &[(0, "a", F), (1, "a", F), (2, "a", F), (3, "a", F), (4, "a", F), (5, "a", S), (6, "A", P)],
        ),
    ];
    for (way, events) in ways {
        assert_eq!(check(example(Scope::Host), events), Vec::<Vec<u64>>::new(), "{way}");
    }
}

#[test]
fn deadlines_are_met_by_the_last_nanosecond() {
    let events: &[Fed] = &[
        (0, "a", F),
        (1, "a", F),
        (2, "a", F),
        (3, "a", F),
        (10 * MINUTE, "a", F),
        (15 * MINUTE, "a", S),
        (45 * MINUTE, "a", P),
    ];
    assert_eq!(check(example(Scope::Host), events), [[1, 2, 3, 4, 5, 6, 7]]);
}

#[test]
fn the_window_of_failures_slides_and_the_latest_ones_are_told() {
    let mut events: Vec<Fed> = (0..40).map(|minute| (minute * MINUTE, "a", F)).collect();
    events.extend([(40 * MINUTE, "a", S), (41 * MINUTE, "a", P)]);
    assert_eq!(check(example(Scope::Host), &events), [[36, 37, 38, 39, 40, 41, 42]]);
}

#[test]
fn a_second_sudo_is_no_second_finding_and_a_second_break_in_is() {
    let break_in = |at: i64| {
        [(at, "a", F), (at, "a", F), (at, "a", F), (at, "a", F), (at, "a", F), (at + 1, "a", S), (at + 2, "a", P)]
    };
    let mut events = break_in(0).to_vec();
    events.push((3, "a", P));
    events.extend(break_in(MINUTE));
    assert_eq!(check(example(Scope::Host), &events), [[1, 2, 3, 4, 5, 6, 7], [9, 10, 11, 12, 13, 14, 15]]);
}

#[test]
fn one_event_never_serves_two_steps() {
    let both: &[RuleIndex] = &[FAILED, SUCCESS];
    let pair = || {
        let key = ["user.name"];
        let within = Some(Duration::from_mins(1));
        rule(Scope::Host, vec![step(FAILED, 1, None, &key), step(SUCCESS, 1, within, &key)])
    };
    assert_eq!(check(pair(), &[(0, "a", both)]), Vec::<Vec<u64>>::new());
    assert_eq!(check(pair(), &[(0, "a", both), (1, "a", both)]), [[1, 2]]);
}

#[test]
fn order_is_kept_within_a_second() {
    let events: &[Fed] = &[(0, "a", S), (1, "a", F), (2, "a", F), (3, "a", F), (4, "a", F), (5, "a", F), (6, "a", P)];
    assert_eq!(check(example(Scope::Host), events), Vec::<Vec<u64>>::new(), "the success came first");
}

#[test]
fn an_event_without_the_key_is_counted_and_joins_nothing() {
    let mut engine = engine(rule(Scope::Host, vec![step(FAILED, 2, None, &["container.id"])]));
    let mut out = Vec::new();
    for seq in 1..4 {
        engine.observe(&event(1, seq, 0, "a"), F, &mut out);
    }
    engine.flush(&mut out);
    assert!(out.is_empty());
    assert_eq!(engine.losses().keyless, 3);
}

#[test]
fn hosts_are_apart_unless_the_rule_spans_the_fleet() {
    for (scope, expected) in [(Scope::Host, 0), (Scope::Fleet, 1)] {
        let mut engine = engine(example(scope));
        let mut out = Vec::new();
        for seq in 1..=5 {
            engine.observe(&event(1, seq, seq as i64, "a"), F, &mut out);
        }
        engine.observe(&event(2, 1, 10, "a"), S, &mut out);
        engine.observe(&event(3, 1, 20, "a"), P, &mut out);
        engine.flush(&mut out);
        assert_eq!(out.len(), expected, "{scope:?}");
    }
}

#[test]
fn a_finding_needs_no_further_traffic() {
    let mut engine = engine(rule(Scope::Host, vec![step(FAILED, 1, None, &["user.name"])]));
    let mut out = Vec::new();
    let at = |seconds: i64| Timestamp(seconds * 1_000_000_000);
    engine.advance(at(100), &mut out);
    engine.observe(&event(1, 1, 100_000, "a"), F, &mut out);
    engine.advance(at(104), &mut out);
    assert!(out.is_empty());
    engine.advance(at(105), &mut out);
    assert_eq!(numbers(&out), [[1]]);
}

#[test]
fn rules_that_cannot_run_are_refused() {
    let refusal = |rule| Sequences::new(vec![rule], Limits::default()).unwrap_err().to_string();
    let mut nothing = step(FAILED, 1, None, &[]);
    nothing.rules.clear();
    let table = [
        (vec![], "sequence brute-force-then-root: it has no steps"),
        (vec![nothing], "sequence brute-force-then-root: step failed_login names no rule"),
        (
            vec![step(FAILED, 1, None, &["user.name"]), step(SUCCESS, 1, None, &[])],
            "sequence brute-force-then-root: step login_success has 0 key fields, the first step has 1",
        ),
        (
            vec![step(FAILED, 1, None, &["user.name"]), step(SUCCESS, 1, None, &["process.pid"])],
            "sequence brute-force-then-root: step login_success compares process.pid with user.name of the first step, which has another type",
        ),
        (
            vec![step(FAILED, 200, None, &[]), step(SUCCESS, 200, None, &[])],
            "sequence brute-force-then-root: one group could hold 40400 events, more than 10000; ask for fewer",
        ),
    ];
    for (steps, message) in table {
        assert_eq!(refusal(rule(Scope::Host, steps)), message);
    }
}
