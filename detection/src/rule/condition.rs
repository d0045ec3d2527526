//! The condition language: `selection and not 1 of filter_*`.
//!
//! ```text
//! or    := and ("or" and)*
//! and   := not ("and" not)*
//! not   := "not" not | atom
//! atom  := "(" or ")" | ("1" | "any" | "all") "of" ("them" | name or pattern) | name
//! ```

use std::iter::Peekable;

use super::{error::RuleFault, expression::Expression};

/// How deep parentheses and `not` may nest.
const DEPTH_MAX: usize = 32;

/// A selection that a condition may name.
pub(crate) struct Selection {
    pub(crate) name: String,
    pub(crate) expression: Expression,
}

/// Reads a condition over these selections. The error comes with the byte of the text at which it was seen.
pub(crate) fn parse(text: &str, selections: &[Selection]) -> Result<Expression, (usize, RuleFault)> {
    let mut parser = Parser { tokens: tokens(text).peekable(), selections, end: text.len() };
    let expression = parser.or(0)?;
    match parser.tokens.next() {
        None => Ok(expression),
        Some((at, "|")) => Err((
            at,
            RuleFault::Condition("aggregations behind a bar were removed from Sigma: write a correlation".to_owned()),
        )),
        Some((at, word)) => Err((at, RuleFault::Condition(format!("{word:?} is not expected here")))),
    }
}

/// Words, parentheses and bars, each with its place.
fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(|character: char| !character.is_whitespace())?;
        let length = text[start..].find(|character: char| character.is_whitespace() || "()|".contains(character));
        let length = match length {
            Some(0) => 1,
            Some(length) => length,
            None => text.len() - start,
        };
        rest = start + length;
        Some((start, &text[start..rest]))
    })
}

struct Parser<'a, T: Iterator<Item = (usize, &'a str)>> {
    tokens: Peekable<T>,
    selections: &'a [Selection],
    end: usize,
}

type Parsed = Result<Expression, (usize, RuleFault)>;

impl<'a, T: Iterator<Item = (usize, &'a str)>> Parser<'a, T> {
    fn or(&mut self, depth: usize) -> Parsed {
        let mut parts = vec![self.and(depth)?];
        while self.take("or") {
            parts.push(self.and(depth)?);
        }
        Ok(single_or(parts, Expression::Any))
    }

    fn and(&mut self, depth: usize) -> Parsed {
        let mut parts = vec![self.not(depth)?];
        while self.take("and") {
            parts.push(self.not(depth)?);
        }
        Ok(single_or(parts, Expression::All))
    }

    fn not(&mut self, depth: usize) -> Parsed {
        if depth > DEPTH_MAX {
            return Err((self.place(), RuleFault::Condition(format!("nested deeper than {DEPTH_MAX}"))));
        }
        if self.take("not") {
            return Ok(Expression::Not(Box::new(self.not(depth + 1)?)));
        }
        self.atom(depth)
    }

    fn atom(&mut self, depth: usize) -> Parsed {
        let Some((at, word)) = self.tokens.next() else {
            return Err((self.end, RuleFault::Condition("it ends where a selection is expected".to_owned())));
        };
        if word == "(" {
            let inner = self.or(depth + 1)?;
            return match self.tokens.next() {
                Some((_, ")")) => Ok(inner),
                other => {
                    let place = other.map_or(self.end, |(place, _)| place);
                    Err((place, RuleFault::Condition("a closing parenthesis is expected".to_owned())))
                }
            };
        }
        let named = self.selections.iter().find(|selection| selection.name == word);
        let number = word.bytes().all(|byte| byte.is_ascii_digit());
        // A selection may be called `all`: only what is followed by `of` counts others.
        match (word.to_ascii_lowercase().as_str(), named) {
            ("1" | "any", _) if self.take("of") => self.quantified(at, Expression::Any),
            ("all", _) if self.take("of") => self.quantified(at, Expression::All),
            (_, Some(selection)) => Ok(selection.expression.clone()),
            (_, None) if number => Err((
                at,
                RuleFault::Condition(format!("\"{word} of\" is not in Sigma: only 1 of, any of and all of are")),
            )),
            ("and" | "or" | ")" | "|", None) => {
                Err((at, RuleFault::Condition(format!("{word:?} stands where a selection is expected"))))
            }
            (_, None) => Err((at, RuleFault::UnknownSelection(word.to_owned()))),
        }
    }

    /// What follows `1 of` and `all of`.
    fn quantified(&mut self, at: usize, join: fn(Vec<Expression>) -> Expression) -> Parsed {
        let Some((place, pattern)) = self.tokens.next() else {
            return Err((self.end, RuleFault::Condition("\"of\" what?".to_owned())));
        };
        let meant = |name: &str| match pattern {
            // Selections that begin with an underscore are left out of `them` on purpose.
            "them" => !name.starts_with('_'),
            pattern => name_matches(pattern, name),
        };
        let parts: Vec<_> = self
            .selections
            .iter()
            .filter(|selection| meant(&selection.name))
            .map(|selection| selection.expression.clone())
            .collect();
        if parts.is_empty() {
            return Err((place.max(at), RuleFault::UnknownSelection(pattern.to_owned())));
        }
        Ok(join(parts))
    }

    fn take(&mut self, word: &str) -> bool {
        self.tokens.next_if(|(_, next)| next.eq_ignore_ascii_case(word)).is_some()
    }

    fn place(&mut self) -> usize {
        self.tokens.peek().map_or(self.end, |(place, _)| *place)
    }
}

