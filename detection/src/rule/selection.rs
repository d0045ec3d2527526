//! From a selection of the `detection` map to an expression over typed predicates.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bongsu_event::catalogue::{FieldId, Kind};
use regex_automata::{meta, util::syntax};

use super::{
    error::{Faults, RuleFault, ValueFault},
    expression::{Expression, Predicates},
    modifier::{Modifiers, Operation, RegexFlags, Transform},
    pattern::{Anchor, Pattern},
    predicate::{Network, Predicate, RegexNeedle, Target, Test, TextNeedle},
};
use crate::yaml::{Data, Entry, Node};

/// How large a compiled regular expression may be.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Compiles one selection: a map of fields, a list of such maps, or keywords.
pub(crate) fn compile(name: &str, node: &Node, predicates: &mut Predicates, faults: &mut Faults) -> Option<Expression> {
    let empty = |faults: &mut Faults| {
        faults.push(node.mark, RuleFault::Empty(name.to_owned()));
        None
    };
    match &node.data {
        Data::Map(entries) if entries.is_empty() => empty(faults),
        Data::Map(entries) => compile_map(entries, predicates, faults),
        Data::List(items) if items.is_empty() => empty(faults),
        Data::List(items) => {
            let parts: Vec<_> = items.iter().map(|item| compile(name, item, predicates, faults)).collect();
            parts.into_iter().collect::<Option<Vec<_>>>().map(Expression::Any)
        }
        Data::Scalar { text, .. } if text.is_empty() || node.is_null() => empty(faults),
        Data::Scalar { .. } => {
            let modifiers = Modifiers::parse([]).ok()?;
            let clause = Clause { target: Target::Anywhere, name: "keywords", modifiers: &modifiers };
            clause.compile(node, predicates, faults)
        }
    }
}

fn compile_map(entries: &[Entry], predicates: &mut Predicates, faults: &mut Faults) -> Option<Expression> {
    let parts: Vec<_> = entries.iter().map(|entry| compile_entry(entry, predicates, faults)).collect();
    parts.into_iter().collect::<Option<Vec<_>>>().map(Expression::All)
}

fn compile_entry(entry: &Entry, predicates: &mut Predicates, faults: &mut Faults) -> Option<Expression> {
    let mut words = entry.key.split('|');
    let name = words.next().unwrap_or_default();
    let target = match name {
        "" => Some(Target::Anywhere),
        name => {
            let field = FieldId::by_name(name).ok_or_else(|| RuleFault::UnknownField(name.to_owned()));
            faults.note(entry.mark, field).map(Target::Field)
        }
    };
    let modifiers = faults.note(entry.mark, Modifiers::parse(words));
    let (target, modifiers) = (target?, modifiers?);
    let name = if name.is_empty() { "keywords" } else { name };
    Clause { target, name, modifiers: &modifiers }.compile(&entry.value, predicates, faults)
}

/// One field with its modifiers, as a rule names it.
struct Clause<'a> {
    target: Target,
    name: &'a str,
    modifiers: &'a Modifiers,
}

