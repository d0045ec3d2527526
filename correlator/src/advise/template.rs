//! The story that needs nobody: written by rule from the incident alone, the same each time.

use std::collections::{BTreeSet, HashMap};

use bongsu_api::{Advice, Finding, Incident, TimelineEntry};
use bongsu_event::Severity;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    beat::{beats, time},
    names::{listed, quoted, visible},
    sentence::{Cited, Sentence},
    steps, technique, wording,
};

/// How many sentences a story has at most.
pub(crate) const SENTENCES_MAX: usize = 24;

/// How many reasons of one finding a sentence repeats at most.
const REASONS_MAX: usize = 5;

/// The template's advice, whole.
pub(crate) fn advice(incident: &Incident) -> Advice {
    Advice {
        source: "template".to_owned(),
        model: None,
        story: story(incident).into_iter().map(Into::into).collect(),
        next_steps: steps::next_steps(incident),
        notes: Vec::new(),
    }
}

/// What happened, in order of time, each sentence resting on events of the timeline.
pub(crate) fn story(incident: &Incident) -> Vec<Sentence> {
    let facts = Facts::new(incident);
    let mut parts = facts.beats();
    parts.extend(facts.conclusions());
    parts.extend(facts.repetitions());
    let left_out = shorten(&mut parts);
    parts.sort_by_key(|part| (part.at, part.kind));
    let mut clock = Clock { day: None, show_host: facts.hosts > 1, opening: true };
    let mut story: Vec<_> = parts.into_iter().map(|part| part.tell(&mut clock)).collect();
    story.extend(left_out);
    story
}

/// What came first when two parts belong to the same moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Something that happened.
    Beat,
    /// What a detector makes of several things that happened.
    Conclusion,
}

/// A sentence to be: what it says, without its time.
struct Part<'a> {
    at: Timestamp,
    kind: Kind,
    severity: Severity,
    text: String,
    cited: Cited<'a>,
}

impl Part<'_> {
    fn tell(self, clock: &mut Clock) -> Sentence {
        let text = match self.kind {
            Kind::Beat => format!("{}{}.", clock.when_and_where(&self.cited), self.text),
            Kind::Conclusion => format!("{}.", self.text),
        };
        Sentence::new(text, &self.cited)
    }
}

/// The incident, looked up by id.
struct Facts<'a> {
    incident: &'a Incident,
    events: HashMap<&'a str, &'a TimelineEntry>,
    findings: HashMap<&'a str, &'a Finding>,
    hosts: usize,
}

fn severity(finding: &Finding) -> Severity {
    finding.severity.parse().unwrap_or(Severity::Info)
}

/// Whether a finding speaks of single events, so that it is told with them.
fn is_about_single_events(finding: &Finding) -> bool {
    finding.detector == "sigma"
}

impl<'a> Facts<'a> {
    fn new(incident: &'a Incident) -> Self {
        Self {
            incident,
            events: incident.timeline.iter().map(|entry| (entry.event_id.as_str(), entry)).collect(),
            findings: incident.findings.iter().map(|finding| (finding.id.as_str(), finding)).collect(),
            hosts: incident.timeline.iter().map(|entry| entry.host.as_str()).collect::<BTreeSet<_>>().len(),
        }
    }

