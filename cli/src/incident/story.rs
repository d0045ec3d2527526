//! An incident as a person reads it in a terminal: what happened, what to do, and only then the proof.

mod text;

use std::collections::HashMap;

use bongsu_api::{Finding, Incident, ProcessNode, Technique};
use text::Text;

use crate::output::{fires, safe};

/// The whole story, at most `width` columns wide where words allow it.
pub(super) fn tell(incident: &Incident, width: usize) -> String {
    let mut text = Text::new(width);
    let places = Places::of(incident);
    head(&mut text, incident);
    what_happened(&mut text, incident, &places);
    what_to_do(&mut text, incident);
    why_the_score(&mut text, incident);
    findings(&mut text, incident, &places);
    timeline(&mut text, incident);
    processes(&mut text, incident, &places);
    evidence(&mut text, incident);
    blind_spots(&mut text, incident);
    text.into_string()
}

/// The number of each event in the timeline, by which the other parts cite it.
struct Places<'a>(HashMap<&'a str, usize>);

impl<'a> Places<'a> {
    fn of(incident: &'a Incident) -> Self {
        Self(incident.timeline.iter().zip(1..).map(|(entry, place)| (entry.event_id.as_str(), place)).collect())
    }

    /// `[1-3 7]`; empty when none of the events is in the timeline.
    fn cite(&self, event_ids: &[String]) -> String {
        let mut places: Vec<_> = event_ids.iter().filter_map(|id| self.0.get(id.as_str()).copied()).collect();
        places.sort_unstable();
        places.dedup();
        let runs = places.chunk_by(|one, next| one + 1 == *next).map(|run| match run {
            [one] => one.to_string(),
            [one, two] => format!("{one} {two}"),
            [first, .., last] => format!("{first}-{last}"),
            [] => String::new(),
        });
        let runs: Vec<_> = runs.collect();
        if runs.is_empty() { String::new() } else { format!(" [{}]", runs.join(" ")) }
    }
}

fn head(text: &mut Text, incident: &Incident) {
    let summary = &incident.summary;
    let (severity, id) = (safe(&summary.severity), safe(&summary.id));
    text.verbatim(
        0,
        &format!("{id}  {} {severity}  score {}  {}", fires(&severity), summary.score, safe(&summary.status)),
    );
    text.line(0, &safe(&summary.title));
    let hosts = safe(&summary.hosts.join(", "));
    text.line(0, &format!("{hosts}, {} to {} UTC", second(&summary.first_seen), second(&summary.last_seen)));
    if !summary.techniques.is_empty() {
        text.line(0, &format!("ATT&CK: {}", techniques(&summary.techniques)));
    }
}

fn what_happened(text: &mut Text, incident: &Incident, places: &Places<'_>) {
    text.heading("WHAT HAPPENED");
    if incident.advice.story.is_empty() {
        text.line(2, "No story is written yet; the findings and the timeline below say what is known.");
    }
    for claim in &incident.advice.story {
        text.item(2, "-", &format!("{}{}", safe(&claim.text), places.cite(&claim.event_ids)));
    }
    for note in &incident.advice.notes {
        text.item(2, "!", &safe(note));
    }
    if let Some(model) = &incident.advice.model {
        text.line(2, &format!("(told by the model {}; every sentence was checked against its events)", safe(model)));
    }
}

fn what_to_do(text: &mut Text, incident: &Incident) {
    if incident.advice.next_steps.is_empty() {
        return;
    }
    text.heading("WHAT TO DO");
    for (step, number) in incident.advice.next_steps.iter().zip(1..) {
        text.item(2, &format!("{number}."), &safe(&step.text));
        if let Some(command) = &step.command {
            text.verbatim(5, &format!("$ {}", safe(command)));
        }
    }
}

fn why_the_score(text: &mut Text, incident: &Incident) {
    text.heading(&format!("WHY THE SCORE IS {}", incident.summary.score));
    for part in &incident.score_parts {
        text.item(2, &format!("{:>4}", format!("+{}", part.points)), &safe(&part.reason));
    }
    if let Some(anomaly) = &incident.anomaly {
        text.line(2, &format!("The host was more unusual than in {:.0} % of its own past:", anomaly.score));
        for reason in &anomaly.reasons {
            text.item(4, "-", &safe(reason));
        }
    }
}

