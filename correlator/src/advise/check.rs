//! What of a model's answer may be shown: a claim survives only when everything checkable in it is in the facts it cites.
//!
//! A model reads strings that attackers wrote, so its answer is hostile input like any other. It cannot pass a judgement (promise 7),
//! name an address, file, account, number or product its facts do not have, or carry markup, links or invisible characters. And it
//! cannot hide anything: what its surviving claims do not cite is told in the template's words.

use std::collections::BTreeSet;

use bongsu_event::Shown;
use serde::Deserialize;

use super::{
    facts::{Fact, FactId},
    sentence::Sentence,
};

/// How many claims are looked at; a longer answer loses the rest.
pub(crate) const CLAIMS_MAX: usize = 24;
/// How long a claim may be.
const CLAIM_CHARS_MAX: usize = 400;
/// How many facts one claim may cite.
const CITED_MAX: usize = 24;

/// The answer in the form that the schema asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) story: Vec<ModelClaim>,
}

/// One sentence of the model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelClaim {
    pub(crate) text: String,
    pub(crate) facts: Vec<String>,
}

/// Why a claim is not shown. In our words only: what the model wrote is in none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum Dropped {
    #[error("cited nothing")]
    Uncited,
    #[error("cited a fact that does not exist")]
    UnknownFact,
    #[error("was empty or too long")]
    Length,
    #[error("carried markup or invisible characters")]
    Markup,
    #[error("named something that its facts do not have")]
    Invented,
    #[error("judged, which a model may not")]
    Judgement,
    #[error("came after the last one that is looked at")]
    TooMany,
}

/// A story with the model's words where they hold, and the template's where not.
#[derive(Debug)]
pub(crate) struct Retold {
    pub(crate) story: Vec<Sentence>,
    pub(crate) notes: Vec<String>,
}

/// Too little of the answer held.
#[derive(Debug, thiserror::Error)]
#[error("only {survived} of its {total} sentences passed the checks ({})", reasons(.why))]
pub(crate) struct Rejected {
    pub(crate) survived: usize,
    pub(crate) total: usize,
    pub(crate) why: BTreeSet<Dropped>,
}

fn reasons(why: &BTreeSet<Dropped>) -> String {
    why.iter().map(|reason| format!("one {reason}")).collect::<Vec<_>>().join(", ")
}

/// Keeps what holds. `facts` are `template`'s sentences, one for one.
pub(crate) fn check(answer: &Answer, facts: &[Fact], template: &[Sentence]) -> Result<Retold, Rejected> {
    let (mut kept, mut why) = (Vec::new(), BTreeSet::new());
    for (place, claim) in answer.story.iter().enumerate() {
        match judge(claim, facts).and_then(|cited| if place < CLAIMS_MAX { Ok(cited) } else { Err(Dropped::TooMany) }) {
            Ok(cited) => kept.push((cited, claim.text.trim())),
            Err(reason) => drop(why.insert(reason)),
        }
    }
    let total = answer.story.len();
    if kept.is_empty() || kept.len() * 2 < total {
        return Err(Rejected { survived: kept.len(), total, why });
    }
    let mut notes = Vec::new();
    if kept.len() < total {
        notes.push(format!(
            "{} of the model's {total} sentences are not shown ({}).",
            total - kept.len(),
            reasons(&why)
        ));
    }
    let told: BTreeSet<usize> = kept.iter().flat_map(|(cited, _)| cited.iter().map(|id| id.index())).collect();
    let untold: Vec<usize> = (0..template.len()).filter(|index| !told.contains(index)).collect();
    if !untold.is_empty() {
        notes.push(format!("{} of the sentences are the template's: the model left their facts out.", untold.len()));
    }
    Ok(Retold { story: merge(&kept, &untold, template), notes })
}

