//! What is wrong with a rule, and where.

use std::fmt;

use bongsu_event::{ParseSeverityError, catalogue::Kind};

pub use crate::yaml::YamlFault;
use crate::{
    sequence::BuildError,
    yaml::{Mark, Node},
};

/// One mistake in one rule file. The rule that has it is not loaded; every other rule is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The file.
    pub path: String,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1.
    pub column: u32,
    /// The rule's title, when it got that far.
    pub rule: Option<String>,
    /// What is wrong.
    pub fault: RuleFault,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.path, self.line, self.column)?;
        if let Some(rule) = &self.rule {
            write!(f, "rule {rule:?}: ")?;
        }
        self.fault.fmt(f)
    }
}

impl std::error::Error for RuleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.fault)
    }
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// The document cannot be read at all.
    #[error(transparent)]
    Yaml(#[from] YamlFault),
    /// A key that must be there is not.
    #[error("{0:?} is missing")]
    Missing(&'static str),
    /// A key of the wrong shape.
    #[error("{key:?} must be {expected}")]
    WrongShape {
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A key that is not known where it stands.
    #[error("unknown key {key:?}: expected one of {expected}")]
    UnknownKey {
        /// The key.
        key: String,
        /// What is known there.
        expected: &'static str,
    },
    /// A level that is none.
    #[error("unknown level {0:?}: expected one of informational, low, medium, high, critical")]
    Level(String),
    /// A tag in ATT&CK's namespace that names nothing there.
    #[error("tag {0:?} is neither an ATT&CK technique (attack.t1059.004) nor a tactic (attack.execution)")]
    Tag(String),
    /// Two rules of one id or name.
    #[error("{0:?} is already the id or name of a rule in {1}")]
    Duplicate(String, String),
    /// Kinds of document that this engine does not run.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// Nothing here produces such events.
    #[error("can never fire here: {0}")]
    NeverFires(String),
    /// A field that the catalogue does not have.
    #[error("can never fire here: no event has a field {0:?}")]
    UnknownField(String),
    /// A modifier that Sigma does not have, or that this engine does not.
    #[error("unknown or unsupported modifier {0:?}")]
    UnknownModifier(String),
    /// Modifiers that cannot stand together.
    #[error("the modifiers {0:?} and {1:?} cannot stand together")]
    ModifierConflict(String, String),
    /// A value that the field or the modifier cannot take.
    #[error("{value:?} cannot be compared with {field}: {why}")]
    Value {
        /// The field.
        field: String,
        /// The value in the rule.
        value: String,
        /// Why not.
        why: ValueFault,
    },
    /// A selection without anything in it.
    #[error("{0:?} is empty, so it would say nothing")]
    Empty(String),
    /// A condition that cannot be read.
    #[error("condition: {0}")]
    Condition(String),
    /// A condition names a selection that is not there.
    #[error("condition: there is no selection {0:?}")]
    UnknownSelection(String),
    /// A sequence names a rule that is not there.
    #[error("there is no rule with the name or id {0:?} (or it has mistakes of its own)")]
    UnknownRule(String),
    /// A sequence that its engine refuses.
    #[error(transparent)]
    Sequence(#[from] BuildError),
    /// Evidence is asked for where no process is.
    #[error("\"evidence\" asks for the image of the acting process, and a log line has none")]
    EvidenceOfLog,
}

impl From<ParseSeverityError> for RuleFault {
    fn from(error: ParseSeverityError) -> Self {
        Self::Level(error.0)
    }
}

/// Why a value cannot be compared with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// The field holds another type.
    #[error("it holds {}", kind_words(*.0))]
    Kind(Kind),
    /// Ordering asks for numbers.
    #[error("lt, lte, gt and gte need a field that holds numbers")]
    NotOrdered,
    /// Not a number.
    #[error("a whole number is needed")]
    NotNumber,
    /// Not true or false.
    #[error("true or false is needed")]
    NotFlag,
    /// Not a network.
    #[error("a network such as 10.0.0.0/8 or fd00::/8 is needed")]
    NotNetwork,
    /// Not a field.
    #[error("the name of a field of the catalogue is needed")]
    NotField,
    /// The expression does not compile.
    #[error("not a regular expression this engine runs: {0}")]
    Regex(String),
    /// Wildcards where bytes are encoded.
    #[error("wildcards cannot be encoded")]
    Wildcard,
    /// `windash` of too many dashes.
    #[error("windash would make more than {} patterns of it", super::pattern::WINDASH_MAX)]
    TooManyDashes,
    /// The empty string with contains, startswith or endswith.
    #[error("the empty string is in every value")]
    EmptyNeedle,
    /// Null together with a modifier.
    #[error("null takes no modifier; use exists")]
    NullModified,
    /// A list or map where a scalar belongs.
    #[error("a single value is needed")]
    NotScalar,
}

const fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Number => "a number",
        Kind::Address => "an IP address",
        Kind::Flag => "true or false",
    }
}

/// The mistakes found so far in one document, each with its place.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<(Mark, RuleFault)>);

impl Faults {
    pub(crate) fn push(&mut self, mark: Mark, fault: RuleFault) {
        // A mistake in one place may be met more than once: a field to group by is looked up for each step.
        if !self.0.contains(&(mark, fault.clone())) {
            self.0.push((mark, fault));
        }
    }

    /// The value, or `None` with its mistake noted.
    pub(crate) fn note<T>(&mut self, mark: Mark, result: Result<T, RuleFault>) -> Option<T> {
        result.map_err(|fault| self.push(mark, fault)).ok()
    }

    /// The text of a node that must be a scalar.
    pub(crate) fn text<'a>(&mut self, key: &str, node: &'a Node) -> Option<&'a str> {
        let text = node.text();
        if text.is_none() {
            self.push(node.mark, RuleFault::WrongShape { key: key.to_owned(), expected: "a text" });
        }
        text
    }

    /// The truth value of a node that must be one.
    pub(crate) fn flag(&mut self, key: &str, node: &Node) -> Option<bool> {
        let flag = node.flag();
        if flag.is_none() {
            self.push(node.mark, RuleFault::WrongShape { key: key.to_owned(), expected: "true or false" });
        }
        flag
    }
}
