//! What a model is told: the template's own sentences as a numbered list, masked, bounded, and as data.
//!
//! So a fact is never longer than a sentence, never without events, and a claim that cites facts cites events.

use std::fmt;

use serde::Serialize;

use super::sentence::Sentence;

/// How many characters of one fact a model is told.
const FACT_CHARS_MAX: usize = 400;

/// The number of a fact: `F1` is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FactId(usize);

impl FactId {
    /// The id with that text, if it is one of `count` facts.
    pub(crate) fn parse(text: &str, count: usize) -> Option<Self> {
        let number: usize = text.strip_prefix('F')?.parse().ok()?;
        (1..=count).contains(&number).then(|| Self(number - 1))
    }

    /// The place in the list.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

impl fmt::Display for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "F{}", self.0 + 1)
    }
}

/// A fact as the model sees it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fact {
    pub(crate) id: String,
    pub(crate) text: String,
}

/// The story's sentences as facts, `F1` first.
pub(crate) fn facts(story: &[Sentence]) -> Vec<Fact> {
    let fact = |(index, sentence): (usize, &Sentence)| Fact {
        id: FactId(index).to_string(),
        text: masked(sentence.text()).chars().take(FACT_CHARS_MAX).collect(),
    };
    story.iter().enumerate().map(fact).collect()
}

/// Words whose value is nobody's business, when they come before `=`, `:` or a space.
const SECRETS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "pass",
    "secret",
    "token",
    "apikey",
    "api-key",
    "api_key",
    "bearer",
    "authorization",
];

fn names_a_secret(word: &str) -> bool {
    let word = word.trim_matches(|character: char| !character.is_ascii_alphanumeric()).to_ascii_lowercase();
    SECRETS
        .iter()
        .any(|secret| word == *secret || word.ends_with(&format!("_{secret}")) || word.ends_with(&format!("-{secret}")))
}

/// `text` with the values of what looks like passwords and keys replaced by `***`.
fn masked(text: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    let mut value_follows = false;
    for word in text.split(' ') {
        let is_option = word.trim_start_matches(['“', '"', '\'']).starts_with('-');
        if std::mem::take(&mut value_follows) {
            shown.push("***".to_owned());
            // `Authorization: Bearer KEY`: what follows `Bearer` is the secret.
            value_follows = names_a_secret(word);
        } else if let Some((name, _)) = word.split_once(['=', ':']).filter(|(name, _)| names_a_secret(name)) {
            let separator = &word[name.len()..=name.len()];
            value_follows = word.len() == name.len() + 1;
            shown.push(if value_follows { word.to_owned() } else { format!("{name}{separator}***") });
        } else if let Some(at) =
            word.find("://").and_then(|start| Some(start + 3..start + 3 + word[start + 3..].find('@')?))
        {
            shown.push(format!("{}***{}", &word[..at.start], &word[at.end..]));
        } else {
            value_follows = is_option && names_a_secret(word) || word.eq_ignore_ascii_case("bearer");
            shown.push(word.to_owned());
        }
    }
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        let cases = [
            ("“mysql --password=hunter2 -u x”", "“mysql --password=*** -u x”"),
            ("“tool --token abc123 run”", "“tool --token *** run”"),
            ("“curl -H Authorization: Bearer abc.def”", "“curl -H Authorization: *** ***"),
            ("“DB_PASSWORD=x ./run”", "“DB_PASSWORD=*** ./run”"),
            ("“git clone https://me:pw@host/x”", "“git clone https://***@host/x”"),
            ("“sshd: password for backup”", "“sshd: password for backup”"),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn only_ids_of_facts_that_exist_are_read() {
        assert_eq!(FactId::parse("F2", 2).unwrap().index(), 1);
        for text in ["F0", "F3", "2", "f1", "F", "F-1", "F1 "] {
            assert_eq!(FactId::parse(text, 2), None, "{text:?}");
        }
    }
}
