//! Sigma rules on single events: read, compiled against the catalogue, and tried on events.
//!
//! This room owns the rule language. It refuses what it cannot do, by name and place, and never reads past a mistake in silence.
//! Compiled rules hold typed predicates on [`FieldId`](bongsu_event::catalogue::FieldId)s; nothing is looked up by name when an
//! event comes. The language is described in `docs/rule-language.md`.

mod action;
mod condition;
mod correlation;
mod error;
mod expression;
mod logsource;
mod meta;
mod modifier;
mod pattern;
mod predicate;
mod selection;
mod set;
#[cfg(test)]
mod tests;

use bongsu_event::{StoredEvent, catalogue::FieldId};

pub use error::{RuleError, RuleFault, ValueFault, YamlFault};
pub use meta::Meta;
pub(crate) use {
    correlation::{compile as compile_sequence, duration},
    error::Faults,
    expression::Predicates,
    predicate::Values,
    set::RuleSet,
};

use self::{
    action::Actions,
    condition::Selection,
    expression::Expression,
    pattern::{Anchor, Pattern},
    predicate::{Predicate, Target, Test, TextNeedle},
};
use crate::{
    Detector, EvidenceWish, Finding, FindingId, entity,
    yaml::{Entry, Node},
};

/// How long a condition may be.
const CONDITION_BYTES_MAX: usize = 4096;

/// A rule on single events, ready to run.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) meta: Meta,
    actions: Actions,
    expression: Expression,
}

impl Rule {
    /// Compiles a document with a `detection`. Every mistake in it is noted; `None` when there was one.
    pub(crate) fn compile(document: &Node, predicates: &mut Predicates, faults: &mut Faults) -> Option<Self> {
        let before = faults.0.len();
        let meta = Meta::read(document, faults);
        let source = logsource(document, faults);
        let expression = detection(document, predicates, faults);
        let (meta, source, mut expression) = (meta?, source?, expression?);
        if meta.evidence && source.actions.only_logs() {
            let mark = document.get("bongsu").map_or(document.mark, |node| node.mark);
            faults.push(mark, RuleFault::EvidenceOfLog);
        }
        if !source.programs.is_empty() {
            let of_program = Expression::Test(predicates.intern(names_program(source.programs)));
            expression = Expression::All(vec![of_program, expression]);
        }
        (faults.0.len() == before).then_some(Self { meta, actions: source.actions, expression })
    }

    /// What the rule says about an event that it matched.
    fn finding(&self, event: &StoredEvent, predicates: &Predicates, values: &Values<'_>) -> Finding {
        let meta = &self.meta;
        let process = event.event.process.as_deref().filter(|_| meta.evidence);
        Finding {
            id: FindingId::new(&meta.id, b"", &[event.id]),
            rule: meta.id.clone(),
            title: meta.title.clone(),
            detector: Detector::Sigma,
            severity: meta.severity,
            confidence: meta.confidence,
            techniques: meta.techniques.clone(),
            sensor: event.id.sensor,
            first: event.event.time,
            last: event.event.time,
            events: vec![event.id],
            entities: entity::entities(&event.event),
            reasons: self.expression.reasons(predicates, values),
            wants_evidence: process
                .map(|process| EvidenceWish { process: process.key, path: process.executable.clone() }),
        }
    }
}

/// The line names one of these programs as its writer.
fn names_program(programs: &[&str]) -> Predicate {
    let field = FieldId::by_name("log.syslog.appname").expect("the catalogue has the writer of a log line");
    let needle = |program: &&str| TextNeedle {
        needle: Pattern::literal(program.as_bytes().to_vec()).anchored(Anchor::Whole),
        spelling: (*program).to_owned(),
    };
    let needles = programs.iter().map(needle).collect();
    Predicate { target: Target::Field(field), test: Test::Text { needles, cased: false } }
}

fn logsource(document: &Node, faults: &mut Faults) -> Option<logsource::Source> {
    let Some(node) = document.get("logsource") else {
        faults.push(document.mark, RuleFault::Missing("logsource"));
        return None;
    };
    let Some(entries) = node.entries() else {
        faults.push(node.mark, RuleFault::WrongShape { key: "logsource".to_owned(), expected: "a map" });
        return None;
    };
    const KNOWN: &str = "product, category, service, definition";
    for Entry { key, mark, .. } in entries {
        if !KNOWN.split(", ").any(|known| known == key) {
            faults.push(*mark, RuleFault::UnknownKey { key: key.clone(), expected: KNOWN });
        }
    }
    let word = |key| node.get(key).and_then(Node::text);
    let source = logsource::resolve(word("product"), word("category"), word("service"));
    faults.note(node.mark, source.map_err(RuleFault::NeverFires))
}

fn detection(document: &Node, predicates: &mut Predicates, faults: &mut Faults) -> Option<Expression> {
    let Some(node) = document.get("detection") else {
        faults.push(document.mark, RuleFault::Missing("detection"));
        return None;
    };
    let Some(entries) = node.entries() else {
        faults.push(node.mark, RuleFault::WrongShape { key: "detection".to_owned(), expected: "a map" });
        return None;
    };
    let mut selections = Vec::new();
    let mut whole = true;
    for Entry { key, mark, value } in entries {
        match key.as_str() {
            "condition" => {}
            "timeframe" => {
                let what = "\"timeframe\" (removed from Sigma: write a correlation)";
                faults.push(*mark, RuleFault::Unsupported(what.to_owned()));
            }
            name => match selection::compile(name, value, predicates, faults) {
                Some(expression) => selections.push(Selection { name: name.to_owned(), expression }),
                None => whole = false,
            },
        }
    }
    let Some(condition) = node.get("condition") else {
        faults.push(node.mark, RuleFault::Missing("condition"));
        return None;
    };
    // Without all its selections a condition would seem to name ones that are not there.
    if !whole {
        return None;
    }
    let conditions: Vec<_> = condition.items().iter().map(|item| parse_condition(item, &selections, faults)).collect();
    let conditions: Vec<_> = conditions.into_iter().collect::<Option<_>>()?;
    if conditions.is_empty() {
        faults.push(condition.mark, RuleFault::Empty("condition".to_owned()));
        return None;
    }
    Some(Expression::Any(conditions))
}

fn parse_condition(node: &Node, selections: &[Selection], faults: &mut Faults) -> Option<Expression> {
    let text = faults.text("condition", node)?;
    if text.len() > CONDITION_BYTES_MAX {
        let fault = RuleFault::Condition(format!("it is longer than {CONDITION_BYTES_MAX} bytes"));
        faults.push(node.mark, fault);
        return None;
    }
    condition::parse(text, selections)
        .map_err(|(at, fault)| {
            let mut mark = node.mark;
            // Exact for a condition on one line without quotes, which is how conditions are written.
            mark.column = mark.column.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            faults.push(mark, fault);
        })
        .ok()
}
