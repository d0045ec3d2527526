//! The page of one incident: the story first, then what to do, and only then the proof.

mod evidence;
mod finding;
mod process_tree;
mod timeline;

use std::collections::HashMap;

use bongsu_api::{Finding, Incident, TimelineEntry};
use maud::{Markup, html};

use super::layout::{self, Place, class, command, counted, fires, page, techniques};

/// The page.
pub(super) fn incident(incident: &Incident) -> Markup {
    let places = Places::of(incident);
    let body = html! {
        (head(incident))
        div.columns {
            div {
                (story(incident, &places))
                (next_steps(incident))
            }
            aside {
                (score(incident))
                (anomaly(incident))
                (blind_spots(incident))
            }
        }
        (finding::section(incident, &places))
        (timeline::section(incident, &places))
        (process_tree::section(incident, &places))
        (evidence::section(incident))
    };
    page(&format!("{} {}", incident.summary.id, incident.summary.title), Place::Incidents, &body)
}

/// How the parts of the page refer to each other: events by their number in the timeline,
/// findings by their id.
struct Places<'a> {
    timeline: &'a [TimelineEntry],
    events: HashMap<&'a str, usize>,
    findings: HashMap<&'a str, &'a Finding>,
}

impl<'a> Places<'a> {
    fn of(incident: &'a Incident) -> Self {
        Self {
            timeline: &incident.timeline,
            events: incident.timeline.iter().zip(1..).map(|(entry, place)| (entry.event_id.as_str(), place)).collect(),
            findings: incident.findings.iter().map(|finding| (finding.id.as_str(), finding)).collect(),
        }
    }

    /// Links to the events in the timeline; those that follow each other make one link.
    fn cite(&self, event_ids: &[String]) -> Markup {
        let mut places: Vec<_> = event_ids.iter().filter_map(|id| self.events.get(id.as_str()).copied()).collect();
        places.sort_unstable();
        places.dedup();
        let runs = places.chunk_by(|one, next| one + 1 == *next).filter_map(|run| Some((*run.first()?, *run.last()?)));
        html! {
            span.cites {
                @for (first, last) in runs {
                    a.cite href=(self.address(first)) title="See it in the timeline" {
                        @if first == last { (first) } @else { (first) "–" (last) }
                    }
                }
            }
        }
    }

    /// The fragment of an event in the timeline. By its id, so that a link that somebody kept stays right when the timeline grows.
    fn address(&self, place: usize) -> String {
        self.timeline.get(place - 1).map_or_else(String::new, |entry| format!("#e-{}", entry.event_id))
    }

    /// The findings of those ids, worst first.
    fn speakers(&self, finding_ids: &[String]) -> Vec<&'a Finding> {
        let mut findings: Vec<_> =
            finding_ids.iter().filter_map(|id| self.findings.get(id.as_str()).copied()).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(class(&finding.severity)));
        findings
    }

    /// The colour of the worst of those findings; none when none speaks.
    fn colour(&self, finding_ids: &[String]) -> &'static str {
        self.speakers(finding_ids).first().map_or("", |worst| class(&worst.severity))
    }
}

fn head(incident: &Incident) -> Markup {
    let summary = &incident.summary;
    let events = incident.timeline.len();
    html! {
        div.incident-head.(class(&summary.severity)) {
            p.kicker { (fires(&summary.severity)) b { (summary.severity) } span { (summary.id) } span { (summary.status) } }
            h1 { (summary.title) }
            p.line {
                (summary.hosts.join(", ")) " · " (layout::time(&summary.first_seen)) " to " (layout::time(&summary.last_seen))
            }
            (techniques(&summary.techniques))
            nav.inside aria-label="Parts of this page" {
                a href="#findings" { (counted(summary.finding_count, "finding", "findings")) }
                a href="#timeline" { (counted(events, "event", "events")) }
                @if !incident.process_tree.is_empty() { a href="#processes" { "processes" } }
                @if !incident.evidence.is_empty() { a href="#evidence" { "evidence" } }
            }
        }
    }
}

fn story(incident: &Incident, places: &Places<'_>) -> Markup {
    let advice = &incident.advice;
    html! {
        section.story aria-labelledby="story" {
            h2 #story { "What happened" }
            @if advice.story.is_empty() {
                p { "No story is written yet. The findings and the timeline below say what is known." }
            }
            @for claim in &advice.story { p { (claim.text) " " (places.cite(&claim.event_ids)) } }
            p.source {
                @match &advice.model {
                    Some(model) => { "Told by the model " (model) "; every sentence was checked against the events it cites." },
                    None => "Each number leads to the event that the sentence rests on.",
                }
            }
            @for note in &advice.notes { p.source { (note) } }
        }
    }
}

fn next_steps(incident: &Incident) -> Markup {
    html! {
        @if !incident.advice.next_steps.is_empty() {
            section.steps aria-labelledby="steps" {
                h2 #steps { "What to do now" }
                ol {
                    @for step in &incident.advice.next_steps {
                        li { p { (step.text) } @if let Some(text) = &step.command { (command(text)) } }
                    }
                }
            }
        }
    }
}

fn score(incident: &Incident) -> Markup {
    html! {
        section aria-labelledby="score" {
            h2 #score { "Score " span.score.(class(&incident.summary.severity)) { (incident.summary.score) } " of 100" }
            table.sum {
                @for part in &incident.score_parts { tr { td { "+" (part.points) } td { (part.reason) } } }
            }
        }
    }
}

fn anomaly(incident: &Incident) -> Markup {
    html! {
        section aria-labelledby="unusual" {
            h2 #unusual { "How unusual" }
            @match &incident.anomaly {
                Some(anomaly) => {
                    p { "More unusual than " b { (format!("{:.1} %", anomaly.score)) } " of the host's own past:" }
                    ul { @for reason in &anomaly.reasons { li { (reason) } } }
                },
                None => p { "Not known: the host has been watched for too short a time to say what is usual." },
            }
        }
    }
}

fn blind_spots(incident: &Incident) -> Markup {
    html! {
        section.blind aria-labelledby="blind" {
            h2 #blind { "Blind spots" }
            @if incident.blind_spots.is_empty() {
                p { "None known: every event that the sensors saw is accounted for." }
            } @else {
                ul { @for spot in &incident.blind_spots { li { (spot) } } }
            }
        }
    }
}
