//! Floods, wrong clocks and late events.

use super::*;

const DAY_MS: i64 = 24 * 60 * MINUTE;

fn at_ms(time: i64) -> Timestamp {
    Timestamp(time * 1_000_000)
}

#[test]
fn a_flood_on_one_key_is_one_group_and_one_finding() {
    let mut engine = engine(rule(Scope::Host, vec![step(FAILED, 5, Some(Duration::from_mins(10)), &["user.name"])]));
    let mut out = Vec::new();
    for seq in 1..=100_000 {
        engine.observe(&event(1, seq, seq as i64, "root"), &[FAILED], &mut out);
    }
    engine.flush(&mut out);
    assert_eq!(numbers(&out), [[1, 2, 3, 4, 5]]);
    assert_eq!(engine.occupancy().collect::<Vec<_>>(), [("brute-force-then-root", 1, 0)]);
    assert_eq!(engine.losses(), super::super::Losses::default());
}

/// `ROUNDS=1000000 cargo test --release -p bongsu-detection flood_costs -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
fn flood_costs() {
    let rounds: u64 = std::env::var("ROUNDS").map_or(1_000_000, |rounds| rounds.parse().unwrap());
    for (what, users, matched) in
        [("one hot key", 1, &[FAILED][..]), ("a new key each", rounds, &[FAILED]), ("unmatched", 1, &[])]
    {
        let events: Vec<StoredEvent> =
            (1..=rounds).map(|seq| event(1, seq, seq as i64, &format!("user{}", seq % users))).collect();
        let mut engine = engine(example(Scope::Host));
        let mut out = Vec::new();
        let start = std::time::Instant::now();
        for event in &events {
            engine.observe(event, matched, &mut out);
        }
        engine.flush(&mut out);
        println!("{what}: {} ns an event", start.elapsed().as_nanos() / u128::from(rounds));
    }
}

#[test]
fn a_flood_of_users_does_not_evict_the_victim() {
    let limits = Limits { groups_max: 1000, ..Limits::default() };
    let mut engine = Sequences::new(vec![example(Scope::Host)], limits).unwrap();
    let mut out = Vec::new();
    let mut seq = 0;
    let mut feed = |engine: &mut Sequences, time: i64, user: &str, rule: RuleIndex, out: &mut Vec<Finding>| {
        seq += 1;
        engine.observe(&event(1, seq, time, user), &[rule], out);
    };
    for time in 0..5 {
        feed(&mut engine, time, "victim", FAILED, &mut out);
    }
    feed(&mut engine, 5, "victim", SUCCESS, &mut out);
    for fake in 0..20_000 {
        feed(&mut engine, 10 + fake, &format!("fake{fake}"), FAILED, &mut out);
        // Half of them come as far as three failures.
        if fake % 2 == 0 {
            feed(&mut engine, 10 + fake, &format!("fake{fake}"), FAILED, &mut out);
            feed(&mut engine, 10 + fake, &format!("fake{fake}"), FAILED, &mut out);
        }
    }
    // A newcomer gets through although the table is full of groups further on than it.
    for time in 0..5 {
        feed(&mut engine, 20_100 + time, "late victim", FAILED, &mut out);
        feed(&mut engine, 20_100 + time, &format!("more{time}"), FAILED, &mut out);
    }
    feed(&mut engine, 20_200, "late victim", SUCCESS, &mut out);
    feed(&mut engine, 20_201, "late victim", PRIVILEGE, &mut out);
    feed(&mut engine, 20_202, "victim", PRIVILEGE, &mut out);
    engine.flush(&mut out);
    assert_eq!(out.len(), 2);
    let (_, groups, evicted) = engine.occupancy().next().unwrap();
    assert_eq!((groups, evicted), (1000, 20_000 + 5 + 2 - 1000));
}

