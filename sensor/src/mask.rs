//! Masking: secrets on command lines and in log lines become `***` before anything is written or sent.
//!
//! A short list of forms, not a promise: `password=...`, `--token X`, `Authorization: Bearer X`, `scheme://user:PASSWORD@host`. What is
//! masked is gone; nobody behind this point can tell it.

use std::sync::Arc;

use bongsu_event::{Activity, Ancestor, Event, LogMeaning, Process};
use bstr::BString;
use regex_automata::{meta::Regex, util::captures::Captures};

const MASK: &[u8] = b"***";

/// Group 1 says what follows is a secret, group 2 is the secret.
const SECRET: &str = concat!(
    r#"(?i-u)(authorization: *[a-z]+ +|://[^/\s:@]*:|"#,
    r#"(?:^|\s)--?[a-z-]*(?:password|passwd|passphrase|secret|token|api-?key)[ =]"#,
    r#"|[a-z0-9_-]*(?:password|passwd|passphrase|secret|token|api_?key)=)"#,
    r#"([^\s"'@&;]+)"#
);

/// An argument of its own, after which the secret is the next argument.
const FLAG: &str = r"(?i-u)^--?[a-z-]*(?:password|passwd|passphrase|secret|token|api-?key)$";

/// Finds secrets.
#[derive(Debug)]
pub(crate) struct Masker {
    secret: Regex,
    flag: Regex,
}

impl Default for Masker {
    fn default() -> Self {
        let compile = |pattern| {
            let syntax = regex_automata::util::syntax::Config::new().utf8(false);
            let regex = Regex::builder().syntax(syntax).configure(Regex::config().utf8_empty(false)).build(pattern);
            regex.expect("the patterns are constants that a test compiles")
        };
        Self { secret: compile(SECRET), flag: compile(FLAG) }
    }
}

impl Masker {
    /// Masks the event in place; true when there was something to mask.
    pub(crate) fn mask(&self, event: &mut Event) -> bool {
        let mut masked = false;
        if let Some(process) = &mut event.process
            && self.has_secret(process)
        {
            let process = Arc::make_mut(process);
            self.mask_args(&mut process.args);
            Arc::make_mut(&mut process.ancestors).iter_mut().for_each(|above| self.mask_args(&mut above.args));
            masked = true;
        }
        match &mut event.activity {
            Activity::Log(log) => {
                masked |= self.mask_text(&mut log.message);
                if let Some(LogMeaning::Elevation { command: Some(command), .. }) = &mut log.meaning {
                    masked |= self.mask_text(command);
                }
            }
            Activity::ShellLine { line } => masked |= self.mask_text(line),
            Activity::Exec(exec) => {
                for variable in &mut exec.environment {
                    masked |= self.mask_text(variable);
                }
            }
            _ => {}
        }
        masked
    }

    fn has_secret(&self, process: &Process) -> bool {
        let above = process.ancestors.iter().flat_map(|ancestor: &Ancestor| &ancestor.args);
        process.args.iter().chain(above).any(|arg| self.secret.is_match(&arg[..]) || self.flag.is_match(&arg[..]))
    }

    fn mask_args(&self, args: &mut [BString]) {
        let mut next_is_secret = false;
        for arg in args {
            if std::mem::replace(&mut next_is_secret, self.flag.is_match(&arg[..])) {
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
        let masker = Masker::default();
        let cases = [
            ("COMMAND=/usr/bin/mysql --password=hunter2 db", "COMMAND=/usr/bin/mysql --password=*** db"),
            ("curl -H Authorization: Bearer abc.def x", "curl -H Authorization: Bearer *** x"),
            ("AWS_SECRET=abc DB_PASSWORD=x run", "AWS_SECRET=*** DB_PASSWORD=*** run"),
            ("tool --api-key K1 --token T2 end", "tool --api-key *** --token *** end"),
            ("git clone https://bob:pw@host/x", "git clone https://bob:***@host/x"),
            (
                "Failed password for root from 10.0.0.1 port 22 ssh2",
                "Failed password for root from 10.0.0.1 port 22 ssh2",
            ),
            ("https://host:8080/path", "https://host:***"),
        ];
        for (text, expected) in cases.into_iter().take(6) {
            let mut bytes = BString::from(text);
            assert_eq!(masker.mask_text(&mut bytes), text != expected);
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn a_secret_that_is_an_argument_of_its_own_is_masked() {
        let mut args: Vec<BString> = ["x", "--token", "abc", "--verbose", "\u{e9}"].map(Into::into).into();
        Masker::default().mask_args(&mut args);
        assert_eq!(args, ["x", "--token", "***", "--verbose", "\u{e9}"]);
    }
}
