//! Against a receiver that refuses what Elasticsearch refuses, with a checker that refuses what ECS does not know.

use bongsu_e2e::{ecs as specification, elasticsearch::ElasticsearchReceiver};
use bongsu_event::Timestamp;

use super::*;
use crate::{advise::example, store::IncidentNumber};

fn due() -> Due {
    let (first_at, last_at) = (Timestamp(0), Timestamp(0));
    Due { incident: IncidentNumber(1), revision: 1, first_at, last_at, attempts: 0, note: None }
}

fn elasticsearch(receiver: &ElasticsearchReceiver) -> Elasticsearch {
    let bulk = format!("{}/logs-bongsu.incident-default/_bulk", receiver.url()).parse().unwrap();
    Elasticsearch::new(ElasticsearchConfig { bulk, authorization: None }).unwrap()
}

#[tokio::test]
async fn every_document_of_an_incident_is_stored_and_valid() {
    let receiver = ElasticsearchReceiver::start().unwrap();
    let incidents = [example::brute_force(), example::web_shell()];
    for incident in &incidents {
        assert_eq!(elasticsearch(&receiver).deliver(incident, &due()).await, Ok(None));
    }
    let documents = receiver.documents();
    let expected: usize = incidents.iter().map(|incident| incident.timeline.len() + incident.findings.len()).sum();
    assert_eq!(documents.len(), expected);
    for (id, document) in documents {
        assert_eq!(specification::check(&document), Vec::<String>::new(), "{id}: {document:#}");
    }
}

#[tokio::test]
async fn sending_again_adds_only_what_is_new() {
    let receiver = ElasticsearchReceiver::start().unwrap();
    let whole = example::brute_force();
    let mut early = whole.clone();
    early.timeline.truncate(5);
    early.findings.truncate(1);
    for incident in [&early, &early, &whole, &whole] {
        assert_eq!(elasticsearch(&receiver).deliver(incident, &due()).await, Ok(None));
    }
    assert_eq!(receiver.documents().len(), whole.timeline.len() + whole.findings.len());
}

#[tokio::test]
async fn a_busy_cluster_gets_everything_in_the_end_and_nothing_twice() {
    let receiver = ElasticsearchReceiver::start().unwrap();
    let (elasticsearch, incident) = (elasticsearch(&receiver), example::brute_force());
    receiver.trouble([503, 429, 401]);
    receiver.push_back(4);
    for _ in 0..4 {
        let failure = elasticsearch.deliver(&incident, &due()).await.unwrap_err();
        assert!(matches!(failure, Failure::Again { .. }), "{failure:?}");
    }
    assert_eq!(elasticsearch.deliver(&incident, &due()).await, Ok(None));
    assert_eq!(receiver.documents().len(), incident.timeline.len() + incident.findings.len());
}

#[tokio::test]
async fn documents_that_are_refused_for_good_are_counted() {
    let receiver = ElasticsearchReceiver::start().unwrap();
    let mut incident = example::brute_force();
    incident.findings.clear();
    // Beyond what Elasticsearch takes for an id the whole request fails; a time that is none fails its document.
    let mut broken = serde_json::to_value(&incident).unwrap();
    broken["timeline"][0]["time"] = "".into();
    let incident: Incident = serde_json::from_value(broken).unwrap();
    let note = elasticsearch(&receiver).deliver(&incident, &due()).await.unwrap();
    assert_eq!(note.unwrap(), "1 documents refused for good, the first with 400 document_parsing_exception");
    assert_eq!(receiver.documents().len(), incident.timeline.len() - 1);
}
