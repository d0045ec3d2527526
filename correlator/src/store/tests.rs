//! Against a real database in a directory of its own.

use std::{collections::BTreeSet, time::Duration};

use bongsu_detection::{Detector, Entity, EvidenceWish, Finding, FindingId};
use bongsu_event::{Activity, Event, EventId, EvidenceId, Log, ProcessKey, SensorId, Severity, StoredEvent, Timestamp};
use bstr::BString;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

const AT: Timestamp = Timestamp(1_000);
const EPOCH: u64 = 7;

async fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("bongsu.db")).await.unwrap();
    (dir, store)
}

fn sensor_id(number: u128) -> SensorId {
    SensorId(Uuid::from_u128(number))
}

async fn sensor(store: &Store, number: u8) -> i64 {
    let secret = [number; 32];
    store.add_join_token(&secret, AT, AT.saturating_add(Duration::from_secs(1))).await.unwrap();
    store.enrol(&secret, sensor_id(u128::from(number)), &[number], b"web-1", AT).await.unwrap();
    store.sensor(sensor_id(u128::from(number))).await.unwrap().unwrap().no
}

fn event(seq: u64, message: &str) -> NewEvent {
    let log = Log { path: "/var/log/x".into(), program: None, message: message.into(), meaning: None };
    let time = Timestamp(i64::try_from(seq).unwrap() * 10);
    let event = Event { time, process: None, activity: Activity::Log(log) };
    let body = bongsu_proto::convert::to_bytes(&event).unwrap().into();
    NewEvent { seq, time, action: "log", process: None, body }
}

fn batch(sensor: i64, seqs: std::ops::RangeInclusive<u64>) -> NewBatch {
    let (first_seq, last_seq) = (*seqs.start(), *seqs.end());
    let events = seqs.map(|seq| event(seq, &format!("line {seq}"))).collect();
    NewBatch { sensor, epoch: EPOCH, first_seq, last_seq, events, received_at: AT }
}

async fn append_one(store: &Store, batch: &NewBatch) -> Result<Appended, AppendError> {
    let mut write = store.write().await.unwrap();
    let appended = append(&mut write, batch).await;
    commit(write).await.unwrap();
    appended
}

async fn messages(store: &Store, number: u128) -> Vec<(u64, String)> {
    let range = EventRange::Seqs { epoch: EPOCH, first: 0, last: u64::MAX };
    let events = store.events_of(sensor_id(number), range, 10_000).await.unwrap();
    let message = |event: &StoredEvent| match &event.event.activity {
        Activity::Log(log) => log.message.to_string(),
        other => panic!("{other:?}"),
    };
    events.iter().map(|event| (event.id.seq, message(event))).collect()
}

#[tokio::test]
async fn a_replay_adds_nothing_and_what_is_new_in_it_is_added() {
    let (_dir, store) = store().await;
    let no = sensor(&store, 1).await;
    let first = append_one(&store, &batch(no, 1..=450)).await.unwrap();
    assert_eq!(first, Appended { stored_up_to: 450, added: 450 });
    let replay = append_one(&store, &batch(no, 1..=450)).await.unwrap();
    assert_eq!(replay, Appended { stored_up_to: 450, added: 0 });
    let overlapping = append_one(&store, &batch(no, 440..=460)).await.unwrap();
    assert_eq!(overlapping, Appended { stored_up_to: 460, added: 10 });
    let stored = messages(&store, 1).await;
    assert_eq!(stored, (1..=460).map(|seq| (seq, format!("line {seq}"))).collect::<Vec<_>>());
    assert_eq!(store.stored_up_to(no, EPOCH).await.unwrap(), 460);
}

