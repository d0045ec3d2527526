//! A rule's condition over predicates, and the words for why it held.

use std::collections::HashMap;

use bongsu_event::catalogue::FieldId;

use super::predicate::{Predicate, Target, Test, Values};
use crate::entity::shown;

/// The place of a predicate in the table of all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PredicateId(pub(crate) u32);

/// Every predicate of every rule, each once.
#[derive(Debug, Default)]
pub(crate) struct Predicates {
    pub(crate) all: Vec<Predicate>,
    known: HashMap<Predicate, PredicateId>,
}

impl Predicates {
    pub(crate) fn intern(&mut self, predicate: Predicate) -> PredicateId {
        if let Some(id) = self.known.get(&predicate) {
            return *id;
        }
        let id = PredicateId(u32::try_from(self.all.len()).expect("rule files of 1 MiB hold fewer predicates"));
        self.all.push(predicate.clone());
        self.known.insert(predicate, id);
        id
    }

    pub(crate) fn get(&self, id: PredicateId) -> &Predicate {
        &self.all[id.0 as usize]
    }
}

/// What has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Test(PredicateId),
}

impl Expression {
    /// Whether it holds when predicates hold as `held` says.
    pub(crate) fn holds(&self, held: &mut impl FnMut(PredicateId) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(held)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(held)),
            Self::Not(part) => !part.holds(held),
            Self::Test(predicate) => held(*predicate),
        }
    }

    /// Predicates of which at least one holds whenever the expression does, if `usable` ones make such a set. The fewer the
    /// better: a rule whose gate holds nowhere in an event needs no further look at it.
    pub(crate) fn gate(&self, usable: &impl Fn(PredicateId) -> bool) -> Option<Vec<PredicateId>> {
        match self {
            Self::Test(predicate) => usable(*predicate).then(|| vec![*predicate]),
            Self::All(parts) => parts.iter().filter_map(|part| part.gate(usable)).min_by_key(Vec::len),
            Self::Any(parts) => {
                let gates: Option<Vec<_>> = parts.iter().map(|part| part.gate(usable)).collect();
                gates.map(|gates| gates.concat())
            }
            Self::Not(_) => None,
        }
    }

    /// The clauses that held, in words, in the order of the rule.
    pub(crate) fn reasons(&self, predicates: &Predicates, values: &Values<'_>) -> Vec<String> {
        let mut reasons = Vec::new();
        self.explain(predicates, values, &mut reasons);
        if reasons.is_empty() {
            reasons.push("nothing that the rule excludes was there".to_owned());
        }
        reasons
    }

    fn explain(&self, predicates: &Predicates, values: &Values<'_>, reasons: &mut Vec<String>) {
        match self {
            Self::Test(predicate) => {
                if let Some(reason) = predicates.get(*predicate).reason(values)
                    && !reasons.contains(&reason)
                {
                    reasons.push(reason);
                }
            }
            // An alternative that did not hold as a whole is no reason, even where parts of it did.
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    if part.holds(&mut |predicate| predicates.get(predicate).held(values).is_some()) {
                        part.explain(predicates, values, reasons);
                    }
                }
            }
            Self::Not(_) => {}
        }
    }
}

impl Predicate {
    /// Why it holds, in words; `None` when it does not.
    fn reason(&self, values: &Values<'_>) -> Option<String> {
        let (field, which) = self.held(values)?;
        let name = field.field().ecs;
        let value = values.get(field).to_bytes().map(|bytes| shown(&bytes)).unwrap_or_default();
        let with_value = |clause: String| format!("{clause}: {value}");
        Some(match &self.test {
            Test::Text { needles, .. } => text_reason(name, needles.get(which)?, &value),
            Test::Regex(regexes) => with_value(format!("{name} matches {}", regexes.get(which)?.source)),
            Test::Numbers(_) | Test::Addresses(_) | Test::Flag(_) => format!("{name} is {value}"),
            Test::Networks(networks) => with_value(format!("{name} is in {}", networks.get(which)?)),
            Test::Compare(comparison, limit) => with_value(format!("{name} {} {limit}", comparison.words())),
            Test::Present => with_value(format!("{name} is there")),
            Test::Absent => format!("{name} is not there"),
            Test::Other { field, anchor, .. } => {
                with_value(format!("{name} {} what is in {}", anchor.words(), field.field().ecs))
            }
        })
    }

    /// The field it looks in, when that is one.
    pub(crate) const fn field(&self) -> Option<FieldId> {
        match self.target {
            Target::Field(field) => Some(field),
            Target::Anywhere => None,
        }
    }
}

fn text_reason(field: &str, needle: &super::predicate::TextNeedle, value: &str) -> String {
    use super::pattern::{Anchor, Needle};
    let spelling = shown(needle.spelling.as_bytes());
    match &needle.needle {
        Needle::Literal { anchor: Anchor::Whole, .. } if spelling.is_empty() => format!("{field} is empty"),
        Needle::Literal { anchor: Anchor::Whole, .. } => format!("{field} is {value}"),
        Needle::Literal { anchor, .. } => format!("{field} {} {spelling}: {value}", anchor.words()),
        Needle::Glob(_) => format!("{field} is like {spelling}: {value}"),
    }
}
