//! What stands behind the bars of `CommandLine|windash|contains|all`.

use super::{error::RuleFault, pattern::Anchor};

/// The modifiers of one field, put in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modifiers {
    /// How a value is compared.
    pub(crate) operation: Operation,
    /// What is done to the value before, in the order written.
    pub(crate) transforms: Vec<Transform>,
    /// Whether all values must hold rather than one.
    pub(crate) all: bool,
    /// Whether the case of letters counts.
    pub(crate) cased: bool,
    /// Whether the outcome is turned around.
    pub(crate) neq: bool,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// As text with wildcards; also how numbers, flags and addresses are compared for equality.
    Text(Anchor),
    /// As a regular expression.
    Regex(RegexFlags),
    /// As a network.
    Cidr,
    /// By order.
    Compare(Comparison),
    /// Whether the field is there.
    Exists,
    /// With the value of another field.
    FieldRef(Anchor),
}

/// The flags of a regular expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct RegexFlags {
    /// `i`: case does not count.
    pub(crate) insensitive: bool,
    /// `m`: `^` and `$` also mean the ends of lines.
    pub(crate) multi_line: bool,
    /// `s`: a dot also matches a line end.
    pub(crate) dot_all: bool,
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Less => "is below",
            Self::LessOrEqual => "is at most",
            Self::Greater => "is above",
            Self::GreaterOrEqual => "is at least",
        }
    }
}

/// What is done to a value before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transform {
    Windash,
    Base64,
    Base64Offset,
    Utf16Le,
    Utf16Be,
    /// Little endian with a byte order mark.
    Utf16,
}

impl Modifiers {
    /// Reads the modifiers in the order they are written.
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, RuleFault> {
        let mut modifiers = Self {
            operation: Operation::Text(Anchor::Whole),
            transforms: Vec::new(),
            all: false,
            cased: false,
            neq: false,
        };
        let mut seen: Vec<&str> = Vec::new();
        for word in words {
            if seen.contains(&word) {
                return Err(RuleFault::ModifierConflict(word.to_owned(), word.to_owned()));
            }
            if !modifiers.apply(word)? {
                let before = seen.last().copied().unwrap_or_default();
                return Err(RuleFault::ModifierConflict(before.to_owned(), word.to_owned()));
            }
            seen.push(word);
        }
        modifiers.check(&seen)?;
        Ok(modifiers)
    }

    /// Applies one modifier; `false` when those before do not admit it.
    fn apply(&mut self, word: &str) -> Result<bool, RuleFault> {
        let transform = match word {
            "all" => return Ok(set(&mut self.all)),
            "cased" => return Ok(set(&mut self.cased)),
            "neq" => return Ok(set(&mut self.neq)),
            "contains" => return Ok(self.anchor(Anchor::Inside)),
            "startswith" => return Ok(self.anchor(Anchor::Start)),
            "endswith" => return Ok(self.anchor(Anchor::End)),
            "re" => return Ok(self.operation(Operation::Regex(RegexFlags::default()))),
            "i" | "m" | "s" => return Ok(self.regex_flag(word)),
            "cidr" => return Ok(self.operation(Operation::Cidr)),
            "lt" => return Ok(self.operation(Operation::Compare(Comparison::Less))),
            "lte" => return Ok(self.operation(Operation::Compare(Comparison::LessOrEqual))),
            "gt" => return Ok(self.operation(Operation::Compare(Comparison::Greater))),
            "gte" => return Ok(self.operation(Operation::Compare(Comparison::GreaterOrEqual))),
            "exists" => return Ok(self.operation(Operation::Exists)),
            "fieldref" => return Ok(self.field_ref()),
            "windash" => Transform::Windash,
            "base64" => Transform::Base64,
            "base64offset" => Transform::Base64Offset,
            "wide" | "utf16le" => Transform::Utf16Le,
            "utf16be" => Transform::Utf16Be,
            "utf16" => Transform::Utf16,
            other => return Err(RuleFault::UnknownModifier(other.to_owned())),
        };
        self.transforms.push(transform);
        Ok(matches!(self.operation, Operation::Text(_)))
    }

    fn anchor(&mut self, anchor: Anchor) -> bool {
        match &mut self.operation {
            Operation::Text(before @ Anchor::Whole) | Operation::FieldRef(before @ Anchor::Whole) => {
                *before = anchor;
                true
            }
            _ => false,
        }
    }

    fn operation(&mut self, operation: Operation) -> bool {
        let free = self.operation == Operation::Text(Anchor::Whole) && self.transforms.is_empty();
        self.operation = operation;
        free
    }

    fn field_ref(&mut self) -> bool {
        match self.operation {
            Operation::Text(anchor) if self.transforms.is_empty() => {
                self.operation = Operation::FieldRef(anchor);
                true
            }
            _ => false,
        }
    }

    fn regex_flag(&mut self, word: &str) -> bool {
        let Operation::Regex(flags) = &mut self.operation else { return false };
        match word {
            "i" => flags.insensitive = true,
            "m" => flags.multi_line = true,
            _ => flags.dot_all = true,
        }
        true
    }

    fn check(&self, seen: &[&str]) -> Result<(), RuleFault> {
        let has_case = matches!(self.operation, Operation::Text(_) | Operation::FieldRef(_));
        if self.cased && !has_case {
            let other = seen.iter().find(|word| **word != "cased").copied().unwrap_or_default();
            return Err(RuleFault::ModifierConflict(other.to_owned(), "cased".to_owned()));
        }
        Ok(())
    }
}

fn set(flag: &mut bool) -> bool {
    *flag = true;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Modifiers, RuleFault> {
        Modifiers::parse(words.split('|').filter(|word| !word.is_empty()))
    }

    #[test]
    fn every_modifier_of_the_language_is_read() {
        for words in [
            "",
            "contains",
            "startswith|all",
            "endswith|cased",
            "re",
            "re|i|m|s",
            "cidr",
            "lt",
            "lte",
            "gt",
            "gte",
            "exists",
            "windash|contains|all",
            "base64",
            "wide|base64offset|contains",
            "utf16|base64",
            "utf16be",
            "neq",
            "fieldref",
            "fieldref|startswith",
            "startswith|fieldref",
            "contains|neq",
        ] {
            assert!(parse(words).is_ok(), "{words}: {:?}", parse(words));
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for words in [
            "contain",
            "contains|startswith",
            "re|contains",
            "contains|re",
            "i",
            "cidr|cased",
            "gt|lt",
            "re|base64",
            "base64|re",
            "expand",
            "hour",
            "exists|windash",
            "all|all",
        ] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