#[tokio::test]
async fn a_number_with_another_event_is_refused_and_nothing_of_its_batch_is_stored() {
    let (_dir, store) = store().await;
    let no = sensor(&store, 1).await;
    append_one(&store, &batch(no, 1..=5)).await.unwrap();
    let mut lying = batch(no, 3..=8);
    lying.events[1] = event(4, "something else");
    let refused = append_one(&store, &lying).await.unwrap_err();
    assert!(matches!(refused, AppendError::NumberReused { seq: 4 }), "{refused}");
    assert_eq!(messages(&store, 1).await.len(), 5);
    assert_eq!(messages(&store, 1).await[3], (4, "line 4".to_owned()));
}

#[tokio::test]
async fn a_gap_is_refused_unless_the_batch_says_shed() {
    let (_dir, store) = store().await;
    let no = sensor(&store, 1).await;
    let refused = append_one(&store, &batch(no, 2..=5)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Gap { first_seq: 2, stored_up_to: 0 }), "{refused}");
    let mut shed = batch(no, 1..=10);
    shed.events.retain(|event| !(4..=6).contains(&event.seq));
    assert_eq!(append_one(&store, &shed).await.unwrap(), Appended { stored_up_to: 10, added: 7 });
    let ledger = LedgerFigures {
        kernel_emitted: 10,
        read: 10,
        last_seq: 10,
        acked: 10,
        shed: vec![ShedRow { class: "file".to_owned(), reason: "spool-full".to_owned(), count: 3 }],
        ..LedgerFigures::default()
    };
    assert_eq!(store.record_ledger(no, EPOCH, &ledger, AT).await.unwrap(), None);
    let row = &store.ledgers(sensor_id(1)).await.unwrap()[0];
    assert_eq!((row.stored, row.stored_up_to, &row.figures.shed), (7, 10, &ledger.shed));
}