fn single_or(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 { parts.remove(0) } else { join(parts) }
}

/// Whether a name is as a pattern with `*` says. Case counts.
fn name_matches(pattern: &str, name: &str) -> bool {
    super::pattern::Pattern::parse(pattern).anchored(super::pattern::Anchor::Whole).matches(name.as_bytes(), true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::expression::PredicateId;

    fn selections() -> Vec<Selection> {
        ["a", "b", "filter_x", "filter_y", "_hidden", "all", "note"]
            .into_iter()
            .zip(0..)
            .map(|(name, id)| Selection { name: name.to_owned(), expression: Expression::Test(PredicateId(id)) })
            .collect()
    }

    /// The condition evaluated where exactly the selections named hold.
    fn holds(condition: &str, held: &[&str]) -> bool {
        let selections = selections();
        let expression = parse(condition, &selections).unwrap_or_else(|error| panic!("{condition}: {error:?}"));
        expression.holds(&mut |id| held.contains(&selections[id.0 as usize].name.as_str()))
    }

    #[test]
    fn precedence_is_not_then_and_then_or() {
        for (condition, held, expected) in [
            ("a", &["a"][..], true),
            ("not a", &["a"], false),
            ("a or b and filter_x", &["a"], true),
            ("(a or b) and filter_x", &["a"], false),
            ("a and not b or filter_x", &["a"], true),
            ("not a or b", &["a", "b"], true),
            ("not (a or b)", &["b"], false),
            ("not not a", &["a"], true),
            ("a AND NOT b", &["a"], true),
            ("1 of filter_*", &["filter_y"], true),
            ("any of filter_*", &["a"], false),
            ("all of filter_*", &["filter_x"], false),
            ("all of filter_*", &["filter_x", "filter_y"], true),
            ("1 of them", &["_hidden"], false),
            ("1 of them", &["b"], true),
            ("1 of _hidden", &["_hidden"], true),
            ("a and not 1 of filter_*", &["a", "filter_x"], false),
            ("all of them", &["a", "b", "filter_x", "filter_y", "all", "note"], true),
            ("all", &["all"], true),
            ("note", &["note"], true),
            ("(a)and(b)", &["a", "b"], true),
        ] {
            assert_eq!(holds(condition, held), expected, "{condition} with {held:?}");
        }
    }

    #[test]
    fn mistakes_are_found_at_their_place() {
        for (condition, place) in [
            ("", 0),
            ("a and", 5),
            ("a b", 2),
            ("(a or b", 7),
            ("a or or b", 5),
            ("c", 0),
            ("1 of c*", 5),
            ("2 of them", 0),
            ("a | count() > 3", 2),
            ("a)", 1),
            ("not", 3),
            ("1 of", 4),
        ] {
            let error = parse(condition, &selections()).unwrap_err();
            assert_eq!(error.0, place, "{condition}: {}", error.1);
        }
        assert!(parse(&"(".repeat(1000), &selections()).is_err());
        assert!(parse(&"not ".repeat(1000), &selections()).is_err());
    }

    proptest! {
        #[test]
        fn no_condition_panics(condition in "(a|b|not|and|or|1 of|all of|them|filter_\\*|\\(|\\)|\\||봉| ){0,12}") {
            let _parsed = parse(&condition, &selections());
        }
    }
}
