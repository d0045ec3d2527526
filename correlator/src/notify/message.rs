//! The Slack message of an incident, in Block Kit. Pure: an incident in, JSON out, within Slack's limits whatever the incident holds.
//!
//! Every text object is `plain_text` without emoji or `mrkdwn` with `verbatim`, which keeps Slack from finding links and mentions by
//! itself; what came from a host is escaped on top of that.

use bongsu_api::Incident;
use bongsu_event::Severity;
use reqwest::Url;
use serde_json::{Value, json};

use super::text::{escaped, plain};

/// Slack's limit for a header is 150.
const HEADER_CHARS_MAX: usize = 150;
/// Slack's limit for a section's text is 3000, for a field 2000: ours are what a person reads on a phone.
const STORY_CHARS_MAX: usize = 2_400;
const FIELD_CHARS_MAX: usize = 300;
const SENTENCES_MAX: usize = 8;
const SENTENCE_CHARS_MAX: usize = 300;
const STEPS_MAX: usize = 4;
const TECHNIQUES_MAX: usize = 10;

/// Why the message is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The incident is new to the reader.
    Opened,
    /// It got worse; a webhook cannot edit, so it is told again.
    Worsened,
}

/// The message. `page` is where a person reads the rest.
pub(crate) fn message(incident: &Incident, occasion: Occasion, page: Option<&Url>) -> Value {
    let summary = &incident.summary;
    let severity = summary.severity.parse().unwrap_or(Severity::Info);
    let fires = "🔥".repeat(severity.fires().into());
    let news = match occasion {
        Occasion::Opened => "",
        Occasion::Worsened => " is worse now",
    };
    let headline = format!("{fires} {}{news}: {}", summary.id, summary.title);
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": plain(&headline, HEADER_CHARS_MAX), "emoji": false}}),
        facts(incident, severity),
    ];
    blocks.extend(story(incident));
    blocks.extend(techniques(incident));
    blocks.extend(steps(incident));
    blocks.push(foot(incident, page));
    json!({
        "text": escaped(&headline, HEADER_CHARS_MAX),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

fn facts(incident: &Incident, severity: Severity) -> Value {
    let summary = &incident.summary;
    let field = |name: &str, value: &str| mrkdwn(&format!("*{name}*\n{}", escaped(value, FIELD_CHARS_MAX)));
    json!({"type": "section", "fields": [
        field("Severity", &format!("{severity}, score {} of 100", summary.score)),
        field("Host", &summary.hosts.join(", ")),
        field("First seen", &seconds(&summary.first_seen)),
        field("Last seen", &seconds(&summary.last_seen)),
    ]})
}

/// A time to the second: nobody reads nanoseconds on a phone.
fn seconds(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(parsed) => parsed.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => time.to_owned(),
    }
}

fn story(incident: &Incident) -> Option<Value> {
    let sentences = &incident.advice.story;
    if sentences.is_empty() {
        return None;
    }
    let mut text = String::from("*What happened*");
    let mut shown = 0;
    for claim in sentences.iter().take(SENTENCES_MAX) {
        let line = format!("\n• {}", escaped(&claim.text, SENTENCE_CHARS_MAX));
        if text.chars().count() + line.chars().count() > STORY_CHARS_MAX {
            break;
        }
        text.push_str(&line);
        shown += 1;
    }
    if shown < sentences.len() {
        text.push_str(&format!("\n… and {} more", sentences.len() - shown));
    }
    Some(section(&text))
}

fn techniques(incident: &Incident) -> Option<Value> {
    let names = incident
        .summary
        .techniques
        .iter()
        .take(TECHNIQUES_MAX)
        .map(|technique| escaped(format!("{} {}", technique.id, technique.name).trim(), 80));
    let names: Vec<_> = names.collect();
    (!names.is_empty()).then(|| section(&format!("*ATT&amp;CK*\n{}", names.join(", "))))
}

fn steps(incident: &Incident) -> Option<Value> {
    let lines = incident.advice.next_steps.iter().take(STEPS_MAX).enumerate().map(|(index, step)| {
        // A cut command is a wrong command.
        let command = step.command.as_deref().filter(|command| !command.contains('`') && command.chars().count() < 200);
        let command = command.map(|command| format!("\n`{}`", escaped(command, 1_000))).unwrap_or_default();
        format!("\n{}. {}{command}", index + 1, escaped(&step.text, SENTENCE_CHARS_MAX))
    });
    let lines: String = lines.collect();
    (!lines.is_empty()).then(|| section(&format!("*What to do now*{lines}")))
}

fn foot(incident: &Incident, page: Option<&Url>) -> Value {
    let id = escaped(&incident.summary.id, 40);
    let text = match page {
        Some(page) => format!("<{page}|Open {id}>"),
        None => format!("`bongsu incident show {id}` tells the rest"),
    };
    json!({"type": "context", "elements": [mrkdwn(&text)]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::{advice, example};

    fn told(mut incident: Incident) -> Incident {
        incident.advice = advice(&incident);
        incident
    }

    #[test]
    fn a_message_reads_like_this() {
        let page = "http://127.0.0.1:8443/incidents/BGS-1".parse().unwrap();
        let message = message(&told(example::brute_force()), Occasion::Opened, Some(&page));
        insta::assert_snapshot!(serde_json::to_string_pretty(&message).unwrap());
    }

    #[test]
    fn no_host_string_pings_or_links() {
        let mut incident = told(example::brute_force());
        let bad = "<!channel> <https://evil.example|x> <@U1> @everyone *b* & ``` ";
        incident.summary.title = bad.repeat(20);
        incident.summary.hosts = vec![bad.repeat(60)];
        incident.advice.story.iter_mut().for_each(|claim| claim.text = bad.repeat(90));
        incident.advice.next_steps.iter_mut().for_each(|step| {
            step.text = bad.repeat(90);
            step.command = Some(bad.to_owned());
        });
        let text = message(&incident, Occasion::Worsened, None).to_string();
        assert!(!text.contains('<') && !text.contains("@everyone") && !text.contains("```"), "{text}");
    }

    #[test]
    fn all_that_text_stays_within_slacks_limits() {
        let mut incident = told(example::brute_force());
        let long = "<&>x".repeat(2_000);
        let claim = incident.advice.story[0].clone();
        incident.advice.story = std::iter::repeat_n(claim, 500).collect();
        incident.advice.story.iter_mut().for_each(|claim| claim.text.clone_from(&long));
        incident.summary.title.clone_from(&long);
        incident.summary.hosts = vec![long; 50];
        let message = message(&incident, Occasion::Opened, None);
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        assert!(blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
        for text in blocks.iter().filter_map(|block| block["text"]["text"].as_str()) {
            assert!(text.chars().count() <= 3_000);
        }
    }
}