#[tokio::test]
async fn a_ledger_is_checked_against_what_is_stored_and_complains_once() {
    let (_dir, store) = store().await;
    let no = sensor(&store, 1).await;
    append_one(&store, &batch(no, 1..=20)).await.unwrap();
    // Taken when the sensor had heard of 15 only: the other five are both stored and spooled.
    let good = LedgerFigures {
        kernel_emitted: 32,
        read: 30,
        ring_lost: 2,
        suppressed: 9,
        last_seq: 25,
        spooled: 10,
        acked: 15,
        ..LedgerFigures::default()
    };
    assert_eq!(store.record_ledger(no, EPOCH, &good, AT).await.unwrap(), None);
    let cases = [
        (
            LedgerFigures { spooled: 9, ..good.clone() },
            "25 events were numbered, but 15 are stored, 9 spooled and 0 shed",
        ),
        (LedgerFigures { read: 29, ..good.clone() }, "the kernel made 32 events, but 29 were read and 2 lost"),
        (
            LedgerFigures { acked: 21, ..good.clone() },
            "the sensor was told that events up to 21 are stored, but they are only up to 20",
        ),
    ];
    for (figures, expected) in cases {
        assert_eq!(store.record_ledger(no, EPOCH, &figures, AT).await.unwrap().as_deref(), Some(expected));
    }
    let complaints = store.complaints(10).await.unwrap();
    assert_eq!(complaints.len(), 1, "one for the whole time it did not balance");
    assert_eq!(complaints[0].event, EventId { sensor: sensor_id(1), epoch: EPOCH, seq: 20 });
    let mut write = store.write().await.unwrap();
    settle(&mut write, &[complaints[0].id]).await.unwrap();
    commit(write).await.unwrap();
    assert!(store.complaints(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_committed_survives_and_what_was_not_is_gone_when_the_process_dies() {
    let (dir, store) = store().await;
    let no = sensor(&store, 1).await;
    append_one(&store, &batch(no, 1..=300)).await.unwrap();
    let mut write = store.write().await.unwrap();
    append(&mut write, &batch(no, 301..=600)).await.unwrap();
    // What a killed process leaves behind: the files as they are, with the transaction neither committed nor rolled back.
    let after = tempfile::tempdir().unwrap();
    for name in ["bongsu.db", "bongsu.db-wal"] {
        std::fs::copy(dir.path().join(name), after.path().join(name)).unwrap();
    }
    drop(write);
    let store = Store::open(&after.path().join("bongsu.db")).await.unwrap();
    assert_eq!(messages(&store, 1).await.len(), 300);
    assert_eq!(store.stored_up_to(no, EPOCH).await.unwrap(), 300);
    let again = append_one(&store, &batch(no, 301..=600)).await.unwrap();
    assert_eq!(again, Appended { stored_up_to: 600, added: 300 });
}

#[tokio::test]
async fn events_are_read_in_the_order_of_their_commit_and_of_their_time() {
    let (_dir, store) = store().await;
    let (a, b) = (sensor(&store, 1).await, sensor(&store, 2).await);
    append_one(&store, &batch(a, 1..=2)).await.unwrap();
    append_one(&store, &batch(b, 1..=2)).await.unwrap();
    append_one(&store, &batch(a, 3..=3)).await.unwrap();
    let log = store.events_after(Position::default(), 100).await.unwrap();
    let ids: Vec<_> = log.iter().map(|(_, event)| event.as_ref().unwrap().id).map(|id| (id.sensor, id.seq)).collect();
    let [one, two] = [1, 2].map(sensor_id);
    assert_eq!(ids, [(one, 1), (one, 2), (two, 1), (two, 2), (one, 3)]);
    let rest = store.events_after(log[3].0, 100).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].1.as_ref().unwrap().host.as_slice(), b"web-1");

    let wanted: Vec<EventId> = log.iter().rev().map(|(_, event)| event.as_ref().unwrap().id).collect();
    let twice: Vec<EventId> = wanted.iter().chain(&wanted).copied().collect();
    let events = store.events(&twice).await.unwrap();
    let times: Vec<_> = events.iter().map(|event| event.event.time.0).collect();
    assert_eq!(times, [10, 10, 20, 20, 30]);

    let range = EventRange::Times { first: Timestamp(15), last: Timestamp(30) };
    assert_eq!(store.events_of(one, range, 10).await.unwrap().len(), 2);
    let end = log[4].0;
    assert_eq!(store.position_before(Timestamp(20), end).await.unwrap(), log[0].0);
    assert_eq!(store.position_before(Timestamp(31), end).await.unwrap(), end);
    assert_eq!(store.earliest_near(end, 1).await.unwrap(), Some(Timestamp(20)));
}

fn example(seqs: &[u64]) -> Finding {
    let events: Vec<EventId> =
        seqs.iter().map(|seq| EventId { sensor: sensor_id(1), epoch: EPOCH, seq: *seq }).collect();
    let key = ProcessKey { boot: 1, pid: 2, start: 3 };
    let entities = BTreeSet::from([
        Entity::Process(key),
        Entity::Ancestor(key),
        Entity::User(BString::from(&b"ro\xffot"[..])),
        Entity::Address("2001:db8::1".parse().unwrap()),
        Entity::File("/tmp/x".into()),
        Entity::Evidence(EvidenceId([5; 32])),
    ]);
    Finding {
        id: FindingId::new("rule", b"group", &events),
        rule: "rule".to_owned(),
        title: "Title".to_owned(),
        detector: Detector::Sequence,
        severity: Severity::High,
        confidence: 80,
        techniques: vec!["T1059.004".to_owned(), "T1110".to_owned()],
        sensor: sensor_id(1),
        first: Timestamp(10),
        last: Timestamp(20),
        events,
        entities,
        reasons: vec!["because".to_owned()],
        wants_evidence: Some(EvidenceWish { process: key, path: BString::from(&b"/tmp/\xfe"[..]) }),
    }
}

#[tokio::test]
async fn an_incident_reads_back_with_its_findings() {
    let (_dir, store) = store().await;
    let no = sensor(&store, 1).await;
    append_one(&store, &batch(no, 1..=2)).await.unwrap();
    let finding = example(&[1, 2]);
    let mut write = store.write().await.unwrap();
    let number = incident::next_number(&mut write).await.unwrap();
    finding::insert(&mut write, &finding, AT).await.unwrap();
    assert!(finding::is_stored(&mut write, finding.id).await.unwrap());
    let new = NewIncident {
        number,
        title: "Something happened on web-1".to_owned(),
        severity: Severity::High,
        score: 61,
        score_parts: vec![bongsu_api::ScorePart { reason: "a high finding".to_owned(), points: 61 }],
        first: Timestamp(10),
        last: Timestamp(20),
        joined: vec![finding.id],
    };
    incident::put(&mut write, &new, AT).await.unwrap();
    incident::put(&mut write, &NewIncident { joined: Vec::new(), ..new.clone() }, AT).await.unwrap();
    commit(write).await.unwrap();
    assert_eq!(store.findings_since(AT).await.unwrap(), [(finding.clone(), Some(number))]);

    assert_eq!(number.to_string(), "BGS-1");
    assert_eq!("BGS-1".parse::<IncidentNumber>().unwrap(), number);
    let kept = finding::KeptFinding { finding: finding.clone(), repeats: 0, repeated_until: None };
    assert_eq!(store.findings_of(number).await.unwrap(), [kept]);
    assert_eq!(store.finding(finding.id).await.unwrap(), Some(finding.clone()));
    let row = store.incident(number).await.unwrap().unwrap();
    assert_eq!((row.finding_count, row.revision, row.score), (1, 2, 61));
    assert_eq!(row.techniques, ["T1059.004", "T1110"]);
    assert_eq!(row.hosts, [(sensor_id(1), BString::from("web-1"))]);

    let all = IncidentFilter::default;
    let sure = [
        all(),
        IncidentFilter { host: Some("web-1".into()), ..all() },
        IncidentFilter { severity_min: Some(Severity::High), status: Some(IncidentStatus::Open), ..all() },
        IncidentFilter { before: Some(IncidentNumber(2)), ..all() },
    ];
    for filter in sure {
        assert_eq!(store.incidents(&filter).await.unwrap(), std::slice::from_ref(&row), "{filter:?}");
    }
    let none = [
        IncidentFilter { host: Some("web".into()), ..all() },
        IncidentFilter { severity_min: Some(Severity::Critical), ..all() },
        IncidentFilter { status: Some(IncidentStatus::Closed), ..all() },
        IncidentFilter { before: Some(number), ..all() },
        IncidentFilter { limit: 0, ..all() },
    ];
    for filter in none {
        assert!(store.incidents(&filter).await.unwrap().is_empty(), "{filter:?}");
    }
}

#[tokio::test]
async fn a_repeated_finding_is_known_by_its_id_and_counted_at_another() {
    let (_dir, store) = store().await;
    let no = sensor(&store, 1).await;
    append_one(&store, &batch(no, 1..=1_500)).await.unwrap();
    let of = example(&[1]);
    let mut write = store.write().await.unwrap();
    finding::insert(&mut write, &of, AT).await.unwrap();
    let mut repeats = finding::Repeats::default();
    for seq in 2..=1_500 {
        let until = Timestamp(i64::try_from(2_000 - seq).unwrap());
        repeats.count(&Finding { last: until, ..example(&[seq]) }, of.id).unwrap();
    }
    repeats.insert(&mut write).await.unwrap();
    let kept = &finding::by_ids(&mut write, &[of.id]).await.unwrap()[0];
    assert_eq!((kept.repeats, kept.repeated_until), (1_499, Some(Timestamp(1_998))));
    for (seq, known) in [(1, true), (2, true), (1_500, true), (1_501, false)] {
        assert_eq!(finding::is_stored(&mut write, example(&[seq]).id).await.unwrap(), known, "{seq}");
    }
}

#[tokio::test]
async fn an_incident_that_was_another_all_along_is_found_under_both_numbers() {
    let (_dir, store) = store().await;
    let no = sensor(&store, 1).await;
    append_one(&store, &batch(no, 1..=3)).await.unwrap();
    let mut write = store.write().await.unwrap();
    for (number, seq) in [(1, 1), (2, 2), (3, 3)] {
        let (number, finding) = (IncidentNumber(number), example(&[seq]));
        finding::insert(&mut write, &finding, AT).await.unwrap();
        let new = NewIncident {
            number,
            title: format!("{number}"),
            severity: Severity::Medium,
            score: 1,
            score_parts: Vec::new(),
            first: AT,
            last: AT,
            joined: vec![finding.id],
        };
        incident::put(&mut write, &new, AT).await.unwrap();
    }
    // Twice in a row: who leads to the one that goes must lead on.
    incident::merge(&mut write, IncidentNumber(3), IncidentNumber(2), AT).await.unwrap();
    incident::merge(&mut write, IncidentNumber(2), IncidentNumber(1), AT).await.unwrap();
    commit(write).await.unwrap();
    let listed = store.incidents(&IncidentFilter::default()).await.unwrap();
    assert_eq!(listed.iter().map(|row| (row.number.0, row.finding_count)).collect::<Vec<_>>(), [(1, 3)]);
    for number in [1, 2, 3].map(IncidentNumber) {
        assert_eq!(store.incident(number).await.unwrap().as_ref(), Some(&listed[0]));
        assert_eq!(store.findings_of(number).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_join_token_lets_one_sensor_in_once() {
    let (_dir, store) = store().await;
    let later = AT.saturating_add(Duration::from_secs(1));
    store.add_join_token(b"one", AT, later).await.unwrap();
    store.add_join_token(b"two", AT, later).await.unwrap();
    let enrol = async |secret: &[u8], number: u8, at| {
        store.enrol(secret, sensor_id(u128::from(number)), &[number], b"h", at).await
    };
    assert!(matches!(enrol(b"none", 1, AT).await, Err(JoinRefusal::Unknown)));
    assert!(matches!(enrol(b"one", 1, later).await, Err(JoinRefusal::Expired)));
    enrol(b"one", 1, AT).await.unwrap();
    assert!(matches!(enrol(b"one", 2, AT).await, Err(JoinRefusal::Spent)));
    assert!(matches!(enrol(b"two", 1, AT).await, Err(JoinRefusal::KeyInUse)));
    enrol(b"two", 2, AT).await.unwrap();
    assert_eq!(store.sensors().await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_admin_link_works_once_and_a_token_until_it_expires() {
    let (_dir, store) = store().await;
    let later = AT.saturating_add(Duration::from_secs(1));
    store.add_api_token(b"link", ApiTokenKind::AdminLink, "first", AT, Some(later)).await.unwrap();
    store.add_api_token(b"api", ApiTokenKind::Api, "cli", AT, Some(later)).await.unwrap();
    assert_eq!(store.api_token(b"link", ApiTokenKind::Api, AT).await.unwrap(), None, "another kind");
    assert_eq!(store.spend_admin_link(b"link", AT).await.unwrap().as_deref(), Some("first"));
    assert_eq!(store.spend_admin_link(b"link", AT).await.unwrap(), None);
    assert_eq!(store.api_token(b"api", ApiTokenKind::Api, AT).await.unwrap().as_deref(), Some("cli"));
    assert_eq!(store.api_token(b"api", ApiTokenKind::Api, later).await.unwrap(), None);
}

#[test]
fn versions_compare_as_sqlite_counts_them() {
    assert_eq!(version_number("3.51.3"), SQLITE_VERSION_MIN);
    assert!(version_number("3.51.2") < SQLITE_VERSION_MIN);
    assert!(version_number("3.52.0") > SQLITE_VERSION_MIN);
    assert!(version_number("nonsense") < SQLITE_VERSION_MIN);
}
