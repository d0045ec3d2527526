//! All single-event rules together, so that what an event costs grows with what it matches rather than with how many rules
//! there are.
//!
//! Every predicate of every rule stands in one table, each once. The plain strings that predicates look for in one field are one
//! automaton, the field's *column*, so that one pass over the value answers all of them. A rule that cannot match unless some such
//! string is there is tried only when one is (its *gate*); the others are tried on every event of their actions. Answers are kept
//! for the event, however many rules ask.

use ahash::AHashMap;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use bongsu_event::{
    StoredEvent,
    catalogue::{Action, FieldId},
};

use super::{
    Meta, Rule,
    expression::{PredicateId, Predicates},
    pattern::{Anchor, Needle},
    predicate::{Predicate, Test, Values},
};
use crate::{Finding, sequence::RuleIndex};

/// Up to so many bytes of strings a column is a table of transitions, faster than the compact form and up to a kilobyte
/// for each byte of string.
const TABLE_BYTES_MAX: usize = 1 << 14;

/// The rules and what is needed to try them quickly.
#[derive(Debug)]
pub(crate) struct RuleSet {
    rules: Vec<Rule>,
    predicates: Predicates,
    columns: Vec<Column>,
    /// The column that answers a predicate, where one does.
    column_of: Vec<Option<usize>>,
    plans: [Plan; Action::COUNT],
    answers: Answers,
    candidates: Vec<u32>,
}

/// The plain strings looked for in one field.
#[derive(Debug)]
struct Column {
    field: FieldId,
    automaton: AhoCorasick,
    /// By pattern of the automaton: who asks for it, and where it has to be.
    uses: Vec<Vec<Use>>,
}

#[derive(Debug)]
struct Use {
    predicate: PredicateId,
    anchor: Anchor,
    /// The exact bytes where case counts; the automaton folds it.
    exact: Option<Vec<u8>>,
}

/// What to do with an event of one action.
#[derive(Debug, Default)]
struct Plan {
    /// Columns that gates need.
    columns: Vec<usize>,
    /// Rules by the predicate that opens their gate.
    gated: AHashMap<PredicateId, Vec<u32>>,
    /// Rules without a gate.
    always: Vec<u32>,
}

/// The answers for the event at hand. An answer is of the event whose number it bears, so nothing is cleared between events.
#[derive(Debug, Default)]
struct Answers {
    event: u64,
    /// By predicate: the event's number times two, plus one when it holds.
    predicates: Vec<u64>,
    /// By column: the number of the event it was last run on.
    columns: Vec<u64>,
}

impl RuleSet {
    pub(crate) fn new(rules: Vec<Rule>, predicates: Predicates) -> Self {
        let (columns, column_of) = columns(&predicates);
        let answers = Answers { event: 0, predicates: vec![0; predicates.all.len()], columns: vec![0; columns.len()] };
        let plans = std::array::from_fn(|action| plan(action, &rules, &predicates, &column_of));
        Self { rules, predicates, columns, column_of, plans, answers, candidates: Vec::new() }
    }

    /// The rules in the order in which they were loaded.
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What a rule says about itself.
    pub(crate) fn meta(&self, rule: RuleIndex) -> &Meta {
        &self.rules[rule.0 as usize].meta
    }

    /// Adds the rules that match to `matched`, in the order in which they were loaded.
    pub(crate) fn matches(&mut self, event: &StoredEvent, values: &Values<'_>, matched: &mut Vec<RuleIndex>) {
        let Self { rules, predicates, columns, column_of, plans, answers, candidates } = self;
        let plan = &plans[Action::of(&event.event.activity) as usize];
        answers.event += 1;
        candidates.clear();
        candidates.extend(&plan.always);
        for column in &plan.columns {
            answers.run(columns, *column, values, |predicate| {
                candidates.extend(plan.gated.get(&predicate).into_iter().flatten());
            });
        }
        candidates.sort_unstable();
        candidates.dedup();
        for candidate in &*candidates {
            let mut held = |id: PredicateId| answers.held(id, predicates.get(id), column_of, columns, values);
            if rules[*candidate as usize].expression.holds(&mut held) {
                matched.push(RuleIndex(*candidate));
            }
        }
    }

    /// What a rule that matched says about the event, unless it is a quiet one.
    pub(crate) fn finding(&self, rule: RuleIndex, event: &StoredEvent, values: &Values<'_>) -> Option<Finding> {
        let rule = &self.rules[rule.0 as usize];
        (!rule.meta.quiet).then(|| rule.finding(event, &self.predicates, values))
    }
}