fn merge(kept: &[(BTreeSet<FactId>, &str)], untold: &[usize], template: &[Sentence]) -> Vec<Sentence> {
    let retold = kept.iter().filter_map(|(cited, text)| {
        let mut sources = cited.iter().filter_map(|id| template.get(id.index()));
        let (first, rest) = (sources.next()?, sources.collect::<Vec<_>>());
        Some((cited.first()?.index(), Sentence::retelling((*text).to_owned(), first, &rest)))
    });
    let own = untold.iter().map(|index| (*index, template[*index].clone()));
    let mut story: Vec<_> = retold.chain(own).collect();
    story.sort_by_key(|(index, _)| *index);
    story.into_iter().map(|(_, sentence)| sentence).collect()
}

fn judge(claim: &ModelClaim, facts: &[Fact]) -> Result<BTreeSet<FactId>, Dropped> {
    if claim.facts.is_empty() {
        return Err(Dropped::Uncited);
    }
    let cited = claim.facts.iter().take(CITED_MAX).map(|id| FactId::parse(id, facts.len()).ok_or(Dropped::UnknownFact));
    let cited = cited.collect::<Result<BTreeSet<_>, _>>()?;
    let text = claim.text.trim();
    if text.is_empty() || text.chars().count() > CLAIM_CHARS_MAX {
        return Err(Dropped::Length);
    }
    if Shown(text.as_bytes()).to_string() != text
        || text.contains(['<', '>', '`', '*', '[', ']', '|', '#', '{', '}', '\\'])
    {
        return Err(Dropped::Markup);
    }
    let sources: Vec<&str> = cited.iter().map(|id| facts[id.index()].text.as_str()).collect();
    if words(text).any(|word| JUDGEMENTS.contains(&word.to_lowercase().as_str())) {
        return Err(Dropped::Judgement);
    }
    let others = facts.iter().map(|fact| fact.text.as_str()).filter(|text| !sources.contains(text));
    if invents(text, &sources) || borrows(text, &sources, others) {
        return Err(Dropped::Invented);
    }
    Ok(cited)
}

/// Words by which a model would decide: how bad it is, whether it may be left alone.
#[rustfmt::skip]
const JUDGEMENTS: &[&str] = &[
    "allowed", "approved", "authorised", "authorized", "benign", "close", "closed", "dismiss", "disregard", "expected", "false", "fine", "harmless",
    "ignore", "ignored", "innocent", "instruction", "instructions", "legitimate", "maintenance", "no", "normal", "nothing", "ok", "okay", "permitted", "prompt",
    "routine", "safe", "safely", "sanctioned", "severity", "test", "testing", "trusted", "unimportant", "usual",
];

/// Numbers in words, and what a fact would have for them.
const NUMBERS: &[(&str, &str)] = &[
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("twelve", "12"),
    ("twice", "2"),
    ("thrice", "3"),
    ("dozen", "12"),
    ("dozens", ""),
    ("hundred", "100"),
    ("hundreds", ""),
    ("thousand", "1000"),
    ("thousands", ""),
    ("million", ""),
    ("millions", ""),
];

/// Accounts that exist everywhere: naming one is a claim about it, whatever the incident's own accounts are.
const ACCOUNTS: &[&str] = &[
    "root",
    "admin",
    "administrator",
    "nobody",
    "daemon",
    "www-data",
    "postgres",
    "mysql",
    "backup",
    "sshd",
    "guest",
    "ubuntu",
];

/// Capital letters that name nobody.
const CAPITALS: &[&str] = &["UTC", "SSH", "IP", "TCP", "UDP", "Linux", "Unix"];

/// The words of a text without the punctuation and possessive around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(bare).filter(|word| !word.is_empty())
}

fn bare(word: &str) -> &str {
    let word = word.trim_matches(|character: char| ".,;:!?()\"'“”‘’…".contains(character));
    word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word)
}

