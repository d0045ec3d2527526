//! The engine against a definition that tries every choice of events.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::*;

/// An event of the small world: time in units of a second, one of two users, a set of steps.
type Small = (i64, u8, u8);

/// Events by number, steps as (count, seconds), and picks for a shuffle.
type World = (Vec<(u64, Small)>, Vec<(u32, i64)>, Vec<Index>);

const USERS: [&str; 2] = ["a", "b"];

/// The reported matches of one group's events, in order, straight from the definition in the module's doc.
fn reported(events: &[(u64, Small)], steps: &[(u32, i64)]) -> Vec<Vec<u64>> {
    let mut used: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    let mut found = Vec::new();
    for end in 0..events.len() {
        let mut best: Option<Vec<Vec<usize>>> = None;
        choose(events, steps, end, &mut Vec::new(), &mut |choice| {
            let latest = |choice: &[Vec<usize>]| {
                choice.iter().rev().flat_map(|step| step.iter().rev()).copied().collect::<Vec<_>>()
            };
            if best.as_ref().is_none_or(|best| latest(best) < latest(choice)) {
                best = Some(choice.to_vec());
            }
        });
        let Some(best) = best else { continue };
        let fresh = best.iter().zip(&used).all(|(step, used)| step.iter().all(|event| !used.contains(event)));
        for (step, used) in best.iter().zip(&mut used) {
            used.extend(step);
        }
        if fresh {
            found.push(best.iter().flatten().map(|event| events[*event].0).collect());
        }
    }
    found
}

/// Calls `each` with every choice of events that is a match and ends in `end`.
fn choose(
    events: &[(u64, Small)],
    steps: &[(u32, i64)],
    end: usize,
    chosen: &mut Vec<Vec<usize>>,
    each: &mut impl FnMut(&[Vec<usize>]),
) {
    let time = |event: usize| events[event].1.0;
    let Some((count, within)) = steps.get(chosen.len()) else {
        if chosen.last().and_then(|step| step.last()) == Some(&end) {
            each(chosen);
        }
        return;
    };
    let number = chosen.len();
    let after = chosen.last().and_then(|step| step.last()).copied();
    let from = after.map_or(0, |after| after + 1);
    let candidates: Vec<usize> = (from..=end).filter(|event| events[*event].1.2 >> number & 1 == 1).collect();
    for mask in 0_u32..1 << candidates.len() {
        if mask.count_ones() != *count {
            continue;
        }
        let step: Vec<usize> =
            (0..candidates.len()).filter(|bit| mask >> bit & 1 == 1).map(|bit| candidates[bit]).collect();
        let begin = after.unwrap_or(step[0]);
        if time(*step.last().unwrap()) - time(begin) <= *within {
            chosen.push(step);
            choose(events, steps, end, chosen, each);
            chosen.pop();
        }
    }
}

fn small_rule(steps: &[(u32, i64)]) -> SequenceRule {
    let step = |(number, (count, within)): (u32, &(u32, i64))| {
        let within = Some(Duration::from_secs(*within as u64));
        step(RuleIndex(number), *count, within, &["user.name"])
    };
    rule(Scope::Host, (0..).zip(steps).map(step).collect())
}

fn matched(steps: u8) -> Vec<RuleIndex> {
    (0..3).filter(|bit| steps >> bit & 1 == 1).map(RuleIndex).collect()
}

fn stored(seq: u64, (time, user, _): Small) -> StoredEvent {
    event(1, seq, time * 1000, USERS[usize::from(user)])
}

/// An order of arrival in which no event comes more than five seconds of event time too late.
fn shuffle(events: &mut Vec<(u64, Small)>, picks: &[Index]) {
    let mut rest = std::mem::take(events);
    let mut newest = i64::MIN;
    let mut picks = picks.iter();
    while !rest.is_empty() {
        let oldest = rest.iter().map(|(_, small)| small.0).min().unwrap();
        // Taking this one makes none of the rest too late.
        let allowed: Vec<usize> = (0..rest.len()).filter(|at| rest[*at].1.0.max(newest) - 5 <= oldest).collect();
        let at = picks.next().map_or(allowed[0], |pick| *pick.get(&allowed));
        newest = newest.max(rest[at].1.0);
        events.push(rest.remove(at));
    }
}

fn all(events: &[(u64, Small)], steps: &[(u32, i64)]) -> Vec<Finding> {
    let mut engine = engine(small_rule(steps));
    let mut out = Vec::new();
    for (seq, small) in events {
        engine.observe(&stored(*seq, *small), &matched(small.2), &mut out);
    }
    engine.flush(&mut out);
    assert_eq!(engine.losses(), super::super::Losses::default());
    out
}

fn worlds() -> impl Strategy<Value = World> {
    let steps = select(vec![vec![1], vec![3], vec![2, 1], vec![1, 2], vec![2, 2], vec![1, 1, 1], vec![2, 1, 2]]);
    let steps = (steps, vec(0_i64..8, 3)).prop_map(|(counts, within)| counts.into_iter().zip(within).collect());
    let events = vec((0_i64..16, 0_u8..2, 0_u8..8), 0..14).prop_map(|mut events| {
        events.sort_by_key(|event| event.0);
        (1..).zip(events).collect()
    });
    (events, steps, vec(any::<Index>(), 14))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_engine_agrees_with_the_definition_in_every_order_of_arrival((events, steps, picks) in worlds()) {
        let mut expected: Vec<Vec<u64>> = Vec::new();
        for user in 0..2 {
            let own: Vec<_> = events.iter().copied().filter(|(_, small)| small.1 == user).collect();
            expected.extend(reported(&own, &steps));
        }
        expected.sort();
        let in_order = all(&events, &steps);
        let mut shuffled = events;
        shuffle(&mut shuffled, &picks);
        let out_of_order = all(&shuffled, &steps);
        prop_assert_eq!(&in_order, &out_of_order);
        let mut found = numbers(&in_order);
        found.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn an_engine_fed_its_lookback_goes_on_as_if_it_had_never_stopped((events, steps, _) in worlds(), start in 0_i64..8) {
        let mut engine = engine(small_rule(&steps));
        let start_time = Timestamp(start * 1_000_000_000);
        let end = start_time.saturating_add(engine.lookback());
        engine.resume_from(start_time);
        let mut resumed = Vec::new();
        for (seq, small) in events.iter().filter(|(_, small)| small.0 >= start) {
            engine.observe(&stored(*seq, *small), &matched(small.2), &mut resumed);
        }
        engine.flush(&mut resumed);
        let whole: Vec<Finding> = all(&events, &steps).into_iter().filter(|finding| finding.last >= end).collect();
        prop_assert_eq!(resumed, whole);
    }
}
