//! The tests that rules carry: events beside each rule that must and must not match, run by the engine that runs the rules.
//!
//! ```yaml
//! bongsu:
//!   tests:
//!     match:
//!       - {event.action: exec, process.executable: /tmp/x}
//!       - - {event.action: login-failure, user.name: alice}              # a list is several events, one second apart
//!         - {event.action: login-success, user.name: alice, at: 4m}      # or at so long after the first
//!     ignore:
//!       - {event.action: exec, process.executable: /usr/bin/ls}
//! ```

mod sample;

use std::time::Duration;

use bongsu_event::StoredEvent;

pub use sample::SampleFault;

use crate::{
    Engine, RuleFile,
    rule::{YamlFault, duration},
    yaml::{self, Data, Mark, Node},
};

/// What came of running every test of every rule.
#[derive(Debug, Default)]
pub struct Report {
    /// How many tests were run.
    pub trials: usize,
    /// What went wrong, in the order of files and lines.
    pub failures: Vec<Failure>,
}

/// A test that did not go as written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: rule {rule:?}: {fault}")]
pub struct Failure {
    /// The file.
    pub path: String,
    /// Counted from 1.
    pub line: u32,
    /// The rule's id.
    pub rule: String,
    /// What went wrong.
    pub fault: TrialFault,
}

/// What can be wrong with a test.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrialFault {
    /// Nothing is tested.
    #[error("it needs at least one event under bongsu.tests.{0}")]
    Untested(&'static str),
    /// Not a rule file.
    #[error(transparent)]
    Yaml(#[from] YamlFault),
    /// Not a test.
    #[error("a test is a map of fields, or a list of such maps")]
    Shape,
    /// Not an event.
    #[error(transparent)]
    Sample(#[from] SampleFault),
    /// It should have matched.
    #[error("it does not match, and should")]
    Missed,
    /// It should not have matched.
    #[error("it matches, and should not")]
    Unwanted,
}

/// Runs the tests of every rule in these files. All files are loaded for it, since sequences need the rules of their steps.
#[must_use]
pub fn run(files: &[RuleFile]) -> Report {
    let mut bench = Bench { files, singles: Engine::load(files).engine, report: Report::default() };
    for file in files {
        for document in yaml::documents(&file.text) {
            match document {
                Ok(document) => bench.document(&file.path, &document),
                Err(error) => bench.fail(&file.path, "", error.mark, error.fault.into()),
            }
        }
    }
    bench.report
}

/// Where tests are run.
struct Bench<'a> {
    files: &'a [RuleFile],
    /// For rules on single events, which remember nothing from one test to the next.
    singles: Engine,
    report: Report,
}

impl Bench<'_> {
    fn document(&mut self, path: &str, document: &Node) {
        let rule = document.get("id").or_else(|| document.get("name")).and_then(Node::text).unwrap_or_default();
        let sequence = document.get("correlation").is_some();
        for (key, expected) in [("match", true), ("ignore", false)] {
            let tests = document.get("bongsu").and_then(|own| own.get("tests")).and_then(|tests| tests.get(key));
            let tests = match tests.map(|tests| &tests.data) {
                Some(Data::List(tests)) if !tests.is_empty() => tests,
                _ => {
                    self.fail(path, rule, document.mark, TrialFault::Untested(key));
                    continue;
                }
            };
            for test in tests {
                self.report.trials += 1;
                match events(test).map(|events| (self.matches(rule, sequence, &events), expected)) {
                    Ok((true, false)) => self.fail(path, rule, test.mark, TrialFault::Unwanted),
                    Ok((false, true)) => self.fail(path, rule, test.mark, TrialFault::Missed),
                    Ok(_) => {}
                    Err(fault) => self.fail(path, rule, test.mark, fault),
                }
            }
        }
    }

    /// Whether the rule matches one of the events, or is what a sequence reports after them.
    fn matches(&mut self, rule: &str, sequence: bool, events: &[StoredEvent]) -> bool {
        let mut findings = Vec::new();
        if sequence {
            // A new engine for each test, so that no test knows of another.
            let mut engine = Engine::load(self.files).engine;
            events.iter().for_each(|event| engine.observe(event, &mut findings));
            engine.settle(&mut findings);
            return findings.iter().any(|finding| finding.rule == rule);
        }
        events.iter().any(|event| {
            self.singles.observe(event, &mut findings);
            self.singles.matched().any(|meta| meta.id == rule)
        })
    }

    fn fail(&mut self, path: &str, rule: &str, mark: Mark, fault: TrialFault) {
        let (path, rule) = (path.to_owned(), rule.to_owned());
        self.report.failures.push(Failure { path, line: mark.line, rule, fault });
    }
}

/// The events of one test.
///
/// # Errors
/// When it is no test, or one of its events is none.
fn events(test: &Node) -> Result<Vec<StoredEvent>, TrialFault> {
    let mut next = Duration::ZERO;
    (1..)
        .zip(test.items())
        .map(|(number, item)| {
            let mut fields = Vec::new();
            for entry in item.entries().ok_or(TrialFault::Shape)? {
                let text = entry.value.text().ok_or(TrialFault::Shape)?;
                match entry.key.as_str() {
                    "at" => next = duration(text).ok_or(TrialFault::Shape)?,
                    _ => fields.push((entry.key.clone(), text.to_owned())),
                }
            }
            let after = i64::try_from(next.as_nanos()).map_err(|_too_far| TrialFault::Shape)?;
            next += Duration::from_secs(1);
            Ok(sample::event(&fields, number, after)?)
        })
        .collect()
}

/// The events of a document that is nothing but a list of them, each as a test writes it.
///
/// # Errors
/// With the line of what is wrong.
pub fn ordinary(text: &str) -> Result<Vec<StoredEvent>, (u32, TrialFault)> {
    let mut all = Vec::new();
    for document in yaml::documents(text) {
        let document = document.map_err(|error| (error.mark.line, TrialFault::Shape))?;
        for item in document.items() {
            let number = u64::try_from(all.len()).unwrap_or(u64::MAX);
            let made = events(item).map_err(|fault| (item.mark.line, fault))?;
            all.extend(made.into_iter().map(|mut event| {
                event.id.seq = event.id.seq.saturating_add(number);
                event
            }));
        }
    }
    Ok(all)
}