/// Whether the claim has an address, path, number, name or quotation that none of its facts has.
fn invents(text: &str, sources: &[&str]) -> bool {
    let known = |part: &str| sources.iter().any(|source| contains_word(source, part));
    let mut opening = true;
    for raw in text.split_whitespace() {
        let word = bare(raw);
        let lower = word.to_lowercase();
        let is_capital = word.chars().next().is_some_and(char::is_uppercase) && !opening && !CAPITALS.contains(&word);
        let number = NUMBERS.iter().find(|(name, _)| *name == lower);
        let held = known(word) || is_capital && known(&lower);
        let suspicious =
            is_technical(word) || is_capital || ACCOUNTS.contains(&lower.as_str()) || follows_account(text, raw);
        if !word.is_empty() && suspicious && !held {
            return true;
        }
        if number.is_some_and(|(name, digits)| !known(name) && (digits.is_empty() || !known(digits))) {
            return true;
        }
        opening = raw.ends_with(['.', '!', '?']);
    }
    quotations(text).any(|quotation| !sources.iter().any(|source| source.contains(quotation)))
}

/// Anything that is not a plain word: with a digit, or with a sign inside that plain words do not have, or very long.
fn is_technical(word: &str) -> bool {
    word.chars().any(|character| character.is_numeric() || "/\\@_=$&%~:.+^".contains(character))
        || word.chars().count() > 24
}

/// Whether `word` stands where an account's name would: `user NAME`, `account NAME`, `named NAME`.
fn follows_account(text: &str, word: &str) -> bool {
    const LEADS: &[&str] = &["user", "username", "account", "named", "called", "host", "hostname"];
    // After these words a sentence goes on; it does not name.
    #[rustfmt::skip]
    const GOING_ON: &[&str] = &[
        "a", "after", "also", "an", "and", "as", "at", "became", "before", "began", "by", "connected", "created", "did", "failed", "for", "from", "gained", "got",
        "had", "has", "in", "into", "is", "logged", "name", "of", "on", "on", "ran", "read", "started", "succeeded", "that", "the", "then", "to", "tried", "used", "using",
        "was", "were", "when", "which", "while", "who", "with",
    ];
    let mut raw = text.split_whitespace().peekable();
    while let Some(lead) = raw.next() {
        let leads = LEADS.contains(&bare(lead).to_lowercase().as_str()) && bare(lead).len() == lead.len();
        if leads && raw.peek() == Some(&word) && !GOING_ON.contains(&bare(word).to_lowercase().as_str()) {
            return true;
        }
    }
    false
}

/// Whether the claim has a name in it that only facts it does not cite have.
fn borrows<'a>(text: &str, sources: &[&str], others: impl Iterator<Item = &'a str>) -> bool {
    others.flat_map(quotations).any(|name| {
        name.len() > 1 && contains_word(text, name) && !sources.iter().any(|source| contains_word(source, name))
    })
}

/// What stands in quotation marks.
fn quotations(text: &str) -> impl Iterator<Item = &str> {
    let curly = text.split('“').skip(1).filter_map(|rest| rest.split('”').next());
    let straight = text.split('"').skip(1).step_by(2);
    curly.chain(straight).filter(|quotation| !quotation.is_empty())
}

/// Whether `text` has `part` with nothing beside it that would make it part of another name.
fn contains_word(text: &str, part: &str) -> bool {
    let joins = |character: Option<char>, beyond: Option<char>| match character {
        None => false,
        // A full stop or colon joins only when the name goes on behind it.
        Some('.' | ':' | '-') => beyond.is_some_and(char::is_alphanumeric),
        Some(character) => character.is_alphanumeric() || "_/@=".contains(character),
    };
    !part.is_empty()
        && text.match_indices(part).any(|(at, _)| {
            let (mut before, mut after) = (text[..at].chars().rev(), text[at + part.len()..].chars());
            !joins(before.next(), before.next()) && !joins(after.next(), after.next())
        })
}

#[cfg(test)]
mod tests;
