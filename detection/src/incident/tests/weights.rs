//! What joins two findings, what does not, and what opens an incident.

use super::*;

const DAY: u64 = 86_400;

/// Whether two findings of different rules, so many seconds apart, land in one incident.
fn join(a: &[Entity], b: &[Entity], apart_s: i64) -> bool {
    let at = 100 * 86_400;
    let findings = [finding("one", 1, at, a), finding("two", 2, at + apart_s, b)];
    partition(&mut grouper(), &findings).0.len() == 1
}

/// What it is about, the two findings' entities, how far apart they are, and whether they join.
type Pair = (&'static str, Vec<Entity>, Vec<Entity>, i64, bool);

#[test]
fn pairs_join_by_what_they_share() {
    let now = 100 * DAY;
    let [me, you, other] = [1, 2, 3].map(|at| process(1000 + at, now - at as u64));
    let parent = process(900, now - 60);
    let daemon = process(90, 10);
    let init = process(1, 0);
    let table: [Pair; 20] = [
        ("nothing", vec![acts(me)], vec![acts(you)], 0, false),
        ("a process", vec![acts(me)], vec![acts(me)], 3000, true),
        ("init acting", vec![acts(init)], vec![acts(init)], 0, false),
        ("one started the other", vec![acts(me)], vec![acts(other), above(me)], 100, true),
        ("a parent just started", vec![acts(me), above(parent)], vec![acts(you), above(parent)], 100, true),
        ("a daemon above both", vec![acts(me), above(daemon)], vec![acts(you), above(daemon)], 0, false),
        ("init above both", vec![acts(me), above(init)], vec![acts(you), above(init)], 0, false),
        ("an account", vec![user("kim")], vec![user("kim")], 900, true),
        ("an account, later", vec![user("kim")], vec![user("kim")], 901, false),
        (
            "an account, later, and a file",
            vec![user("kim"), file("/tmp/x")],
            vec![user("kim"), file("/tmp/x")],
            901,
            true,
        ),
        ("root", vec![user("root")], vec![user("root")], 0, false),
        (
            "root under a daemon",
            vec![user("root"), acts(me), above(daemon)],
            vec![user("root"), acts(you), above(daemon)],
            0,
            false,
        ),
        ("a public address", vec![address("198.51.100.1")], vec![address("198.51.100.1")], 3600, true),
        ("a mapped form of it", vec![address("198.51.100.1")], vec![address("::ffff:198.51.100.1")], 0, true),
        ("a private address", vec![address("10.0.0.1")], vec![address("10.0.0.1")], 0, false),
        (
            "a private address and root",
            vec![address("10.0.0.1"), user("root")],
            vec![address("10.0.0.1"), user("root")],
            0,
            true,
        ),
        (
            "loopback and root",
            vec![address("127.0.0.1"), user("root")],
            vec![address("127.0.0.1"), user("root")],
            0,
            false,
        ),
        ("a system file", vec![file("/etc/passwd")], vec![file("/etc/passwd")], 0, false),
        ("evidence", vec![Entity::Evidence(EvidenceId([1; 32]))], vec![Entity::Evidence(EvidenceId([1; 32]))], 0, true),
        ("anything after the idle time", vec![acts(me)], vec![acts(me)], 3601, false),
    ];
    for (what, a, b, apart, expected) in table {
        assert_eq!(join(&a, &b, apart), expected, "{what}");
        assert_eq!(join(&b, &a, -apart), expected, "{what}, the other way round");
    }
}

#[test]
fn a_sequence_bridges_what_shares_nothing() {
    let mut grouper = grouper();
    let login = finding("login", 1, 0, &[]);
    let root = finding("root", 2, 10, &[]);
    assert_ne!(grouper.place(&login).incident, grouper.place(&root).incident);
    let sequence =
        Finding { events: vec![event(1), event(2)], detector: Detector::Sequence, ..finding("sequence", 3, 10, &[]) };
    let placement = grouper.place(&sequence);
    assert_eq!((placement.incident, placement.opened), (Some(IncidentKey(1)), false));
    assert_eq!(placement.merged, [IncidentKey(2)]);
    assert_eq!(placement.joined, [sequence.id]);
    assert_eq!(grouper.place(&root).incident, Some(IncidentKey(1)));
}

#[test]
fn hosts_join_by_public_addresses_and_not_by_names() {
    let other_host = |finding: Finding| Finding { sensor: SensorId(Uuid::from_u128(2)), ..finding };
    for (entity, expected) in
        [(address("198.51.100.1"), 1), (address("10.0.0.1"), 2), (user("kim"), 2), (file("/tmp/x"), 2)]
    {
        let pair = [
            finding("one", 1, 0, std::slice::from_ref(&entity)),
            other_host(finding("two", 2, 0, std::slice::from_ref(&entity))),
        ];
        assert_eq!(partition(&mut grouper(), &pair).0.len(), expected, "{entity:?}");
    }
}

#[test]
fn low_findings_open_nothing_until_three_rules_agree() {
    let low = |rule: &str, seq| Finding { severity: Severity::Low, ..finding(rule, seq, 0, &[user("kim")]) };
    let mut grouper = grouper();
    for (rule, seq) in [("a", 1), ("a", 2), ("a", 3), ("b", 4)] {
        assert_eq!(grouper.place(&low(rule, seq)), Placement::default());
    }
    let placement = grouper.place(&low("c", 5));
    assert!(placement.opened);
    assert_eq!(placement.joined.len(), 5);

    let info = |rule: &str, seq| Finding { severity: Severity::Info, ..finding(rule, seq, 0, &[user("lee")]) };
    for (rule, seq) in [("a", 11), ("b", 12), ("c", 13), ("d", 14)] {
        assert_eq!(grouper.place(&info(rule, seq)).incident, None);
    }
}

#[test]
fn an_anomaly_waits_for_an_incident_on_its_host_and_joins_one_that_is_there() {
    let mut grouper = grouper();
    let (early, late) = (anomaly(1, 0, 300), anomaly(2, 200, 400));
    assert_eq!(grouper.place(&early), Placement::default());
    assert_eq!(
        grouper.place(&Finding { sensor: SensorId(Uuid::from_u128(2)), ..anomaly(3, 0, 300) }),
        Placement::default()
    );
    let cause = finding("cause", 4, 350, &[]);
    let placement = grouper.place(&cause);
    assert_eq!(placement.joined, [early.id, cause.id]);
    assert_eq!(grouper.place(&late).joined, [late.id]);
    assert_eq!(grouper.place(&anomaly(5, 500, 600)), Placement::default(), "too long after");
    assert_eq!(grouper.place(&early), Placement { incident: Some(IncidentKey(1)), ..Placement::default() });
}

#[test]
fn anomalies_join_nothing_to_anything() {
    let mut grouper = grouper();
    let entities = [user("kim"), acts(process(1000, 5)), acts(process(1001, 5))];
    let one = grouper.place(&finding("one", 1, 0, &entities[1..2])).incident;
    let wide = Finding { entities: entities.iter().cloned().collect(), ..anomaly(9, 0, 1) };
    assert_eq!(grouper.place(&wide).incident, one);
    assert_ne!(grouper.place(&finding("two", 2, 0, &entities[2..])).incident, one);
}

#[test]
fn a_closed_incident_takes_in_nothing_more() {
    let mut grouper = grouper();
    assert_eq!(grouper.place(&finding("one", 1, 0, &[user("kim")])).incident, Some(IncidentKey(1)));
    grouper.close(IncidentKey(1));
    let placement = grouper.place(&finding("two", 2, 1, &[user("kim")]));
    assert_eq!((placement.incident, placement.opened), (Some(IncidentKey(2)), true));
}

#[test]
fn a_rule_gone_mad_does_not_push_out_the_story() {
    let mut grouper = Grouper::new(Limits { findings_max: 100, ..Limits::default() }, IncidentKey(1));
    let story = grouper.place(&finding("story", 1, 0, &[acts(process(1000, 5))])).incident;
    for seq in 0..1000 {
        grouper.place(&finding("mad", 10 + seq, 1, &[acts(process(2000 + u32::try_from(seq).unwrap(), 5))]));
    }
    assert_eq!(grouper.forgotten(), 901);
    assert_eq!(grouper.place(&finding("more", 2, 2, &[acts(process(1000, 5))])).incident, story);
}

#[test]
fn what_is_old_is_forgotten() {
    let mut grouper = grouper();
    let hour = 3_600_000_000_000;
    grouper.advance(Timestamp(0));
    let one = grouper.place(&finding("one", 1, 0, &[acts(process(1000, 5))])).incident;
    grouper.advance(Timestamp(23 * hour));
    assert_eq!(grouper.place(&finding("two", 2, 0, &[acts(process(1000, 5))])).incident, one, "late news of the past");
    grouper.advance(Timestamp(48 * hour));
    assert!(grouper.place(&finding("three", 3, 0, &[acts(process(1000, 5))])).opened);
}
