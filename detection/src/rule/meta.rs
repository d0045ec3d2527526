//! What a rule says about itself: everything but what it looks for.

use bongsu_event::Severity;

use super::error::{Faults, RuleFault};
use crate::yaml::Node;

/// A rule's account of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Its `id`; where it has none, its `name`. Unique among the loaded rules.
    pub id: String,
    /// Its `name`, by which sequences may refer to it.
    pub name: Option<String>,
    /// One line for people.
    pub title: String,
    /// What it is about, empty where the rule says nothing.
    pub description: String,
    /// What else may cause it.
    pub false_positives: Vec<String>,
    /// How bad it is if true; medium where the rule says nothing.
    pub severity: Severity,
    /// 0 to 100: how likely it is to be true. 50 where the rule says nothing.
    pub confidence: u8,
    /// ATT&CK technique ids, upper case, sorted, each once.
    pub techniques: Vec<String>,
    /// Whether a match asks for the image of the acting process.
    pub evidence: bool,
    /// Whether it only feeds sequences and makes no finding of its own.
    pub quiet: bool,
}

const BONGSU_KEYS: &str = "confidence, evidence, quiet, tests";

impl Meta {
    /// Reads what every kind of document has. Mistakes are noted; `None` when something is missing that nothing can stand for.
    pub(crate) fn read(document: &Node, faults: &mut Faults) -> Option<Self> {
        let text = |key: &'static str, faults: &mut Faults| document.get(key).and_then(|node| faults.text(key, node));
        let title = text("title", faults).map(str::to_owned);
        if document.get("title").is_none() {
            faults.push(document.mark, RuleFault::Missing("title"));
        }
        let name = text("name", faults).map(str::to_owned);
        let id = text("id", faults).map(str::to_owned).or_else(|| name.clone());
        if id.is_none() && document.get("id").is_none() {
            faults.push(document.mark, RuleFault::Missing("id"));
        }
        let severity = match document.get("level").and_then(|node| Some((node.mark, faults.text("level", node)?))) {
            Some((mark, level)) => faults.note(mark, level.parse().map_err(RuleFault::from)),
            None => Some(Severity::Medium),
        };
        let description = text("description", faults).unwrap_or_default().trim().to_owned();
        let false_positives = texts(document, "falsepositives", faults);
        let techniques = techniques(document, faults);
        let own = Own::read(document, faults);
        Some(Self {
            id: id?,
            name,
            title: title?,
            description,
            false_positives,
            severity: severity?,
            confidence: own.confidence,
            techniques,
            evidence: own.evidence,
            quiet: own.quiet,
        })
    }
}

/// What stands under `bongsu:`.
struct Own {
    confidence: u8,
    evidence: bool,
    quiet: bool,
}

impl Own {
    fn read(document: &Node, faults: &mut Faults) -> Self {
        let mut own = Self { confidence: 50, evidence: false, quiet: false };
        let Some(node) = document.get("bongsu") else { return own };
        let Some(entries) = node.entries() else {
            faults.push(node.mark, RuleFault::WrongShape { key: "bongsu".to_owned(), expected: "a map" });
            return own;
        };
        for entry in entries {
            match entry.key.as_str() {
                "evidence" => own.evidence = faults.flag("evidence", &entry.value).unwrap_or(false),
                "quiet" => own.quiet = faults.flag("quiet", &entry.value).unwrap_or(false),
                "confidence" => {
                    match entry.value.text().and_then(|text| text.parse().ok()).filter(|value| *value <= 100) {
                        Some(confidence) => own.confidence = confidence,
                        None => faults.push(
                            entry.value.mark,
                            RuleFault::WrongShape { key: "confidence".to_owned(), expected: "a number from 0 to 100" },
                        ),
                    }
                }
                "tests" => {}
                other => {
                    faults.push(entry.mark, RuleFault::UnknownKey { key: other.to_owned(), expected: BONGSU_KEYS });
                }
            }
        }
        own
    }
}

fn texts(document: &Node, key: &'static str, faults: &mut Faults) -> Vec<String> {
    let items = document.get(key).map(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| faults.text(key, item)).map(str::to_owned).collect()
}

/// The techniques among the tags. Tags of other namespaces are not ours to judge.
fn techniques(document: &Node, faults: &mut Faults) -> Vec<String> {
    let mut found = Vec::new();
    for item in document.get("tags").map(Node::items).unwrap_or_default() {
        let Some(tag) = faults.text("tags", item) else { continue };
        let Some(name) = tag.strip_prefix("attack.") else { continue };
        match attack(name) {
            Some(Attack::Technique) => found.push(name.to_ascii_uppercase()),
            Some(Attack::Other) => {}
            None => faults.push(item.mark, RuleFault::Tag(tag.to_owned())),
        }
    }
    found.sort();
    found.dedup();
    found
}

enum Attack {
    Technique,
    /// A tactic, a group or a piece of software.
    Other,
}

fn attack(name: &str) -> Option<Attack> {
    let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    match (name.as_bytes().first()?, name.get(1..)?) {
        (b't' | b'T', rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => {
            let (technique, sub) = rest.split_once('.').unwrap_or((rest, "000"));
            (digits(technique, 4) && digits(sub, 3)).then_some(Attack::Technique)
        }
        (b'g' | b's' | b'G' | b'S', rest) if digits(rest, 4) => Some(Attack::Other),
        // Tactics are renamed from one release of ATT&CK to the next; any word may be one.
        _ => name.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_')).then_some(Attack::Other),
    }
}
