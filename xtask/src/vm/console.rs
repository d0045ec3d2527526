//! What a guest's console says: how each test ended, which of them had nothing to look at, and where each hook stands.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::{
    configuration::{Configuration, LOWER_EVERYWHERE, Skip},
    guest,
};

/// What a guest said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The tests that passed with something to look at.
    pub(super) passed: Vec<String>,
    /// The tests that were left out, and why.
    pub(super) skipped: Vec<(String, String)>,
    /// Where the hooks stand, best first.
    pub(super) hooks: Vec<Standing>,
}

/// Where a hook stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    hook: String,
    /// Counted from the best rung; 0 is none.
    position: usize,
    /// How many rungs there are.
    of: usize,
    /// The rung, and why no better one holds.
    rung: String,
}

/// Reads the console of a guest whose tests all passed; another one's is an error.
pub(super) fn read(console: &str) -> Result<Told> {
    let mut told = Told::default();
    // Standard output of tests follows a line that names the test.
    let mut test = "";
    for line in console.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----")) {
            test = name;
        } else if let Some(reason) = line.strip_prefix("skipped: ") {
            told.skipped.push((test.to_owned(), reason.to_owned()));
        } else if let Some(standing) = line.strip_prefix("hook ").and_then(standing) {
            told.hooks.push(standing);
        }
    }
    // The names stand once more at the end, where nothing that a test's children print comes in between.
    let names = console.rsplit_once("\nsuccesses:").map_or("", |(_, names)| names);
    let names = names.lines().map(str::trim).filter(|line| line.contains("::") && !line.contains(' '));
    told.passed.extend(names.map(str::to_owned));
    if !console.lines().any(|line| line.trim() == guest::PASSED) {
        bail!("the tests did not pass");
    }
    told.passed.retain(|test| !told.skipped.iter().any(|(skipped, _)| skipped == test));
    if told.passed.is_empty() {
        bail!("no test had anything to look at");
    }
    Ok(told)
}

/// `NAME: rung POSITION of COUNT, RUNG WHY`
fn standing(line: &str) -> Option<Standing> {
    let (hook, rest) = line.split_once(": rung ")?;
    let (position, rest) = rest.split_once(" of ")?;
    let (of, rung) = rest.split_once(", ")?;
    Some(Standing {
        hook: hook.to_owned(),
        position: position.parse().ok()?,
        of: of.parse().ok()?,
        rung: rung.to_owned(),
    })
}

impl Told {
    /// Compares with what is expected: no test left out but those that are named, no hook lower than it may stand.
    pub(super) fn judge(&self, expected: &Configuration) -> Result<()> {
        let is_named = |test: &str, skips: &[Skip]| skips.iter().any(|(named, _)| *named == test);
        if let Some((test, reason)) = self.skipped.iter().find(|(test, _)| !is_named(test, expected.skips)) {
            bail!("{test} was skipped: {reason}");
        }
        if let Some((test, _)) = expected.skips.iter().find(|(test, _)| self.passed.iter().any(|passed| passed == test))
        {
            bail!("{test} runs under {}: it needs not be on the list of those that do not", expected.name);
        }
        for standing in &self.hooks {
            let lowest = expected
                .rungs
                .iter()
                .chain(LOWER_EVERYWHERE)
                .find(|(hook, _)| *hook == standing.hook)
                .map_or(1, |(_, lowest)| *lowest);
            if depth(standing.position) > depth(lowest) {
                let Standing { hook, rung, .. } = standing;
                bail!("{hook} stands lower than it should, on {rung}");
            }
        }
        if expected.suite.tells_rungs() && self.hooks.is_empty() {
            bail!("no test told where the hooks stand");
        }
        Ok(())
    }