impl Answers {
    /// Whether a predicate holds, asked at most once for an event.
    fn held(
        &mut self,
        id: PredicateId,
        predicate: &Predicate,
        column_of: &[Option<usize>],
        columns: &[Column],
        values: &Values<'_>,
    ) -> bool {
        let index = id.0 as usize;
        if self.predicates[index] / 2 == self.event {
            return self.predicates[index] % 2 == 1;
        }
        let held = match column_of[index] {
            Some(column) => {
                self.run(columns, column, values, |_| {});
                self.predicates[index] == self.event * 2 + 1
            }
            None => predicate.held(values).is_some(),
        };
        self.predicates[index] = self.event * 2 + u64::from(held);
        held
    }

    /// Answers every predicate of a column that holds, and tells which do. A second run for the same event does nothing.
    fn run(&mut self, columns: &[Column], index: usize, values: &Values<'_>, mut tell: impl FnMut(PredicateId)) {
        if self.columns[index] == self.event {
            return;
        }
        self.columns[index] = self.event;
        let column = &columns[index];
        let value = values.get(column.field);
        let Some(bytes) = value.to_bytes() else { return };
        for found in column.automaton.find_overlapping_iter(bytes.as_ref()) {
            for asked in &column.uses[found.pattern().as_usize()] {
                let here = asked.anchor.admits(found.start(), found.len(), bytes.len())
                    && asked.exact.as_ref().is_none_or(|exact| bytes[found.range()] == exact[..]);
                let answer = &mut self.predicates[asked.predicate.0 as usize];
                if here && *answer != self.event * 2 + 1 {
                    *answer = self.event * 2 + 1;
                    tell(asked.predicate);
                }
            }
        }
    }
}

/// The plain strings that a predicate looks for, when that is all it does.
fn plain_needles(predicate: &Predicate) -> Option<Vec<(&[u8], Anchor)>> {
    let Test::Text { needles, .. } = &predicate.test else { return None };
    needles
        .iter()
        .map(|needle| match &needle.needle {
            Needle::Literal { bytes, anchor } if !bytes.is_empty() => Some((bytes.as_slice(), *anchor)),
            _ => None,
        })
        .collect()
}

fn columns(predicates: &Predicates) -> (Vec<Column>, Vec<Option<usize>>) {
    // By field, in the order of the catalogue: the strings, folded, and who asks for each.
    let mut fields: std::collections::BTreeMap<FieldId, AHashMap<Vec<u8>, Vec<Use>>> =
        std::collections::BTreeMap::new();
    let ids = (0_u32..).map(PredicateId).take(predicates.all.len());
    for (id, predicate) in ids.zip(&predicates.all) {
        let (Some(field), Some(needles)) = (predicate.field(), plain_needles(predicate)) else { continue };
        let cased = matches!(predicate.test, Test::Text { cased: true, .. });
        let strings = fields.entry(field).or_default();
        for (bytes, anchor) in needles {
            let exact = cased.then(|| bytes.to_vec());
            strings.entry(bytes.to_ascii_lowercase()).or_default().push(Use { predicate: id, anchor, exact });
        }
    }
    let mut column_of = vec![None; predicates.all.len()];
    let mut columns = Vec::new();
    for (field, strings) in fields {
        let (strings, uses): (Vec<_>, Vec<_>) = strings.into_iter().unzip();
        let bytes: usize = strings.iter().map(Vec::len).sum();
        let built = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind((bytes <= TABLE_BYTES_MAX).then_some(AhoCorasickKind::DFA))
            .build(&strings);
        // Too many strings for an automaton: its predicates are asked one by one instead.
        let Ok(automaton) = built else { continue };
        for asked in uses.iter().flatten() {
            column_of[asked.predicate.0 as usize] = Some(columns.len());
        }
        columns.push(Column { field, automaton, uses });
    }
    (columns, column_of)
}

fn plan(action: usize, rules: &[Rule], predicates: &Predicates, column_of: &[Option<usize>]) -> Plan {
    let mut plan = Plan::default();
    for (index, rule) in (0_u32..).zip(rules).filter(|(_, rule)| rule.actions.has(action)) {
        // What every event of the action says about itself keeps no rule out.
        let tells =
            |id: PredicateId| predicates.get(id).field().is_some_and(|field| !field.field().ecs.starts_with("event."));
        let usable = |id: PredicateId| column_of[id.0 as usize].is_some() && tells(id);
        match rule.expression.gate(&usable) {
            Some(gate) => {
                for predicate in gate {
                    plan.columns.extend(column_of[predicate.0 as usize]);
                    plan.gated.entry(predicate).or_default().push(index);
                }
            }
            None => plan.always.push(index),
        }
    }
    plan.columns.sort_unstable();
    plan.columns.dedup();
    plan
}
