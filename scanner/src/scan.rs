//! One file against all rules.
//!
//! Memory is bounded: the file by the size the worker accepts, matches by [`MATCHES_PER_PATTERN_MAX`], everything together by the
//! jail's address space limit. The file is read, not mapped, so that one that shrinks meanwhile cannot kill the worker.

use std::{
    fs::File,
    io::{self, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use rustix::fs::{FileType, fstat};
use yara_x::{MetaValue, Rules, ScanError, ScanResults, Scanner};

use crate::protocol::{Outcome, PARTS_MAX, Place, RULES_MAX, Request, Response, Rule, cut};

/// More occurrences of one pattern than this are not looked for.
const MATCHES_PER_PATTERN_MAX: usize = 1000;

/// The engine, ready to scan.
pub(crate) struct Engine<'r> {
    scanner: Scanner<'r>,
    bytes_max: u64,
}

/// Whether the engine may be used again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It may.
    Sound,
    /// It panicked: what it holds in memory cannot be trusted any more.
    Broken,
}

impl<'r> Engine<'r> {
    /// Makes everything that the engine makes lazily (its virtual machine, its timer thread) by a first scan of nothing, because
    /// the jail forbids new threads and new executable memory.
    pub(crate) fn new(rules: &'r Rules, bytes_max: u64) -> Result<Self, ScanError> {
        let mut scanner = Scanner::new(rules);
        scanner.max_matches_per_pattern(MATCHES_PER_PATTERN_MAX).set_timeout(Duration::from_secs(60));
        scanner.scan(&[])?;
        Ok(Self { scanner, bytes_max })
    }

    /// Scans `file` for `request`.
    pub(crate) fn answer(&mut self, request: &Request, file: File) -> (Response, Health) {
        let started = Instant::now();
        // A panic of the engine on hostile bytes is an answer ("failed"), not a silence.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.scan(request, file)));
        let (mut response, health) = match outcome {
            Ok(response) => (response, Health::Sound),
            Err(panic) => (failed(request.id, &format!("the engine panicked: {}", words(&*panic))), Health::Broken),
        };
        response.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        (response, health)
    }

    fn scan(&mut self, request: &Request, file: File) -> Response {
        let bytes = match read(file, self.bytes_max) {
            Ok(Contents::Whole(bytes)) => bytes,
            Ok(Contents::TooLarge(size)) => {
                let detail = format!("{size} bytes or more, at most {} are scanned", self.bytes_max);
                return ended(request.id, Outcome::TooLarge, Some(detail));
            }
            Err(error) => return failed(request.id, &format!("cannot read the evidence: {error}")),
        };
        self.scanner.set_timeout(Duration::from_millis(request.deadline_ms.into()));
        match self.scanner.scan(&bytes) {
            Ok(results) => found(request.id, &results),
            Err(ScanError::Timeout) => {
                ended(request.id, Outcome::TimedOut, Some(format!("not done after {} ms", request.deadline_ms)))
            }
            Err(error) => failed(request.id, &error.to_string()),
        }
    }
}

enum Contents {
    Whole(Vec<u8>),
    TooLarge(u64),
}

fn read(file: File, bytes_max: u64) -> io::Result<Contents> {
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        // A pipe or device could keep the worker waiting for ever.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if size > bytes_max {
        return Ok(Contents::TooLarge(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= bytes_max => Ok(Contents::Whole(bytes)),
        _ => Ok(Contents::TooLarge(bytes_max)),
    }
}

fn found(id: u64, results: &ScanResults<'_, '_>) -> Response {
    let mut rules: Vec<Rule> = results.matching_rules().map(|rule| describe(&rule)).collect();
    rules.sort_by(|a, b| a.name.cmp(&b.name));
    let rules_dropped = rules.len().saturating_sub(RULES_MAX);
    rules.truncate(RULES_MAX);
    let outcome = if rules.is_empty() { Outcome::NoMatch } else { Outcome::Matched };
    Response { rules, rules_dropped, ..ended(id, outcome, None) }
}

fn describe(rule: &yara_x::Rule<'_, '_>) -> Rule {
    let text = |key: &str| meta(rule, key).next();
    let places = rule.patterns().filter_map(|pattern| {
        let first = pattern.matches().next()?;
        Some(Place { pattern: cut(pattern.identifier()), offset: first.range().start })
    });
    Rule {
        name: cut(rule.identifier()),
        tags: rule.tags().map(|tag| cut(tag.identifier())).take(PARTS_MAX).collect(),
        title: text("title"),
        description: text("description"),
        severity: text("severity"),
        techniques: meta(rule, "attack").take(PARTS_MAX).collect(),
        places: places.take(PARTS_MAX).collect(),
    }
}

fn meta<'a>(rule: &'a yara_x::Rule<'_, '_>, key: &'a str) -> impl Iterator<Item = String> + 'a {
    rule.metadata().filter_map(move |(name, value)| match value {
        MetaValue::String(text) if name == key => Some(cut(text)),
        _ => None,
    })
}

fn ended(id: u64, outcome: Outcome, detail: Option<String>) -> Response {
    Response { id, outcome, rules: Vec::new(), rules_dropped: 0, detail, elapsed_ms: 0 }
}

/// The answer to a request that could not be met.
pub(crate) fn failed(id: u64, detail: &str) -> Response {
    ended(id, Outcome::Failed, Some(cut(detail)))
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
