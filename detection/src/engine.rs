//! The front of the rule engines: rule files in, then events in the order stored, findings out.
//!
//! Every event is tried on the single-event rules; what matched feeds the sequences. The engine has no clock and no files: the
//! same files, events and times in the same order give the same findings.

use std::{collections::HashMap, time::Duration};

use bongsu_event::{StoredEvent, Timestamp};

use crate::{
    Finding,
    rule::{Faults, Meta, Predicates, Rule, RuleError, RuleFault, RuleSet, Values, compile_sequence},
    sequence::{Limits, Losses, RuleIndex, SequenceRule, Sequences},
    yaml::{self, Mark, Node},
};

/// A file of rules, read by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Its path, as errors name it.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// What came of loading rule files.
#[derive(Debug)]
pub struct Loaded {
    /// Runs every rule that has no mistake.
    pub engine: Engine,
    /// Every mistake in every file, in the order of files and lines.
    pub errors: Vec<RuleError>,
    /// How many single-event rules run.
    pub rule_count: usize,
    /// How many sequences run.
    pub sequence_count: usize,
}

/// The single-event rules and the sequences.
#[derive(Debug)]
pub struct Engine {
    rules: RuleSet,
    sequences: Sequences,
    matched: Vec<RuleIndex>,
}

impl Engine {
    /// Compiles rule files. A mistake disables the rule that has it, with the sequences built on it, and nothing else.
    #[must_use]
    pub fn load(files: &[RuleFile]) -> Loaded {
        let mut loading = Loading::default();
        for file in files {
            loading.file(file);
        }
        loading.finish(files)
    }

    /// One event, in the order stored.
    pub fn observe(&mut self, event: &StoredEvent, findings: &mut Vec<Finding>) {
        let values = Values::new(event);
        self.matched.clear();
        self.rules.matches(event, &values, &mut self.matched);
        findings.extend(self.matched.iter().filter_map(|rule| self.rules.finding(*rule, event, &values)));
        self.sequences.observe(event, &self.matched, findings);
    }

    /// Time passes: what waited for late events or for a deadline is settled.
    pub fn advance(&mut self, now: Timestamp, findings: &mut Vec<Finding>) {
        self.sequences.advance(now, findings);
    }

    /// Nothing more will come: what still waits is worked off, as at the end of a backtest.
    pub fn settle(&mut self, findings: &mut Vec<Finding>) {
        self.sequences.flush(findings);
    }

    /// How far back events have to be observed again after a restart, so that sequences under way are known again.
    #[must_use]
    pub fn lookback(&self) -> Duration {
        self.sequences.lookback()
    }

    /// Says that the events to come begin at `start` although others came before it; see [`Sequences::resume_from`].
    pub fn resume_from(&mut self, start: Timestamp) {
        self.sequences.resume_from(start);
    }

    /// What sequences could not use so far, by cause.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.sequences.losses()
    }

    /// For each sequence its id, the groups it holds and how many it gave up for want of room.
    pub fn occupancy(&self) -> impl Iterator<Item = (&str, usize, u64)> {
        self.sequences.occupancy()
    }

    /// The single-event rules that matched the event observed last, quiet ones as well.
    pub fn matched(&self) -> impl Iterator<Item = &Meta> {
        self.matched.iter().map(|rule| self.rules.meta(*rule))
    }

    /// What the single-event rules say about themselves, in the order in which they were loaded.
    pub fn rules(&self) -> impl Iterator<Item = &Meta> {
        self.rules.rules().iter().map(|rule| &rule.meta)
    }
}

/// Rule files on their way to an engine.
#[derive(Default)]
struct Loading {
    rules: Vec<Rule>,
    predicates: Predicates,
    sequences: Vec<SequenceRule>,
    /// Correlations wait until every rule that they may name is known: the place of the file, and the document.
    waiting: Vec<(usize, Node)>,
    /// Ids and names that are taken, and by which file.
    taken: HashMap<String, String>,
    /// The place of the file with each mistake.
    errors: Vec<(usize, RuleError)>,
    files_seen: usize,
}

