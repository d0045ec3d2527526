//! Documents with a `correlation` of type `sequence`: read into what the sequence engine runs.
//!
//! The other types of the Sigma specification are refused by name until there is an engine for them.

use std::{num::NonZeroU32, time::Duration};

use bongsu_event::catalogue::FieldId;

use super::{
    error::{Faults, RuleFault},
    meta::Meta,
};
use crate::{
    sequence::{RuleIndex, Scope, SequenceRule, Step},
    yaml::{Data, Mark, Node},
};

/// Finds the place of a single-event rule by its name or id.
pub(crate) type Resolve<'a> = &'a dyn Fn(&str) -> Option<RuleIndex>;

/// Compiles a correlation. Every mistake in it is noted; `None` when there was one.
pub(crate) fn compile(document: &Node, resolve: Resolve<'_>, faults: &mut Faults) -> Option<(Meta, SequenceRule)> {
    let before = faults.0.len();
    let meta = Meta::read(document, faults);
    let body = document.get("correlation")?;
    keys(body, "type, steps, group-by, aliases, scope", "correlation", faults)?;
    match body.get("type").and_then(|node| faults.text("type", node)) {
        Some("sequence") => {}
        Some(other) => {
            let mark = body.get("type").map_or(body.mark, |node| node.mark);
            faults.push(mark, RuleFault::Unsupported(format!("a correlation of type {other:?}")));
            return None;
        }
        None => {
            faults.push(body.mark, RuleFault::Missing("type"));
            return None;
        }
    }
    let aliases = aliases(body, faults);
    let group_by = group_by(body, faults);
    let scope = scope(body, faults);
    let Some(steps) = body.get("steps") else {
        faults.push(body.mark, RuleFault::Missing("steps"));
        return None;
    };
    let steps: Vec<_> = steps.items().iter().map(|node| step(node, &group_by, &aliases, resolve, faults)).collect();
    let (meta, steps) = (meta?, steps.into_iter().collect::<Option<Vec<_>>>()?);
    if meta.quiet || meta.evidence {
        let mark = document.get("bongsu").map_or(document.mark, |node| node.mark);
        let what = "\"quiet\" or \"evidence\" on a correlation, which has no event and no process of its own,";
        faults.push(mark, RuleFault::Unsupported(what.to_owned()));
    }
    let rule = SequenceRule {
        id: meta.id.clone(),
        title: meta.title.clone(),
        severity: meta.severity,
        confidence: meta.confidence,
        techniques: meta.techniques.clone(),
        scope,
        steps,
    };
    (faults.0.len() == before).then_some((meta, rule))
}

/// A field to group by, or the alias that stands for one.
struct Group<'a> {
    name: &'a str,
    mark: Mark,
}

/// `aliases: {account: {failed_login: user.name, privilege_change: user.effective.name}}`.
struct Alias<'a> {
    name: &'a str,
    /// By the name of a rule, as the steps spell it.
    fields: Vec<(&'a str, FieldId)>,
}