#[test]
fn a_clock_a_day_ahead_moves_nothing_for_others() {
    for scope in [Scope::Host, Scope::Fleet] {
        let mut engine = engine(example(scope));
        let mut out = Vec::new();
        let story = [FAILED, FAILED, FAILED, FAILED, FAILED, SUCCESS, PRIVILEGE];
        for (seq, (second, rule)) in (1..).zip((0..).zip(story)) {
            engine.advance(at_ms(second * 1000), &mut out);
            // Another host is a day ahead, and speaks of the same user.
            engine.observe(&event(2, seq, second * 1000 + DAY_MS, "a"), &[PRIVILEGE], &mut out);
            engine.observe(&event(1, seq, second * 1000, "a"), &[rule], &mut out);
        }
        for second in 7..20 {
            engine.advance(at_ms(second * 1000), &mut out);
        }
        assert_eq!(out.len(), 1, "{scope:?}");
        assert_eq!((engine.losses().ahead, engine.losses().late), (7, 0), "{scope:?}");
    }
}

#[test]
fn a_forged_time_stamp_does_not_blind_its_own_host() {
    let mut engine = engine(example(Scope::Host));
    let mut out = Vec::new();
    let story = [FAILED, FAILED, FAILED, FAILED, FAILED, SUCCESS, PRIVILEGE];
    let mut seq = 0;
    for (second, rule) in (0..).zip(story) {
        engine.advance(at_ms(second * 1000), &mut out);
        for (time, rule) in [(second * 1000 + DAY_MS, FAILED), (second * 1000, rule)] {
            seq += 1;
            engine.observe(&event(1, seq, time, if time < DAY_MS { "a" } else { "forged" }), &[rule], &mut out);
        }
    }
    for second in 7..20 {
        engine.advance(at_ms(second * 1000), &mut out);
    }
    assert_eq!(numbers(&out), [[2, 4, 6, 8, 10, 12, 14]]);
    assert_eq!(engine.losses().late, 0);
}

#[test]
fn what_comes_too_late_is_counted_and_makes_up_no_order() {
    let pair = rule(
        Scope::Host,
        vec![step(FAILED, 1, None, &["user.name"]), step(SUCCESS, 1, Some(Duration::from_mins(5)), &["user.name"])],
    );
    let mut engine = engine(pair);
    let mut out = Vec::new();
    engine.observe(&event(1, 1, 10_000, "a"), &[FAILED], &mut out);
    engine.observe(&event(1, 2, 20_000, "b"), &[], &mut out);
    engine.observe(&event(1, 3, 9_000, "a"), &[SUCCESS], &mut out);
    engine.flush(&mut out);
    assert!(out.is_empty(), "the success was before the failure");
    assert_eq!(engine.losses().late, 1);
}

#[test]
fn an_event_delivered_twice_counts_once() {
    let mut engine = engine(rule(Scope::Host, vec![step(FAILED, 2, None, &["user.name"])]));
    let mut out = Vec::new();
    engine.observe(&event(1, 1, 0, "a"), &[FAILED], &mut out);
    engine.observe(&event(1, 1, 0, "a"), &[FAILED], &mut out);
    engine.flush(&mut out);
    engine.observe(&event(1, 1, 0, "a"), &[FAILED], &mut out);
    engine.flush(&mut out);
    assert!(out.is_empty());
    assert_eq!(engine.losses().repeated, 2);
}

#[test]
fn groups_are_forgotten_when_nothing_can_complete_them() {
    let mut engine = engine(example(Scope::Host));
    let mut out = Vec::new();
    engine.advance(at_ms(0), &mut out);
    engine.observe(&event(1, 1, 0, "a"), &[FAILED], &mut out);
    engine.advance(at_ms(6000), &mut out);
    engine.advance(at_ms(10 * MINUTE), &mut out);
    assert_eq!(engine.occupancy().next().unwrap().1, 1);
    engine.advance(at_ms(11 * MINUTE), &mut out);
    assert_eq!(engine.occupancy().next().unwrap().1, 0);
}

#[test]
fn too_many_waiting_are_worked_off_early_and_counted() {
    let limits = Limits { pending_max: 10, ..Limits::default() };
    let mut engine = Sequences::new(vec![example(Scope::Host)], limits).unwrap();
    let mut out = Vec::new();
    for seq in 1..=25 {
        engine.observe(&event(1, seq, 0, "a"), &[FAILED], &mut out);
    }
    assert_eq!(engine.losses().hurried, 15);
}
