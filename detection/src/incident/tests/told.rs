//! Rules that fire again and again.

use super::*;

/// A program below /tmp that a shell started.
fn exec(number: u32, path: &str, who: &str) -> Finding {
    let start = 1_000 + u64::from(number);
    let entities = [acts(process(10_000 + number, start)), above(process(900, 990)), file(path), user(who)];
    finding("temp-exec", u64::from(number) + 1, 1_000 + i64::from(number) / 100, &entities)
}

#[test]
fn a_storm_of_one_rule_is_a_few_findings_and_a_number() {
    let mut grouper = grouper();
    let storm: Vec<_> = (0..10_000).map(|number| exec(number, "/tmp/noop", "root")).collect();
    let placements: Vec<_> = storm.iter().map(|finding| grouper.place(finding)).collect();
    assert!(placements.iter().all(|placement| placement.incident == Some(IncidentKey(1))));
    let kept: usize = placements.iter().map(|placement| placement.joined.len()).sum();
    let repeats: Vec<_> = placements.iter().filter_map(|placement| placement.repeats).collect();
    assert_eq!((kept, repeats.len()), (16, 9_984));
    assert!(repeats.iter().all(|of| *of == storm[0].id), "counted at the first of them");
}

#[test]
fn what_a_repetition_leads_to_finds_its_incident() {
    let mut grouper = grouper();
    for number in 0..300 {
        grouper.place(&exec(number, "/tmp/noop", "root"));
    }
    let child = finding("shell", 9_999, 1_010, &[acts(process(77, 1_400)), above(process(10_299, 1_299))]);
    let placed = grouper.place(&child);
    assert_eq!((placed.incident, placed.joined, placed.repeats), (Some(IncidentKey(1)), vec![child.id], None));
}

#[test]
fn a_repetition_that_names_somebody_or_something_new_is_kept() {
    let mut grouper = grouper();
    for number in 0..100 {
        grouper.place(&exec(number, "/tmp/noop", "root"));
    }
    let mut number = 100;
    let mut next = |grouper: &mut Grouper, path: &str, who: &str| {
        number += 1;
        grouper.place(&exec(number, path, who)).repeats.is_none()
    };
    assert!(next(&mut grouper, "/tmp/other", "root"));
    assert!(!next(&mut grouper, "/tmp/other", "root"));
    assert!(next(&mut grouper, "/tmp/noop", "www-data"));
    let files = (0..1_000).filter(|file| next(&mut grouper, &format!("/tmp/{file}"), "root")).count();
    assert_eq!(files, 62, "64 files in all");
    assert!(next(&mut grouper, "/tmp/noop", "backup"), "a flood of files does not hide who did it");
}

#[test]
fn two_incidents_that_become_one_know_what_both_were_told() {
    let mut grouper = grouper();
    let other = |number: u32| {
        let entities = [acts(process(20_000 + number, 9_000)), above(process(901, 8_990)), file("/tmp/b"), user("b")];
        finding("temp-exec", 50_000 + u64::from(number), 2_500, &entities)
    };
    for number in 0..20 {
        grouper.place(&exec(number, "/tmp/a", "a"));
        grouper.place(&other(number));
    }
    let both = [acts(process(10_000, 1_000)), acts(process(20_000, 9_000))];
    assert_eq!(grouper.place(&finding("sequence", 60_000, 2_600, &both)).merged, [IncidentKey(2)]);
    assert!(grouper.place(&exec(30, "/tmp/a", "a")).repeats.is_some());
    assert!(grouper.place(&other(30)).repeats.is_some());
}

#[test]
fn after_a_restart_it_goes_on_counting() {
    let storm: Vec<_> = (0..20).map(|number| exec(number, "/tmp/noop", "root")).collect();
    let mut restored = grouper();
    restored.restore(IncidentKey(1), &storm[..16]);
    let placed = restored.place(&storm[16]);
    assert_eq!((placed.repeats, placed.joined.len()), (Some(storm[0].id), 0));
}

#[test]
fn what_is_kept_and_belongs_nowhere_yet_is_never_a_repetition() {
    let low = |number| Finding { severity: Severity::Low, ..exec(number, "/tmp/noop", "root") };
    let mut grouper = grouper();
    let kept: Vec<_> = (0..20).map(low).collect();
    for finding in &kept {
        assert_eq!(grouper.place_kept(finding), Placement::default());
    }
    assert_eq!(grouper.place(&low(20)).repeats, Some(kept[0].id), "also before there is an incident");
    let opened = grouper.place(&exec(21, "/tmp/new", "root"));
    assert_eq!((opened.opened, opened.joined.len()), (true, 21));
}