fn step(
    node: &Node,
    group_by: &[Group<'_>],
    aliases: &[Alias<'_>],
    resolve: Resolve<'_>,
    faults: &mut Faults,
) -> Option<Step> {
    keys(node, "rule, count, within, label", "a step", faults)?;
    let Some(named) = node.get("rule") else {
        faults.push(node.mark, RuleFault::Missing("rule"));
        return None;
    };
    let names: Vec<&str> = named.items().iter().filter_map(|item| faults.text("rule", item)).collect();
    let rules: Vec<_> = named
        .items()
        .iter()
        .zip(&names)
        .map(|(item, name)| {
            faults.note(item.mark, resolve(name).ok_or_else(|| RuleFault::UnknownRule((*name).to_owned())))
        })
        .collect();
    let count = match node.get("count") {
        None => Some(NonZeroU32::MIN),
        Some(count) => {
            let wrong = || RuleFault::WrongShape { key: "count".to_owned(), expected: "a whole number above 0" };
            faults.note(count.mark, count.text().and_then(|text| text.parse().ok()).ok_or_else(wrong))
        }
    };
    let within = match node.get("within") {
        None => Some(None),
        Some(within) => {
            let wrong =
                || RuleFault::WrongShape { key: "within".to_owned(), expected: "a time such as 30s, 10m, 2h or 1d" };
            faults.note(within.mark, within.text().and_then(duration).map(Some).ok_or_else(wrong))
        }
    };
    let label = node.get("label").and_then(|label| faults.text("label", label)).map(str::to_owned);
    let key: Vec<_> = group_by.iter().map(|group| key_field(group, &names, aliases, faults)).collect();
    Some(Step {
        label: label.unwrap_or_else(|| names.join(" or ")),
        rules: rules.into_iter().collect::<Option<_>>()?,
        count: count?,
        within: within?,
        key: key.into_iter().collect::<Option<_>>()?,
    })
}

/// The field that a group means in a step that wants these rules.
fn key_field(group: &Group<'_>, rules: &[&str], aliases: &[Alias<'_>], faults: &mut Faults) -> Option<FieldId> {
    let Some(alias) = aliases.iter().find(|alias| alias.name == group.name) else {
        let field = FieldId::by_name(group.name).ok_or_else(|| RuleFault::UnknownField(group.name.to_owned()));
        return faults.note(group.mark, field);
    };
    let of_rule = |rule: &&str| alias.fields.iter().find(|(name, _)| name == rule).map(|(_, field)| *field);
    let fields: Option<Vec<FieldId>> = rules.iter().map(of_rule).collect();
    match fields.as_deref() {
        Some([first, rest @ ..]) if rest.iter().all(|field| field == first) => Some(*first),
        Some(_) => {
            let what = format!("an alias ({}) with two fields in one step", group.name);
            faults.push(group.mark, RuleFault::Unsupported(what));
            None
        }
        None => {
            let why = format!("the alias {:?} names no field for a rule of a step ({})", group.name, rules.join(", "));
            faults.push(group.mark, RuleFault::NeverFires(why));
            None
        }
    }
}

fn group_by<'a>(body: &'a Node, faults: &mut Faults) -> Vec<Group<'a>> {
    let items = body.get("group-by").map(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| Some(Group { name: faults.text("group-by", item)?, mark: item.mark })).collect()
}

fn aliases<'a>(body: &'a Node, faults: &mut Faults) -> Vec<Alias<'a>> {
    let Some(node) = body.get("aliases") else { return Vec::new() };
    let map = |node: &'a Node, faults: &mut Faults| {
        if node.entries().is_none() {
            faults.push(node.mark, RuleFault::WrongShape { key: "aliases".to_owned(), expected: "a map of maps" });
        }
        node.entries().unwrap_or_default()
    };
    let mut aliases = Vec::new();
    for alias in map(node, faults) {
        let mut fields = Vec::new();
        for entry in map(&alias.value, faults) {
            let Some(name) = faults.text(&entry.key, &entry.value) else { continue };
            let field = FieldId::by_name(name).ok_or_else(|| RuleFault::UnknownField(name.to_owned()));
            fields.extend(faults.note(entry.value.mark, field).map(|field| (entry.key.as_str(), field)));
        }
        aliases.push(Alias { name: &alias.key, fields });
    }
    aliases
}

fn scope(body: &Node, faults: &mut Faults) -> Scope {
    match body.get("scope").map(|node| (node.mark, node.text())) {
        None | Some((_, Some("host"))) => Scope::Host,
        Some((_, Some("fleet"))) => Scope::Fleet,
        Some((mark, _)) => {
            faults.push(mark, RuleFault::WrongShape { key: "scope".to_owned(), expected: "host or fleet" });
            Scope::Host
        }
    }
}

/// Refuses keys that are not `known`; `None` when the node is no map.
fn keys(node: &Node, known: &'static str, what: &str, faults: &mut Faults) -> Option<()> {
    let Data::Map(entries) = &node.data else {
        faults.push(node.mark, RuleFault::WrongShape { key: what.to_owned(), expected: "a map" });
        return None;
    };
    for entry in entries {
        if !known.split(", ").any(|word| word == entry.key) {
            faults.push(entry.mark, RuleFault::UnknownKey { key: entry.key.clone(), expected: known });
        }
    }
    Some(())
}

/// Reads `90s`, `10m`, `2h` or `1d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text[..text.len() - 1].parse().ok()?;
    number.checked_mul(unit).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        for (text, seconds) in [("90s", Some(90)), ("10m", Some(600)), ("2h", Some(7200)), ("1d", Some(86_400))] {
            assert_eq!(duration(text).map(|time| time.as_secs()), seconds);
        }
        for text in ["", "10", "m", "0s", "-1m", "1.5h", "10 m", "1w", "99999999999999999999d", "봉"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