impl Loading {
    fn file(&mut self, file: &RuleFile) {
        for document in yaml::documents(&file.text) {
            match document {
                Ok(document) if document.get("correlation").is_some() => {
                    self.waiting.push((self.files_seen, document));
                }
                Ok(document) => self.single(&file.path, &document),
                Err(error) => self.refuse(&file.path, None, vec![(error.mark, error.fault.into())]),
            }
        }
        self.files_seen += 1;
    }

    fn single(&mut self, path: &str, document: &Node) {
        let mut faults = Faults::default();
        if let Some(what) = unsupported(document) {
            faults.push(document.mark, RuleFault::Unsupported(what.to_owned()));
        } else if let Some(rule) = Rule::compile(document, &mut self.predicates, &mut faults)
            && self.take(path, document.mark, &rule.meta, &mut faults)
        {
            self.rules.push(rule);
        }
        self.refuse(path, Some(document), faults.0);
    }

    fn correlation(&mut self, path: &str, document: &Node) {
        let mut faults = Faults::default();
        let rules = &self.rules;
        let resolve = |name: &str| {
            let named = |rule: &Rule| rule.meta.id == name || rule.meta.name.as_deref() == Some(name);
            let index = rules.iter().position(named)?;
            u32::try_from(index).ok().map(RuleIndex)
        };
        if let Some((meta, rule)) = compile_sequence(document, &resolve, &mut faults)
            && self.take(path, document.mark, &meta, &mut faults)
        {
            // The engine takes all or none, so each is shown to it alone first.
            let tried = Sequences::new(vec![rule.clone()], Limits::default());
            if faults.note(document.mark, tried.map_err(RuleFault::from)).is_some() {
                self.sequences.push(rule);
            }
        }
        self.refuse(path, Some(document), faults.0);
    }

    fn finish(mut self, files: &[RuleFile]) -> Loaded {
        for (file, document) in std::mem::take(&mut self.waiting) {
            self.files_seen = file;
            self.correlation(&files[file].path, &document);
        }
        self.errors.sort_by_key(|(file, error)| (*file, error.line, error.column));
        let (rule_count, sequence_count) = (self.rules.len(), self.sequences.len());
        let rules = RuleSet::new(self.rules, self.predicates);
        let sequences =
            Sequences::new(self.sequences, Limits::default()).expect("each sequence was taken when it was shown alone");
        let engine = Engine { rules, sequences, matched: Vec::new() };
        let errors = self.errors.into_iter().map(|(_, error)| error).collect();
        Loaded { engine, errors, rule_count, sequence_count }
    }

    /// Reserves the rule's id and name; the first one that has them keeps them.
    fn take(&mut self, path: &str, mark: Mark, meta: &Meta, faults: &mut Faults) -> bool {
        let names: Vec<&String> =
            std::iter::once(&meta.id).chain(meta.name.iter().filter(|name| **name != meta.id)).collect();
        for name in &names {
            if let Some(other) = self.taken.get(*name) {
                faults.push(mark, RuleFault::Duplicate((*name).clone(), other.clone()));
                return false;
            }
        }
        self.taken.extend(names.into_iter().map(|name| (name.clone(), path.to_owned())));
        true
    }

    fn refuse(&mut self, path: &str, document: Option<&Node>, faults: Vec<(Mark, RuleFault)>) {
        let rule = document.and_then(|document| document.get("title")).and_then(Node::text);
        for (mark, fault) in faults {
            let (path, rule) = (path.to_owned(), rule.map(str::to_owned));
            let error = RuleError { path, line: mark.line, column: mark.column, rule, fault };
            self.errors.push((self.files_seen, error));
        }
    }
}

/// What kind of document this is, if it is one that is not run.
fn unsupported(document: &Node) -> Option<&'static str> {
    if document.entries().is_none() {
        Some("a document that is no map")
    } else if document.get("filter").is_some() {
        Some("a Sigma filter")
    } else if document.get("action").is_some() {
        Some("a Sigma rule collection (\"action\")")
    } else {
        None
    }
}
