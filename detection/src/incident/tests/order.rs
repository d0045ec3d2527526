//! Every order of arrival gives the same incidents.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// Findings of a small world, so that they often share something.
fn findings() -> impl Strategy<Value = Vec<Finding>> {
    let entity = (0_u8..9).prop_map(|at| match at {
        0 => acts(process(1000, 5)),
        1 => acts(process(1001, 4000)),
        2 => above(process(1000, 5)),
        3 => above(process(900, 3900)),
        4 => user("kim"),
        5 => user("root"),
        6 => address("198.51.100.1"),
        7 => address("10.0.0.1"),
        _ => file("/tmp/x"),
    });
    let rule = select(vec!["a", "b", "c", "d"]);
    let severity = select(vec![Severity::Info, Severity::Low, Severity::Low, Severity::Medium]);
    let one = (rule, severity, 0_i64..7200, 1_u128..3, vec(entity, 0..3));
    vec(one, 0..14).prop_map(|all| {
        let build = |(seq, (rule, severity, at, host, entities)): (u64, (&str, Severity, i64, u128, Vec<Entity>))| {
            let sensor = SensorId(Uuid::from_u128(host));
            // Now and then two rules speak of one event.
            Finding { severity, sensor, ..finding(rule, seq - seq % 5 / 4, at, &entities) }
        };
        let mut all: Vec<Finding> = (1..).zip(all).map(build).collect();
        all.sort_by_key(|finding| finding.id);
        all.dedup_by_key(|finding| finding.id);
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_order_of_arrival_decides_nothing((one, other) in findings().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))) {
        prop_assert_eq!(partition(&mut grouper(), &one), partition(&mut grouper(), &other));
    }

    #[test]
    fn scores_are_bounded_and_blind_to_order((one, other) in findings().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))) {
        use crate::incident::{score, severity, title};
        let told = score(&one);
        prop_assert_eq!(&told, &score(&other));
        prop_assert_eq!(told.value, told.parts.iter().map(|part| part.points).sum::<u32>().min(100));
        prop_assert_eq!(severity(&one), severity(&other));
        prop_assert_eq!(title(&one), title(&other));
    }
}
