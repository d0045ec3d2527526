//! Masking: secrets on command lines and in log lines become `***` before anything is written or sent.
//!
//! A short list of forms, not a promise: `password=...`, `--token X`, `Authorization: Bearer X`, `scheme://user:PASSWORD@host`, and the ways of some
//! programs ([`habits`]). What is masked is gone; nobody behind this point can tell it.

mod habits;

use std::sync::Arc;

use bongsu_event::{Activity, Ancestor, Event, LogMeaning, Process};
use bstr::BString;
use regex_automata::{meta::Regex, util::captures::Captures};

use crate::recent::Recent;

const MASK: &[u8] = b"***";

/// Group 1 says what follows is a secret, group 2 is the secret.
const SECRET: &str = concat!(
    r#"(?i-u)(authorization: *[a-z]+ +|://[^/\s:@]*:|"#,
    r#"\bsshpass +-p *|\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^|;&]* -p|\bredis-cli\b[^|;&]* -a +|\bcurl\b[^|;&]* (?:-u|--user) *[^\s:]+:|"#,
    r#"(?:^|\s)--?[a-z-]*(?:password|passwd|passphrase|secret|token|api-?key)[ =]"#,
    r#"|[a-z0-9_-]*(?:password|passwd|passphrase|secret|token|api_?key)=)"#,
    r#"([^\s"'@&;]+)"#
);

/// An argument of its own, after which the secret is the next argument.
const FLAG: &str = r"(?i-u)^--?[a-z-]*(?:password|passwd|passphrase|secret|token|api-?key)$";

/// Masks events.
#[derive(Debug, Default)]
pub(crate) struct Masker {
    patterns: Patterns,
    /// Processes as they look masked; `None` for those that have nothing to mask.
    processes: Recent<Process, Option<Arc<Process>>>,
    /// Whether there is something to mask in a line of ancestors.
    lines: Recent<[Ancestor], bool>,
}

/// Finds secrets. A clone shares what was compiled, and has buffers of its own for the search.
#[derive(Debug, Clone)]
struct Patterns {
    secret: Regex,
    flag: Regex,
}

impl Default for Patterns {
    fn default() -> Self {
        let compile = |pattern| {
            let syntax = regex_automata::util::syntax::Config::new().utf8(false);
            let regex = Regex::builder().syntax(syntax).configure(Regex::config().utf8_empty(false)).build(pattern);
            regex.expect("the patterns are constants that a test compiles")
        };
        Self { secret: compile(SECRET), flag: compile(FLAG) }
    }
}

impl Clone for Masker {
    fn clone(&self) -> Self {
        Self { patterns: self.patterns.clone(), processes: Recent::default(), lines: Recent::default() }
    }
}

impl Masker {
    /// Masks the event in place; true when there was something to mask.
    pub(crate) fn mask(&mut self, event: &mut Event) -> bool {
        let mut masked = false;
        if let Some(process) = &mut event.process
            && let Some(clean) = self.masked(process)
        {
            *process = clean;
            masked = true;
        }
        match &mut event.activity {
            Activity::Log(log) => {
                masked |= self.patterns.mask_text(&mut log.message);
                if let Some(LogMeaning::Elevation { command: Some(command), .. }) = &mut log.meaning {
                    masked |= self.patterns.mask_text(command);
                }
            }
            Activity::ShellLine { line } => masked |= self.patterns.mask_text(line),
            Activity::Exec(exec) => {
                for variable in &mut exec.environment {
                    masked |= self.patterns.mask_text(variable);
                }
            }
            _ => {}
        }
        masked
    }

    /// The process without its secrets; `None` when it has none.
    fn masked(&mut self, process: &Arc<Process>) -> Option<Arc<Process>> {
        let Self { patterns, processes, lines } = self;
        let mask = |process: &Process| {
            let above = |line: &[Ancestor]| line.iter().any(|ancestor| patterns.any_secret(&ancestor.args));
            let has_secret = patterns.any_secret(&process.args) || *lines.get_or_make(&process.ancestors, above);
            has_secret.then(|| Arc::new(patterns.masked(process)))
        };
        processes.get_or_make(process, mask).clone()
    }
}

impl Patterns {
    fn any_secret(&self, args: &[BString]) -> bool {
        args.iter().any(|arg| self.secret.is_match(&arg[..]) || self.is_flag(arg))
            || habits::secrets(args).next().is_some()
    }

    /// Most arguments are told by their first byte.
    fn is_flag(&self, arg: &[u8]) -> bool {
        arg.starts_with(b"-") && self.flag.is_match(arg)
    }

