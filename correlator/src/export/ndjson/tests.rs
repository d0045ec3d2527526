use bongsu_event::Timestamp;
use serde_json::Value;

use super::*;
use crate::{advise::example, store::IncidentNumber};

fn due() -> Due {
    let (first_at, last_at) = (Timestamp(0), Timestamp(0));
    Due { incident: IncidentNumber(7), revision: 1, first_at, last_at, attempts: 0, note: None }
}

#[tokio::test]
async fn a_file_holds_the_incident_as_it_is_now() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("made/when/missing");
    let ndjson = Ndjson::new(NdjsonConfig { folder: folder.clone() });
    let whole = example::brute_force();
    let mut early = whole.clone();
    early.findings.clear();
    for incident in [&early, &whole, &whole] {
        ndjson.deliver(incident, &due()).await.unwrap();
        let text = std::fs::read_to_string(folder.join("BGS-7.ndjson")).unwrap();
        assert!(text.ends_with('\n'));
        let documents: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(documents.len(), incident.timeline.len() + incident.findings.len());
        for document in documents {
            assert_eq!(bongsu_e2e::ecs::check(&document), Vec::<String>::new());
        }
    }
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["BGS-7.ndjson"], "no draft is left");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let failure =
        Ndjson::new(NdjsonConfig { folder: file }).deliver(&example::brute_force(), &due()).await.unwrap_err();
    assert!(matches!(failure, Failure::Again { error, .. } if error.contains("cannot write BGS-7.ndjson")));
}
