//! From a wish to evidence.

use std::{io::Read, time::Duration};

use tokio::{
    sync::{broadcast, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    evidence::OpenError,
    store::evidence::{ChainState, ScanOutcome},
};

#[tokio::test]
async fn a_wish_becomes_evidence_that_reads_back_byte_for_byte() {
    let mut house = House::new().await;
    let bytes: Vec<u8> = (0..250_000_u32).flat_map(u32::to_be_bytes).collect();
    let number = house.store_finding(&wishing(1, 42)).await;
    house.room.round(&house.asker).await;
    let asked = house.asker.taken();
    let request = &asked[0].1;
    assert_eq!((asked[0].0, request.bytes_max), (sensor(1), 64 << 20));
    assert_eq!(request.process, Some(v1::ProcessKey { boot: 1, pid: 42, start: 5 }));
    assert_eq!(request.path, b"/memfd:x");
    house.upload(1, request.request, &bytes).await;

    let evidence = house.store.evidence_of_incident(number).await.unwrap();
    let [row] = evidence.as_slice() else { panic!("{evidence:?}") };
    assert_eq!(row.id.0[..], Sha256::digest(&bytes)[..]);
    assert_eq!((row.size, row.sensor, row.process), (1_000_000, sensor(1), Some(process(42))));
    assert_eq!((row.path.as_slice(), row.outcome), (b"/memfd:x (deleted)".as_slice(), ScanOutcome::Pending));
    assert_eq!(house.store.incidents_of_evidence(row.id).await.unwrap(), [number]);
    assert_eq!(house.store.evidence_page(None, 10).await.unwrap(), evidence);
    assert!(house.store.evidence_page(Some(row.id), 10).await.unwrap().is_empty());

    let mut read = Vec::new();
    let mut opened = house.evidence.open(row.id, "cli").await.unwrap();
    opened.file.read_to_end(&mut read).unwrap();
    assert!(read == bytes);
    let custody = house.store.custody(row.id).await.unwrap();
    let actions: Vec<_> = custody.iter().map(|entry| (entry.actor.as_str(), entry.action.as_str())).collect();
    let by_sensor = sensor(1).to_string();
    assert_eq!(
        actions,
        [("correlator", "requested"), (&by_sensor, "received"), ("correlator", "stored"), ("cli", "fetched")]
    );
    assert_eq!(house.files_in_the_making(), 0);
    assert_eq!((house.evidence.counts().requested.get(), house.evidence.counts().stored.get()), (1, 1));
}

#[tokio::test]
async fn a_changed_byte_shows_and_is_not_handed_out() {
    let mut house = House::new().await;
    let request = house.wish(1, 42).await;
    house.upload(1, request, b"bytes").await;
    let id = house.store.evidence_page(None, 1).await.unwrap()[0].id;
    let verified = house.evidence.verify(id, "cli").await.unwrap();
    assert_eq!((verified.bytes.unwrap(), verified.custody), (5, ChainState::Whole(3)));

    let name = id.to_string();
    let path = house.dir.path().join("evidence").join(&name[..2]).join(&name[2..]);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"bytez").unwrap();
    assert!(house.evidence.verify(id, "cli").await.unwrap().bytes.is_err());
    assert!(matches!(house.evidence.open(id, "cli").await, Err(OpenError::Fetch(_))));
}

#[tokio::test]
async fn a_changed_custody_log_shows() {
    let tampering = [
        ("UPDATE custody SET actor = 'nobody' WHERE action = 'received'", ChainState::BrokenAt(2)),
        ("DELETE FROM custody WHERE action = 'requested'", ChainState::BrokenAt(1)),
        ("DELETE FROM custody WHERE action = 'stored'", ChainState::BrokenAt(3)),
        ("UPDATE custody SET time = time + 1 WHERE action = 'stored'", ChainState::BrokenAt(3)),
        ("UPDATE custody SET detail = detail", ChainState::Whole(3)),
    ];
    for (statement, expected) in tampering {
        let mut house = House::new().await;
        let request = house.wish(1, 42).await;
        house.upload(1, request, b"bytes").await;
        let id = house.store.evidence_page(None, 1).await.unwrap()[0].id;
        house.store.tamper(statement).await;
        assert_eq!(house.store.custody_chain(id).await.unwrap(), expected, "{statement}");
        assert_eq!(house.evidence.verify(id, "cli").await.unwrap().custody, expected, "{statement}");
    }
}

#[tokio::test]
async fn an_absent_sensor_is_asked_when_it_comes() {
    let mut house = House::new().await;
    house.asker.online.lock().unwrap().clear();
    house.store_finding(&wishing(1, 42)).await;
    house.room.round(&house.asker).await;
    assert!(house.asker.taken().is_empty());
    assert_eq!(house.in_state(RequestState::Waiting).await.len(), 1);

    // The running room, told by the sessions that the sensor is there.
    let House { room, asker, store, .. } = house;
    let (parts, received) = mpsc::channel(4);
    let (arrivals, arriving) = broadcast::channel(4);
    let stop = CancellationToken::new();
    asker.set_online(sensor(1));
    arrivals.send(sensor(1)).unwrap();
    let running = tokio::spawn(room.run(asker.clone(), received, arriving, stop.clone()));
    asker.someone_asked.notified().await;
    for part in honest(asker.taken()[0].1.request, b"bytes") {
        parts.send((sensor(1), part)).await.unwrap();
    }
    // Closed after what was sent: the room takes all of it and ends.
    drop(parts);
    running.await.unwrap();
    assert_eq!(store.requests_in(RequestState::Stored).await.unwrap().len(), 1);
    assert!(!stop.is_cancelled());
}