impl Clause<'_> {
    fn compile(&self, value: &Node, predicates: &mut Predicates, faults: &mut Faults) -> Option<Expression> {
        let items = value.items();
        if items.is_empty() {
            faults.push(value.mark, RuleFault::Empty(self.name.to_owned()));
            return None;
        }
        let tests: Vec<Option<Vec<Test>>> = items
            .iter()
            .map(|item| {
                let refuse = |why| RuleFault::Value {
                    field: self.name.to_owned(),
                    value: item.text().unwrap_or_default().to_owned(),
                    why,
                };
                faults.note(item.mark, self.tests(item).map_err(refuse))
            })
            .collect();
        let tests: Vec<Vec<Test>> = tests.into_iter().collect::<Option<_>>()?;
        let mut any = |tests: Vec<Test>| {
            let merged = merge(tests).into_iter();
            Expression::Any(
                merged
                    .map(|test| Expression::Test(predicates.intern(Predicate { target: self.target, test })))
                    .collect(),
            )
        };
        let whole = if self.modifiers.all {
            Expression::All(tests.into_iter().map(any).collect())
        } else {
            any(tests.concat())
        };
        Some(if self.modifiers.neq { Expression::Not(Box::new(whole)) } else { whole })
    }

    fn kind(&self) -> Kind {
        match self.target {
            Target::Field(field) => field.field().kind,
            Target::Anywhere => Kind::Text,
        }
    }

    /// What one value of the list asks; several tests when a transform makes alternatives of it.
    fn tests(&self, item: &Node) -> Result<Vec<Test>, ValueFault> {
        let text = item.text().ok_or(ValueFault::NotScalar)?;
        if item.is_null() {
            return match self.modifiers.operation {
                Operation::Text(Anchor::Whole) if self.modifiers.transforms.is_empty() => Ok(vec![Test::Absent]),
                _ => Err(ValueFault::NullModified),
            };
        }
        let one = match self.modifiers.operation {
            Operation::Text(anchor) => return self.text(text, anchor),
            Operation::Regex(flags) => Test::Regex(vec![regex(text, flags)?]),
            Operation::Cidr if matches!(self.kind(), Kind::Number | Kind::Flag) => {
                return Err(ValueFault::Kind(self.kind()));
            }
            Operation::Cidr => Test::Networks(vec![Network::parse(text).ok_or(ValueFault::NotNetwork)?]),
            Operation::Compare(_) if self.kind() != Kind::Number => return Err(ValueFault::NotOrdered),
            Operation::Compare(comparison) => {
                Test::Compare(comparison, text.parse().map_err(|_not_a_number| ValueFault::NotNumber)?)
            }
            Operation::Exists => match item.flag().ok_or(ValueFault::NotFlag)? {
                true => Test::Present,
                false => Test::Absent,
            },
            Operation::FieldRef(anchor) => Test::Other {
                field: FieldId::by_name(text).ok_or(ValueFault::NotField)?,
                anchor,
                cased: self.modifiers.cased,
            },
        };
        Ok(vec![one])
    }

    /// A value compared as text, or by equality when the field holds something else and the value is no pattern.
    fn text(&self, text: &str, anchor: Anchor) -> Result<Vec<Test>, ValueFault> {
        if text.is_empty() && anchor != Anchor::Whole {
            return Err(ValueFault::EmptyNeedle);
        }
        let pattern = Pattern::parse(text);
        let plain = anchor == Anchor::Whole && self.modifiers.transforms.is_empty() && pattern.as_literal().is_some();
        let wrong_kind = ValueFault::Kind(self.kind());
        match self.kind() {
            Kind::Number if plain => {
                return Ok(vec![Test::Numbers(vec![text.parse().map_err(|_not_a_number| wrong_kind)?])]);
            }
            Kind::Address if plain => {
                let address: std::net::IpAddr = text.parse().map_err(|_not_an_address| wrong_kind)?;
                return Ok(vec![Test::Addresses(vec![address.to_canonical()])]);
            }
            Kind::Flag => {
                let flag = text.to_ascii_lowercase().parse().map_err(|_not_a_flag| wrong_kind)?;
                return if plain { Ok(vec![Test::Flag(flag)]) } else { Err(ValueFault::NotFlag) };
            }
            _ => {}
        }
        // A keyword is looked for inside whatever text there is.
        let anchor = match self.target {
            Target::Anywhere if anchor == Anchor::Whole => Anchor::Inside,
            _ => anchor,
        };
        let needles = self
            .transformed(pattern)?
            .into_iter()
            .map(|pattern| TextNeedle { needle: pattern.anchored(anchor), spelling: self.spelling(text) });
        Ok(vec![Test::Text { needles: needles.collect(), cased: self.modifiers.cased }])
    }

    fn spelling(&self, text: &str) -> String {
        let encoded = self.modifiers.transforms.iter().any(|transform| *transform != Transform::Windash);
        if encoded { format!("an encoding of {text}") } else { text.to_owned() }
    }

    fn transformed(&self, pattern: Pattern) -> Result<Vec<Pattern>, ValueFault> {
        let mut patterns = vec![pattern];
        for transform in &self.modifiers.transforms {
            let mut next = Vec::new();
            for pattern in patterns {
                next.extend(apply(*transform, pattern)?);
            }
            patterns = next;
        }
        Ok(patterns)
    }
}

