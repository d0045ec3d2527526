//! Against a real store, with a destination that does as it is told.

use std::sync::Mutex;

use bongsu_event::Severity;
use tempfile::TempDir;

use super::*;
use crate::store::{
    IncidentNumber, NewIncident, commit,
    incident::{next_number, put as put_incident},
};

/// Answers in the order given, then well; remembers what came.
#[derive(Default)]
struct Told {
    answers: Mutex<Vec<Failure>>,
    came: Mutex<Vec<(i64, Option<String>)>>,
    attempts_max: Option<u32>,
}

impl Destination for &Told {
    fn manner(&self) -> Manner {
        Manner {
            consumer: "told",
            begin: Begin::AtTheOldest,
            settling: Settling::NONE,
            concurrency: 2,
            attempts_max: self.attempts_max,
        }
    }

    async fn deliver(&self, _: &Incident, due: &Due) -> Result<Option<String>, Failure> {
        self.came.lock().unwrap().push((due.revision, due.note.clone()));
        match self.answers.lock().unwrap().pop() {
            Some(failure) => Err(failure),
            None => Ok(Some(format!("had {}", due.revision))),
        }
    }
}

async fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("bongsu.db")).await.unwrap();
    (dir, store)
}

async fn change(store: &Store, number: Option<IncidentNumber>) -> IncidentNumber {
    let mut write = store.write().await.unwrap();
    let number = match number {
        Some(number) => number,
        None => next_number(&mut write).await.unwrap(),
    };
    let incident = NewIncident {
        number,
        title: "Something happened".to_owned(),
        severity: Severity::High,
        score: 60,
        score_parts: Vec::new(),
        first: Timestamp(1),
        last: Timestamp(2),
        joined: Vec::new(),
    };
    put_incident(&mut write, &incident, clock::now()).await.unwrap();
    commit(write).await.unwrap();
    number
}

fn nobody() -> PresenceOf {
    Arc::new(|_| Presence::Offline)
}

async fn rounds(told: &Told, store: &Store, count: usize) {
    store.begin_consumer("told", Begin::AtTheOldest).await.unwrap();
    for _ in 0..count {
        round(&told, store, &nobody()).await;
    }
}

fn again(after: Option<Duration>) -> Failure {
    Failure::Again { error: "busy".to_owned(), after }
}

/// Far enough ahead for every backoff to be over.
fn later() -> Timestamp {
    clock::now().saturating_add(Duration::from_secs(24 * 60 * 60))
}

#[tokio::test]
async fn each_change_is_carried_out_once_with_what_was_noted_before() {
    let (_dir, store) = store().await;
    let told = Told::default();
    let number = change(&store, None).await;
    change(&store, Some(number)).await;
    rounds(&told, &store, 3).await;
    assert_eq!(*told.came.lock().unwrap(), [(2, None)], "two changes at once are one delivery");
    change(&store, Some(number)).await;
    rounds(&told, &store, 3).await;
    assert_eq!(told.came.lock().unwrap()[1..], [(3, Some("had 2".to_owned()))]);
}

#[tokio::test]
async fn what_failed_waits_for_its_time_and_keeps_the_place_while_others_go_on() {
    let (_dir, store) = store().await;
    let told = Told { answers: Mutex::new(vec![again(Some(Duration::from_secs(3600)))]), ..Told::default() };
    let first = change(&store, None).await;
    rounds(&told, &store, 1).await;
    let second = change(&store, None).await;
    rounds(&told, &store, 2).await;
    assert_eq!(told.came.lock().unwrap().len(), 2, "the second went while the first waits");
    assert!(store.due("told", clock::now(), 9).await.unwrap().is_empty());
    let due = store.due("told", later(), 9).await.unwrap();
    assert_eq!(due.iter().map(|due| (due.incident, due.attempts)).collect::<Vec<_>>(), [(first, 1)]);
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_destination_with_patience_gives_up_and_says_so_in_the_store() {
    let (_dir, store) = store().await;
    for (answer, attempts_max) in [(Failure::Never { error: "no".to_owned() }, None), (again(None), Some(1))] {
        let told = Told { answers: Mutex::new(vec![answer]), attempts_max, ..Told::default() };
        change(&store, None).await;
        rounds(&told, &store, 1).await;
        assert!(store.due("told", later(), 9).await.unwrap().is_empty());
    }
    assert_eq!(store.given_up("told").await.unwrap(), 2);
}

#[tokio::test]
async fn a_consumer_that_comes_late_may_begin_with_now() {
    let (_dir, store) = store().await;
    let number = change(&store, None).await;
    store.begin_consumer("late", Begin::FromNowOn).await.unwrap();
    assert!(store.due("late", later(), 9).await.unwrap().is_empty());
    change(&store, Some(number)).await;
    assert_eq!(store.due("late", later(), 9).await.unwrap()[0].revision, 2);
    store.begin_consumer("late", Begin::FromNowOn).await.unwrap();
    assert_eq!(store.due("late", later(), 9).await.unwrap().len(), 1, "known already: its place stays");
}

#[tokio::test]
async fn the_loop_ends_when_told_to_even_while_a_delivery_hangs() {
    struct Hangs;
    impl Destination for Hangs {
        fn manner(&self) -> Manner {
            (&Told::default()).manner()
        }

        async fn deliver(&self, _: &Incident, _: &Due) -> Result<Option<String>, Failure> {
            std::future::pending().await
        }
    }
    let (_dir, store) = store().await;
    change(&store, None).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(Hangs, store.clone(), nobody(), stop.clone()));
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(store.due("told", later(), 9).await.map(|due| due.len()).unwrap_or(1), 1, "it will be tried again");
}

#[test]
fn a_burst_is_ripe_when_it_is_quiet_or_old() {
    let settling = Settling { quiet: Duration::from_secs(2), at_most: Duration::from_secs(10) };
    let seconds = |second: i64| Timestamp(second * 1_000_000_000);
    let due = |first, last| Due {
        incident: IncidentNumber(1),
        revision: 1,
        first_at: seconds(first),
        last_at: seconds(last),
        attempts: 0,
        note: None,
    };
    assert!(!settling.is_over(&due(0, 0), seconds(1)));
    assert!(settling.is_over(&due(0, 0), seconds(2)));
    assert!(!settling.is_over(&due(0, 9), seconds(9)));
    assert!(settling.is_over(&due(0, 9), seconds(10)));
}

#[test]
fn backoff_grows_and_is_bounded() {
    let seconds: Vec<_> = [0, 1, 2, 8, 9, 30, u32::MAX].map(|attempts| backoff(attempts).as_secs()).into();
    assert_eq!(seconds, [1, 2, 4, 256, 300, 300, 300]);
}