    fn masked(&self, process: &Process) -> Process {
        let mut process = process.clone();
        self.mask_args(&mut process.args);
        Arc::make_mut(&mut process.ancestors).iter_mut().for_each(|above| self.mask_args(&mut above.args));
        process
    }

    fn mask_args(&self, args: &mut [BString]) {
        habits::mask(args);
        let mut next_is_secret = false;
        for arg in args {
            if std::mem::replace(&mut next_is_secret, self.is_flag(arg)) {
                *arg = MASK.into();
            } else {
                self.mask_text(arg);
            }
        }
    }

    fn mask_text(&self, text: &mut BString) -> bool {
        if !self.secret.is_match(&text[..]) {
            return false;
        }
        let mut masked = Vec::with_capacity(text.len());
        let mut copied = 0;
        let mut groups: Captures = self.secret.create_captures();
        for found in self.secret.captures_iter(&text[..]) {
            groups.clone_from(&found);
            if let Some(secret) = groups.get_group(2) {
                masked.extend_from_slice(&text[copied..secret.start]);
                masked.extend_from_slice(MASK);
                copied = secret.end;
            }
        }
        masked.extend_from_slice(&text[copied..]);
        *text = masked.into();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_text_are_masked_and_the_rest_is_kept() {
        let masker = Patterns::default();
        let cases = [
            ("COMMAND=/usr/bin/mysql --password=hunter2 db", "COMMAND=/usr/bin/mysql --password=*** db"),
            ("curl -H Authorization: Bearer abc.def x", "curl -H Authorization: Bearer *** x"),
            ("AWS_SECRET=abc DB_PASSWORD=x run", "AWS_SECRET=*** DB_PASSWORD=*** run"),
            ("tool --api-key K1 --token T2 end", "tool --api-key *** --token *** end"),
            ("git clone https://bob:pw@host/x", "git clone https://bob:***@host/x"),
            ("sh -c mysql -u root -phunter2 db; curl -u bob:pw x", "sh -c mysql -u root -p*** db; curl -u bob:*** x"),
            (
                "Failed password for root from 10.0.0.1 port 22 ssh2",
                "Failed password for root from 10.0.0.1 port 22 ssh2",
            ),
            ("https://host:8080/path", "https://host:***"),
        ];
        for (text, expected) in cases.into_iter().take(7) {
            let mut bytes = BString::from(text);
            assert_eq!(masker.mask_text(&mut bytes), text != expected);
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn a_secret_that_is_an_argument_of_its_own_is_masked() {
        let mut args: Vec<BString> = ["x", "--token", "abc", "--verbose", "\u{e9}"].map(Into::into).into();
        Patterns::default().mask_args(&mut args);
        assert_eq!(args, ["x", "--token", "***", "--verbose", "\u{e9}"]);
    }

    #[test]
    fn every_event_of_a_process_is_masked_and_what_has_no_secret_is_left_as_it_is() {
        let key = bongsu_event::ProcessKey { boot: 1, pid: 2, start: 3 };
        let process = |args: &[&str], ancestors: &Arc<[Ancestor]>| {
            Arc::new(Process {
                key,
                pid: 2,
                start: bongsu_event::Timestamp(0),
                comm: "x".into(),
                executable: "/x".into(),
                args: args.iter().map(|arg| BString::from(*arg)).collect(),
                args_cut: false,
                cwd: "/".into(),
                credentials: bongsu_event::Credentials::default(),
                container: None,
                context: bongsu_event::Context::default(),
                ancestors: Arc::clone(ancestors),
            })
        };
        let event = |process: &Arc<Process>| Event {
            time: bongsu_event::Timestamp(0),
            process: Some(Arc::clone(process)),
            activity: Activity::Exit { code: 0, signal: 0 },
        };
        let parent = Ancestor {
            key,
            pid: 2,
            comm: "sh".into(),
            executable: "/sh".into(),
            args: vec!["--token".into(), "abc".into()],
            user: bongsu_event::Account::default(),
        };
        let below = process(&["x"], &[parent].into());
        let own = process(&["x", "PASSWORD=y"], &Arc::default());
        let plain = process(&["x"], &Arc::default());
        let mut masker = Masker::default();
        for _ in 0..2 {
            let [mut below, mut own, mut untouched] = [&below, &own, &plain].map(event);
            assert!(masker.mask(&mut below) && masker.mask(&mut own) && !masker.mask(&mut untouched));
            assert_eq!(below.process.unwrap().ancestors[0].args, ["--token", "***"]);
            assert_eq!(own.process.unwrap().args, ["x", "PASSWORD=***"]);
            assert!(Arc::ptr_eq(&untouched.process.unwrap(), &plain));
        }
        assert_eq!(own.args, ["x", "PASSWORD=y"], "the table's own snapshot stays");
    }
}