    fn findings_of(&self, entry: &TimelineEntry) -> impl Iterator<Item = &'a Finding> {
        entry.finding_ids.iter().filter_map(|id| self.findings.get(id.as_str()).copied())
    }

    /// An event that only an anomaly rests on is one of many ordinary ones: the anomaly's own sentence tells of them together.
    fn is_worth_a_sentence(&self, entry: &TimelineEntry) -> bool {
        let mut findings = self.findings_of(entry).peekable();
        findings.peek().is_none() || findings.any(|finding| finding.detector != "anomaly")
    }

    fn beats(&self) -> Vec<Part<'a>> {
        let entries = self.incident.timeline.iter().filter(|entry| self.is_worth_a_sentence(entry));
        beats(entries).into_iter().map(|beat| self.beat(beat)).collect()
    }

    fn beat(&self, cited: Cited<'a>) -> Part<'a> {
        let mut text = wording::of_beat(&cited);
        let mut about: Vec<&Finding> = Vec::new();
        for finding in cited.iter().flat_map(|entry| self.findings_of(entry)) {
            if is_about_single_events(finding) && !about.iter().any(|known| known.rule_id == finding.rule_id) {
                about.push(finding);
            }
        }
        if !about.is_empty() {
            let titles: Vec<_> = about.iter().map(|finding| quoted(&finding.title)).collect();
            let rules = if titles.len() == 1 { "rule" } else { "rules" };
            text.push_str(&format!(" ({rules} {})", listed(&titles)));
        }
        if let Some(meaning) = technique::in_words(about.iter().flat_map(|finding| &finding.techniques)) {
            text.push_str(": ");
            text.push_str(&meaning);
        }
        let worst = cited.iter().flat_map(|entry| self.findings_of(entry)).map(severity).max();
        Part { at: time(cited.first()), kind: Kind::Beat, severity: worst.unwrap_or(Severity::Info), text, cited }
    }

    /// One sentence for each finding that says more than its single events do.
    fn conclusions(&self) -> impl Iterator<Item = Part<'a>> {
        self.incident.findings.iter().filter(|finding| !is_about_single_events(finding)).filter_map(|finding| {
            let mut entries: Vec<_> =
                finding.event_ids.iter().filter_map(|id| self.events.get(id.as_str()).copied()).collect();
            entries.sort_by_key(|entry| time(entry));
            let cited = Cited::all(entries)?;
            let text = conclusion(finding, &cited);
            Some(Part { at: time(cited.last()), kind: Kind::Conclusion, severity: severity(finding), text, cited })
        })
    }

    /// One sentence for each finding at which others are counted.
    fn repetitions(&self) -> impl Iterator<Item = Part<'a>> {
        self.incident.findings.iter().filter(|finding| finding.repeats > 0).filter_map(|finding| {
            let rule = self.incident.findings.iter().filter(|other| other.rule_id == finding.rule_id);
            let mut entries: Vec<_> = rule
                .filter(|other| other.sensor_id == finding.sensor_id)
                .flat_map(|other| &other.event_ids)
                .filter_map(|id| self.events.get(id.as_str()).copied())
                .collect();
            entries.sort_by_key(|entry| time(entry));
            let cited = Cited::all(entries)?;
            let times =
                if finding.repeats == 1 { "once more".to_owned() } else { format!("{} more times", finding.repeats) };
            let (title, host) = (quoted(&finding.title), quoted(&finding.host));
            let text = format!("{title} was found on {host} {times}{}", until(finding.repeated_until.as_deref()));
            Some(Part { at: time(cited.last()), kind: Kind::Conclusion, severity: severity(finding), text, cited })
        })
    }
}

/// `until 09:11:02 UTC`; nothing for a time that cannot be read.
fn until(time: Option<&str>) -> String {
    let time = time.and_then(|time| time.parse::<Timestamp>().ok());
    time.map(|time| format!(", until {} UTC", time.strftime("%H:%M:%S"))).unwrap_or_default()
}

fn conclusion(finding: &Finding, cited: &Cited<'_>) -> String {
    let reasons: Vec<_> = finding.reasons.iter().take(REASONS_MAX).map(|reason| visible(reason)).collect();
    let (title, host) = (quoted(&finding.title), quoted(&finding.host));
    let mut text = match finding.detector.as_str() {
        "sequence" => format!("Together, {} events make the sequence {title}", cited.count()),
        "yara" => format!("The program behind this was taken from {host} and scanned: {title}"),
        "anomaly" => format!("In this time {host} did not behave as it usually does"),
        _ => format!("About {host}: {title}"),
    };
    if !reasons.is_empty() {
        text.push_str(&format!(" ({})", reasons.join("; ")));
    }
    if let Some(meaning) = technique::in_words(&finding.techniques) {
        text.push_str(": ");
        text.push_str(&meaning);
    }
    text
}

/// Keeps the worst parts when there are too many; says in one sentence, resting on their first events, how many are not told.
fn shorten(parts: &mut Vec<Part<'_>>) -> Option<Sentence> {
    if parts.len() <= SENTENCES_MAX {
        return None;
    }
    parts.sort_by_key(|part| (std::cmp::Reverse(part.severity), std::cmp::Reverse(part.kind), part.at));
    let mut rest = parts.split_off(SENTENCES_MAX - 1);
    rest.sort_by_key(|part| part.at);
    let cited = Cited::all(rest.iter().map(|part| part.cited.first()))?;
    let text = format!("Besides, {} other things belong to this incident; the timeline shows them.", rest.len());
    Some(Sentence::new(text, &cited))
}

/// Remembers which day the reader is on, so that it is named only when it changes.
struct Clock {
    day: Option<Date>,
    show_host: bool,
    opening: bool,
}