/// Joins tests of one kind into one that asks for any of them, so that a list of a hundred names is one predicate.
fn merge(tests: Vec<Test>) -> Vec<Test> {
    let mut merged: Vec<Test> = Vec::new();
    for test in tests {
        let joined = merged.iter_mut().any(|before| match (before, &test) {
            (Test::Text { needles, cased }, Test::Text { needles: more, cased: same }) if cased == same => {
                needles.extend(more.iter().cloned());
                true
            }
            (Test::Regex(regexes), Test::Regex(more)) => {
                regexes.extend(more.iter().cloned());
                true
            }
            (Test::Numbers(numbers), Test::Numbers(more)) => {
                numbers.extend(more);
                true
            }
            (Test::Addresses(addresses), Test::Addresses(more)) => {
                addresses.extend(more);
                true
            }
            (Test::Networks(networks), Test::Networks(more)) => {
                networks.extend(more);
                true
            }
            _ => false,
        });
        if !joined {
            merged.push(test);
        }
    }
    merged
}

fn regex(source: &str, flags: RegexFlags) -> Result<RegexNeedle, ValueFault> {
    let syntax = syntax::Config::new()
        .utf8(false)
        .case_insensitive(flags.insensitive)
        .multi_line(flags.multi_line)
        .dot_matches_new_line(flags.dot_all);
    let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(REGEX_BYTES_MAX));
    let regex = meta::Builder::new().syntax(syntax).configure(config).build(source).map_err(|error| {
        // The syntax error, where there is one, says where in the expression it is.
        let detail = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
        ValueFault::Regex(detail.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
    })?;
    Ok(RegexNeedle { source: source.to_owned(), flags, regex })
}

fn apply(transform: Transform, pattern: Pattern) -> Result<Vec<Pattern>, ValueFault> {
    if transform == Transform::Windash {
        return pattern.windash().ok_or(ValueFault::TooManyDashes);
    }
    let bytes = pattern.as_literal().ok_or(ValueFault::Wildcard)?;
    let utf16 = |encode: fn(u16) -> [u8; 2], mark: &[u16]| {
        let text = String::from_utf8_lossy(bytes);
        mark.iter().copied().chain(text.encode_utf16()).flat_map(encode).collect::<Vec<u8>>()
    };
    Ok(match transform {
        Transform::Windash => vec![pattern],
        Transform::Base64 => vec![Pattern::literal(STANDARD.encode(bytes).into_bytes())],
        Transform::Base64Offset => base64_offsets(bytes).into_iter().map(Pattern::literal).collect(),
        Transform::Utf16Le => vec![Pattern::literal(utf16(u16::to_le_bytes, &[]))],
        Transform::Utf16Be => vec![Pattern::literal(utf16(u16::to_be_bytes, &[]))],
        Transform::Utf16 => vec![Pattern::literal(utf16(u16::to_le_bytes, &[0xfeff]))],
    })
}

/// The bytes as they look inside base64 at each of the three offsets: only the characters that depend on nothing around them.
fn base64_offsets(bytes: &[u8]) -> Vec<Vec<u8>> {
    (0..3_usize)
        .map(|offset| {
            let padded = [&[0; 2][..offset], bytes].concat();
            let encoded = STANDARD.encode(&padded).into_bytes();
            let start = [0, 2, 3][offset];
            let end = (padded.len() / 3 * 4 + [0, 1, 2][padded.len() % 3]).max(start);
            encoded[start..end].to_vec()
        })
        .filter(|encoded| !encoded.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_at_every_offset_and_between_anything() {
        for text in ["/bin/bash", "http://", "ab", "foo"] {
            let needles = base64_offsets(text.as_bytes());
            for before in 0..7_usize {
                for after in 0..4_usize {
                    let around = ["x".repeat(before), text.to_owned(), "y".repeat(after)].concat();
                    let encoded = STANDARD.encode(around);
                    let found =
                        needles.iter().any(|needle| encoded.as_bytes().windows(needle.len()).any(|at| at == needle));
                    assert!(found, "{text} at {before}");
                }
            }
        }
    }
}