#[tokio::test]
async fn what_was_asked_before_a_restart_is_asked_again() {
    let mut house = House::new().await;
    let request = house.wish(1, 42).await;
    house.say(1, EvidencePart::Chunk(chunk(request, 0, b"half of "))).await;
    assert_eq!((house.in_state(RequestState::Asked).await.len(), house.files_in_the_making()), (1, 1));
    let mut house = house.restarted().await;
    assert_eq!((house.in_state(RequestState::Waiting).await.len(), house.files_in_the_making()), (1, 0));
    house.room.round(&house.asker).await;
    assert_eq!(house.asker.taken()[0].1.request, request);
    house.upload(1, request, b"half of it").await;
    assert_eq!(house.in_state(RequestState::Stored).await.len(), 1);
}

#[tokio::test]
async fn a_lost_session_and_a_stalled_upload_are_asked_again() {
    let mut house = House::new().await;
    let request = house.wish(1, 42).await;
    house.say(1, EvidencePart::Chunk(chunk(request, 0, b"half"))).await;
    house.say(1, EvidencePart::Broken { request }).await;
    assert_eq!(house.asker.taken()[0].1.request, request, "asked again at once");
    assert_eq!(house.files_in_the_making(), 1);

    let later = Instant::now() + Duration::from_secs(61);
    house.room.give_up_stalled(Instant::now()).await;
    assert_eq!(house.in_state(RequestState::Asked).await.len(), 1, "not stalled yet");
    house.room.give_up_stalled(later).await;
    assert_eq!((house.in_state(RequestState::Waiting).await.len(), house.files_in_the_making()), (1, 0));
    house.room.round(&house.asker).await;
    house.room.give_up_stalled(Instant::now() + Duration::from_secs(61)).await;
    let failed = house.in_state(RequestState::Failed).await;
    assert_eq!(failed[0].detail.as_deref(), Some("no answer after 3 requests"));
}

#[tokio::test]
async fn what_the_sensor_cannot_give_is_recorded_with_its_reason() {
    use v1::evidence_end::Outcome;
    let mut house = House::new().await;
    let cases = [
        (Outcome::Gone, RequestState::Gone),
        (Outcome::TooLarge, RequestState::TooLarge),
        (Outcome::Failed, RequestState::Failed),
    ];
    for (pid, (outcome, state)) in (10..).zip(cases) {
        let number = house.store_finding(&wishing(1, pid)).await;
        house.room.round(&house.asker).await;
        let request = house.asker.taken()[0].1.request;
        let detail = "no \u{1b}[0m such file".to_owned();
        let outcome = outcome.into();
        house.say(1, EvidencePart::End(v1::EvidenceEnd { outcome, detail, ..end(request, b"") })).await;
        let rows = house.store.unmet_requests_of(number).await.unwrap();
        assert_eq!((rows.len(), rows[0].state), (1, state));
        assert_eq!(rows[0].detail.as_deref(), Some("no \\x1b[0m such file"));
        let incident = crate::view::incident(&house.store, number, |_| crate::view::Presence::Online).await.unwrap();
        let told = incident.unwrap().blind_spots;
        assert!(told.iter().any(|spot| spot.starts_with("The program /memfd:x (process ")), "{told:?}");
    }
    assert_eq!(house.evidence.counts().unmet.get(), 3);
    assert!(house.store.evidence_page(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_same_image_is_asked_for_once_and_too_many_are_refused() {
    let mut house = House::new().await;
    let first = house.store_finding(&wishing(1, 42)).await;
    let again = Finding { id: FindingId([9; 16]), ..wishing(1, 42) };
    let second = house.store_finding(&again).await;
    house.room.round(&house.asker).await;
    let asked = house.asker.taken();
    assert_eq!(asked.len(), 1);
    house.upload(1, asked[0].1.request, b"bytes").await;
    for number in [first, second] {
        assert_eq!(house.store.evidence_of_incident(number).await.unwrap().len(), 1, "{number}");
    }
    let mut numbers = Vec::new();
    for pid in 100..150 {
        numbers.push(house.store_finding(&wishing(1, pid)).await);
    }
    house.room.round(&house.asker).await;
    let counts = house.evidence.counts();
    assert_eq!((counts.shared.get(), counts.requested.get(), counts.wishes_refused.get()), (1, 33, 18));
    assert_eq!(house.asker.taken().len(), 1, "one upload for each sensor at a time");
    // What was refused stays refused: nothing is settled twice.
    house.room.round(&house.asker).await;
    assert_eq!(counts.wishes_refused.get(), 18);
    let mut told = 0;
    for number in numbers {
        let incident = crate::view::incident(&house.store, number, |_| crate::view::Presence::Online).await.unwrap();
        let spots = incident.unwrap().blind_spots;
        told += spots.iter().filter(|spot| spot.contains(" was not fetched: ")).count();
    }
    assert_eq!(told, 18, "each incident says what it lacks");
}

#[tokio::test]
async fn a_full_store_asks_for_nothing_and_says_so() {
    let mut house = House::with(|config| Config { bytes_max: 1000, total_bytes_max: 1500, ..config }).await;
    let request = house.wish(1, 42).await;
    house.upload(1, request, &[1; 900]).await;
    house.store_finding(&wishing(1, 43)).await;
    house.room.round(&house.asker).await;
    assert!(house.asker.taken().is_empty());
    assert_eq!(house.evidence.counts().store_full.get(), 1);
    assert_eq!(house.in_state(RequestState::Waiting).await.len(), 1);
}