    /// Where the hooks stand, by the kind of attach point.
    pub(super) fn rungs(&self) -> String {
        let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for Standing { hook, position, of, rung } in &self.hooks {
            let kind = rung.split([':', ' ']).next().unwrap_or_default();
            let place = if *position == 1 { hook.clone() } else { format!("{hook} ({position} of {of})") };
            kinds.entry(kind).or_default().push(place);
        }
        let lines = kinds.into_iter().map(|(kind, hooks)| format!("  {kind}: {}", hooks.join(", ")));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// One line for the table.
    pub(super) fn summary(&self) -> String {
        let best = self.hooks.iter().filter(|standing| standing.position == 1).count();
        let none = self.hooks.iter().filter(|standing| standing.position == 0).count();
        let lower = self.hooks.len() - best - none;
        format!(
            "{} tests passed, {} left out; hooks: {best} on the best rung, {lower} lower, {none} none",
            self.passed.len(),
            self.skipped.len()
        )
    }
}

/// None is lower than every rung.
fn depth(position: usize) -> usize {
    position.wrapping_sub(1)
}

/// The end of the console, where it says what went wrong.
pub(super) fn tail(console: &str) -> String {
    const LINES: usize = 40;
    let lines: Vec<&str> = console.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::suite::Suite;

    const CONFIGURATION: Configuration = Configuration {
        name: "plain",
        parameters: "",
        suite: Suite::All,
        skips: &[("probe::tests::a::b", "there is no b here")],
        rungs: &[("packets", 0), ("module-load", 2)],
    };

    /// A console as a guest with two tests leaves it.
    fn console(output: &str) -> String {
        let successes = "successes:\r\n    probe::tests::a::b\r\n    probe::tests::a::c\r\n";
        format!(
            "[ 1.0] booted\r\nsuccesses:\r\n\r\n---- probe::tests::a::b stdout ----\r\n{output}\r\n{successes}\r\n\
             test result: ok. 2 passed\r\n{}\r\n",
            guest::PASSED
        )
    }

    fn judged(output: &str) -> Result<()> {
        read(&console(output)).unwrap().judge(&CONFIGURATION)
    }

    #[test]
    fn a_guest_passes_when_its_tests_do_and_only_those_are_left_out_that_may_be() {
        let told = read(&console("skipped: no b\nhook exec: rung 1 of 2, lsm:bprm_check \n")).unwrap();
        assert_eq!(told.passed, ["probe::tests::a::c"]);
        assert_eq!(told.skipped, [("probe::tests::a::b".to_owned(), "no b".to_owned())]);
        assert_eq!(told.rungs(), "  lsm: exec");
        told.judge(&CONFIGURATION).unwrap();
        let elsewhere = Configuration { skips: &[], ..CONFIGURATION };
        assert!(told.judge(&elsewhere).is_err(), "left out without being named");
        assert!(judged("hook exec: rung 1 of 2, lsm:bprm_check \n").is_err(), "named, and not left out");
        assert!(judged("skipped: no b\n").is_err(), "nobody told of the hooks");
    }

    #[test]
    fn a_hook_that_stands_lower_than_it_should_fails_the_guest() {
        for (line, stands_well) in [
            ("hook exec: rung 1 of 2, lsm:x ", true),
            ("hook exec: rung 2 of 2, tracepoint:x lsm:x: refused", false),
            ("hook exec: rung 0 of 2, none lsm:x: refused", false),
            ("hook module-load: rung 2 of 3, tracepoint:x refused", true),
            ("hook module-load: rung 3 of 3, tracepoint:y refused", false),
            ("hook module-load: rung 0 of 3, none refused", false),
            ("hook packets: rung 0 of 1, none no hierarchy", true),
        ] {
            let judged = judged(&format!("skipped: no b\n{line}"));
            assert_eq!(judged.is_ok(), stands_well, "{line}");
        }
    }

    #[test]
    fn a_guest_that_dies_or_tests_nothing_does_not_pass() {
        let whole = console("");
        assert!(read(&whole).is_ok());
        assert!(read(whole.trim_end().trim_end_matches(guest::PASSED)).is_err());
        assert!(read(&format!("test result: ok. 0 passed\n{}\n", guest::PASSED)).is_err());
        assert!(read("").is_err());
    }
}
