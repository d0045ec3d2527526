//! Against a receiver that refuses what Slack refuses.

use bongsu_e2e::slack::{SlackReceiver, Trouble};
use bongsu_event::Timestamp;

use super::*;
use crate::{advise::example, store::IncidentNumber};

fn due(note: Option<&str>) -> Due {
    Due {
        incident: IncidentNumber(1),
        revision: 1,
        first_at: Timestamp(0),
        last_at: Timestamp(0),
        attempts: 0,
        note: note.map(str::to_owned),
    }
}

fn slack(receiver: &SlackReceiver) -> Slack {
    let config = Config {
        webhook: receiver.url().parse().unwrap(),
        severity_min: Severity::High,
        score_min: Some(90),
        settle: Duration::ZERO,
    };
    Slack::new(config, Some("http://127.0.0.1:8443".parse().unwrap())).unwrap()
}

fn incident(severity: &str, score: u32) -> Incident {
    let mut incident = example::brute_force();
    severity.clone_into(&mut incident.summary.severity);
    incident.summary.score = score;
    incident
}

#[tokio::test]
async fn an_incident_is_posted_once_and_again_only_when_it_gets_worse() {
    let receiver = SlackReceiver::start().unwrap();
    let slack = slack(&receiver);
    // What was posted before, what the incident is now, whether that is a message.
    let cases = [
        (None, incident("medium", 50), false),
        (None, incident("medium", 90), true),
        (None, incident("high", 50), true),
        (Some("high"), incident("high", 99), false),
        (Some("high"), incident("critical", 99), true),
        (Some("critical"), incident("high", 10), false),
    ];
    for (posted, incident, is_message) in cases {
        let before = receiver.messages().len();
        let note = slack.deliver(&incident, &due(posted)).await.unwrap();
        assert_eq!(receiver.messages().len() - before, usize::from(is_message), "{posted:?} {:?}", incident.summary);
        assert_eq!(note, is_message.then(|| incident.summary.severity.clone()));
    }
    assert!(receiver.refusals().is_empty());
    assert!(receiver.message_about("BGS-1").unwrap().contains("BGS-1: Brute force"));
    let link = receiver.messages()[0].to_string();
    assert!(link.contains("<http://127.0.0.1:8443/incidents/BGS-1|Open BGS-1>"), "{link}");
}

#[tokio::test]
async fn a_closed_incident_is_not_posted() {
    let receiver = SlackReceiver::start().unwrap();
    let mut closed = incident("critical", 100);
    "closed".clone_into(&mut closed.summary.status);
    assert_eq!(slack(&receiver).deliver(&closed, &due(None)).await, Ok(None));
    assert!(receiver.messages().is_empty());
}

#[tokio::test]
async fn a_message_full_of_hostile_text_is_accepted_and_harmless() {
    let receiver = SlackReceiver::start().unwrap();
    let mut hostile = incident("critical", 100);
    let bad = "<!channel> <https://evil.example|x> ``` *b* & \u{202e} @here ".repeat(200);
    hostile.summary.title.clone_from(&bad);
    hostile.summary.hosts = vec![bad.clone(); 9];
    for entry in &mut hostile.timeline {
        entry.fields.values_mut().for_each(|value| value.clone_from(&bad));
    }
    slack(&receiver).deliver(&hostile, &due(None)).await.unwrap();
    let message = receiver.messages()[0].to_string();
    for forbidden in ["<!", "<@", "<#", "<https://evil", "@here", "@channel"] {
        assert!(!message.contains(forbidden), "{forbidden} in {message}");
    }
}

#[tokio::test]
async fn a_busy_slack_is_left_alone_and_one_that_refuses_is_not_asked_again() {
    let receiver = SlackReceiver::start().unwrap();
    let slack = slack(&receiver);
    let troubles = [(429, Some(30)), (503, None), (404, None), (302, None)];
    receiver.trouble(troubles.map(|(status, retry_after)| Trouble { status, retry_after }));
    let mut ends = Vec::new();
    for _ in troubles {
        ends.push(slack.deliver(&incident("high", 50), &due(None)).await.unwrap_err());
    }
    assert!(matches!(&ends[0], Failure::Again { after: Some(after), .. } if *after == Duration::from_secs(30)));
    assert!(matches!(&ends[1], Failure::Again { after: None, error } if error == "Slack answered 503 (trouble)"));
    assert!(matches!(&ends[2], Failure::Never { .. }));
    assert!(matches!(&ends[3], Failure::Never { .. }));
    assert!(receiver.messages().is_empty());
}