impl Clock {
    /// `On 2026-11-22 at 09:11:02 UTC on “web-1”, `.
    fn when_and_where(&mut self, cited: &Cited<'_>) -> String {
        let (first, last) = (utc(cited.first()), utc(cited.last()));
        let begin = first.strftime("%H:%M:%S");
        let mut text = if self.day == Some(first.date()) { String::new() } else { format!("On {}, ", first.date()) };
        if first.date() != last.date() {
            text.push_str(&format!("between {begin} UTC and {} UTC", last.strftime("%Y-%m-%d %H:%M:%S")));
        } else if begin.to_string() == last.strftime("%H:%M:%S").to_string() {
            text.push_str(&format!("at {begin} UTC"));
        } else {
            text.push_str(&format!("between {begin} and {} UTC", last.strftime("%H:%M:%S")));
        }
        if self.show_host || self.opening {
            text.push_str(&format!(" on {}", quoted(&cited.first().host)));
        }
        (self.day, self.opening) = (Some(last.date()), false);
        text.push_str(", ");
        capitalised(text)
    }
}

fn utc(entry: &TimelineEntry) -> jiff::Zoned {
    time(entry).to_zoned(TimeZone::UTC)
}

fn capitalised(text: String) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::example, *};

    fn shown(story: &[Sentence]) -> String {
        let last = |id: &String| id.rsplit(':').next().unwrap().to_owned();
        let line = |sentence: &Sentence| {
            let ids: Vec<_> = sentence.event_ids().iter().map(last).collect();
            format!("{} [{}]", sentence.text(), ids.join(" "))
        };
        story.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn tells_a_brute_force() {
        insta::assert_snapshot!(shown(&story(&example::brute_force())));
    }

    #[test]
    fn tells_a_web_shell_over_midnight() {
        insta::assert_snapshot!(shown(&story(&example::web_shell())));
    }

    #[test]
    fn every_sentence_cites_events_that_exist() {
        for incident in [example::brute_force(), example::web_shell(), crowded()] {
            let known: BTreeSet<_> = incident.timeline.iter().map(|entry| &entry.event_id).collect();
            let story = story(&incident);
            assert!(!story.is_empty());
            for sentence in story {
                assert!(!sentence.event_ids().is_empty(), "{}", sentence.text());
                assert!(sentence.event_ids().iter().all(|id| known.contains(id)), "{}", sentence.text());
            }
        }
    }

    fn crowded() -> Incident {
        let mut incident = example::brute_force();
        let template = incident.timeline[7].clone();
        for number in 0..100 {
            let mut entry = template.clone();
            entry.event_id = format!("3f0c2a52-7f2e-4a53-9a2e-1c6f0b8d4e11:1795338000:{}", 1000 + number);
            entry.fields.insert("file.path".to_owned(), format!("/srv/{number}"));
            entry.finding_ids.clear();
            incident.timeline.push(entry);
        }
        incident
    }

    #[test]
    fn findings_that_are_only_counted_are_told_by_their_number() {
        let mut incident = example::web_shell();
        let quiet = story(&incident).len();
        let first = incident.findings.iter_mut().find(|finding| finding.detector == "sigma").unwrap();
        (first.repeats, first.repeated_until) = (9_984, Some("2026-11-23T00:10:00.5Z".to_owned()));
        let title = first.title.clone();
        let story = story(&incident);
        assert_eq!(story.len(), quiet + 1);
        let told: Vec<_> = story.iter().filter(|sentence| sentence.text().contains("9984 more times")).collect();
        assert_eq!(told.len(), 1);
        assert!(
            told[0].text().contains(&title) && told[0].text().ends_with(", until 00:10:00 UTC."),
            "{}",
            told[0].text()
        );
        assert!(!told[0].event_ids().is_empty());
    }

    #[test]
    fn a_crowded_incident_keeps_its_worst_parts_and_says_what_it_leaves_out() {
        let story = story(&crowded());
        assert_eq!(story.len(), SENTENCES_MAX);
        let text = shown(&story);
        assert!(text.contains("Besides, "), "{text}");
        assert!(text.contains("make the sequence") && text.contains("scanned"), "{text}");
    }

    #[test]
    fn a_finding_about_events_that_are_not_in_the_timeline_is_not_told() {
        let mut incident = example::brute_force();
        incident.timeline.retain(|entry| entry.action == "login-failure");
        assert!(story(&incident).iter().all(|sentence| !sentence.text().contains("scanned")));
    }

    #[test]
    fn no_timeline_no_story() {
        let mut incident = example::brute_force();
        incident.timeline.clear();
        assert!(story(&incident).is_empty());
    }
}