fn findings(text: &mut Text, incident: &Incident, places: &Places<'_>) {
    let repeats = incident.findings.iter().map(|finding| finding.repeats).fold(0, u64::saturating_add);
    let more = if repeats > 0 { format!(", and {repeats} more that say the same") } else { String::new() };
    text.heading(&format!("FINDINGS ({}{more})", incident.findings.len()));
    for finding in &incident.findings {
        text.item(
            2,
            &fires(&finding.severity),
            &format!("{}{}", safe(&finding.title), places.cite(&finding.event_ids)),
        );
        text.line(8, &about(finding));
        if let Some(until) = &finding.repeated_until {
            text.line(8, &format!("found {} more times, until {} UTC", finding.repeats, second(until)));
        }
        for reason in &finding.reasons {
            text.item(8, "-", &safe(reason));
        }
    }
}

fn about(finding: &Finding) -> String {
    let mut about = format!("{} {}", safe(&finding.detector), safe(&finding.rule_id));
    about.push_str(&format!(", confidence {}", finding.confidence));
    if !finding.techniques.is_empty() {
        about.push_str(&format!(", {}", techniques(&finding.techniques)));
    }
    about
}

fn techniques(techniques: &[Technique]) -> String {
    let named = techniques.iter().map(|technique| safe(format!("{} {}", technique.id, technique.name).trim()));
    named.collect::<Vec<_>>().join("; ")
}

fn timeline(text: &mut Text, incident: &Incident) {
    text.heading(&format!("TIMELINE ({} events; * where a finding speaks)", incident.timeline.len()));
    let several_hosts = incident.summary.hosts.len() > 1;
    let mut day = String::new();
    for (entry, place) in incident.timeline.iter().zip(1..) {
        let (date, time) = entry.time.split_once('T').unwrap_or(("", &entry.time));
        if day != date {
            text.line(2, &safe(date));
            date.clone_into(&mut day);
        }
        let mark = if entry.finding_ids.is_empty() { ' ' } else { '*' };
        let host = if several_hosts { format!("{}: ", safe(&entry.host)) } else { String::new() };
        let time: String = time.chars().take(12).collect();
        text.item(2, &format!("{place:>4}{mark}{}", safe(&time)), &format!("{host}{}", safe(&entry.text)));
    }
}

fn processes(text: &mut Text, incident: &Incident, places: &Places<'_>) {
    if incident.process_tree.is_empty() {
        return;
    }
    text.heading("PROCESSES");
    for root in &incident.process_tree {
        branch(text, root, "  ", "  ", places);
    }
}

/// `lead` stands before the process itself, `under` before all that it started.
fn branch(text: &mut Text, node: &ProcessNode, lead: &str, under: &str, places: &Places<'_>) {
    let what = if node.command_line.is_empty() { &node.executable } else { &node.command_line };
    let user = node.user.as_ref().map(|user| format!(" as {}", safe(user))).unwrap_or_default();
    let mark = if node.finding_ids.is_empty() { "" } else { " *" };
    text.cut(&format!("{lead}{} (pid {}){user}{mark}{}", safe(what), node.pid, places.cite(&node.event_ids)));
    let last = node.children.len().saturating_sub(1);
    for (place, child) in node.children.iter().enumerate() {
        let (lead, next) = if place == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        branch(text, child, &format!("{under}{lead}"), &format!("{under}{next}"), places);
    }
}

fn evidence(text: &mut Text, incident: &Incident) {
    if incident.evidence.is_empty() {
        return;
    }
    text.heading("EVIDENCE");
    for evidence in &incident.evidence {
        text.verbatim(2, &safe(&evidence.sha256));
        text.line(4, &format!("{}, {} bytes, from {}", safe(&evidence.path), evidence.size, safe(&evidence.host)));
        let verdict = &evidence.verdict;
        let rules =
            if verdict.yara_rules.is_empty() { String::new() } else { format!(": {}", verdict.yara_rules.join(", ")) };
        let detail = verdict.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        text.line(4, &safe(&format!("YARA: {}{rules}{detail}", verdict.outcome)));
        text.verbatim(4, &format!("$ bongsu evidence fetch {}", safe(&evidence.sha256)));
    }
}

fn blind_spots(text: &mut Text, incident: &Incident) {
    text.heading("BLIND SPOTS");
    if incident.blind_spots.is_empty() {
        text.line(2, "None known: every event that the sensors saw is accounted for.");
    }
    for spot in &incident.blind_spots {
        text.item(2, "-", &safe(spot));
    }
}

/// `2026-11-22 09:00:01`.
fn second(time: &str) -> String {
    safe(&time.chars().take(19).collect::<String>().replacen('T', " ", 1))
}

#[cfg(test)]
mod tests;
