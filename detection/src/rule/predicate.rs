//! One question about one field, and how it is answered for one event.

use std::{
    cell::OnceCell,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::LazyLock,
};

use bongsu_event::{
    StoredEvent,
    catalogue::{FIELDS, FieldId, Kind, Value},
};
use regex_automata::meta::Regex;

use super::{
    modifier::{Comparison, RegexFlags},
    pattern::{Anchor, Needle},
};

/// A question about a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Predicate {
    pub(crate) target: Target,
    pub(crate) test: Test,
}

/// Where a predicate looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// In one field.
    Field(FieldId),
    /// In every text the event brings: what Sigma calls keywords.
    Anywhere,
}

/// What a predicate asks. Lists hold when one of them does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Text { needles: Vec<TextNeedle>, cased: bool },
    Regex(Vec<RegexNeedle>),
    Numbers(Vec<i64>),
    Compare(Comparison, i64),
    Flag(bool),
    Addresses(Vec<IpAddr>),
    Networks(Vec<Network>),
    Present,
    Absent,
    Other { field: FieldId, anchor: Anchor, cased: bool },
}

/// A needle and how the rule spells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TextNeedle {
    pub(crate) needle: Needle,
    pub(crate) spelling: String,
}

/// A compiled expression; it is what its source and flags are.
#[derive(Debug, Clone)]
pub(crate) struct RegexNeedle {
    pub(crate) source: String,
    pub(crate) flags: RegexFlags,
    pub(crate) regex: Regex,
}

impl PartialEq for RegexNeedle {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.flags) == (&other.source, other.flags)
    }
}

impl Eq for RegexNeedle {}

impl Hash for RegexNeedle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.source, self.flags).hash(state);
    }
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8` or `fd00::/8`. Bits of the address behind the prefix do not count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (base, prefix) = text.split_once('/')?;
        let base: IpAddr = base.parse().ok()?;
        let prefix = prefix.parse().ok()?;
        let longest = if base.is_ipv4() { 32 } else { 128 };
        (prefix <= longest).then_some(Self { base, prefix })
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let same = |left: u128, right: u128, width: u8| {
            let rest = u32::from(width - self.prefix);
            left.checked_shr(rest).unwrap_or(0) == right.checked_shr(rest).unwrap_or(0)
        };
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => same(u32::from(base).into(), u32::from(address).into(), 32),
            (IpAddr::V6(base), IpAddr::V6(address)) => same(base.into(), address.into(), 128),
            _ => false,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

const FIELD_COUNT: usize = FIELDS.len();

/// The values of one event, each read when it is first asked for and then kept.
pub(crate) struct Values<'a> {
    event: &'a StoredEvent,
    cells: [OnceCell<Value<'a>>; FIELD_COUNT],
}

impl<'a> Values<'a> {
    pub(crate) const fn new(event: &'a StoredEvent) -> Self {
        Self { event, cells: [const { OnceCell::new() }; FIELD_COUNT] }
    }

    pub(crate) fn get(&self, field: FieldId) -> &Value<'a> {
        self.cells[field.index()].get_or_init(|| field.read(self.event))
    }
}

/// The fields in which keywords are looked for: not our own words and ids, which no host wrote.
static KEYWORD_FIELDS: LazyLock<Vec<FieldId>> = LazyLock::new(|| {
    let ours = |name: &str| name.starts_with("event.") || name.starts_with("host.") || name.ends_with("entity_id");
    let rows = FIELDS.iter().filter(|row| row.kind == Kind::Text && !ours(row.ecs));
    rows.filter_map(|row| FieldId::by_name(row.ecs)).collect()
});

impl Predicate {
    /// The field in which it holds and the place in its list of what holds there; 0 for tests without a list.
    pub(crate) fn held(&self, values: &Values<'_>) -> Option<(FieldId, usize)> {
        let held = |field: FieldId| self.test.held(values.get(field), values).map(|which| (field, which));
        match self.target {
            Target::Field(field) => held(field),
            Target::Anywhere => KEYWORD_FIELDS.iter().copied().find_map(held),
        }
    }
}

impl Test {
    fn held(&self, value: &Value<'_>, values: &Values<'_>) -> Option<usize> {
        match self {
            Self::Text { needles, cased } => {
                let bytes = value.to_bytes()?;
                needles.iter().position(|needle| needle.needle.matches(&bytes, *cased))
            }
            Self::Regex(regexes) => {
                let bytes = value.to_bytes()?;
                regexes.iter().position(|needle| needle.regex.is_match(bytes.as_ref()))
            }
            Self::Numbers(numbers) => match value {
                Value::Number(number) => numbers.iter().position(|wanted| wanted == number),
                _ => None,
            },
            Self::Addresses(addresses) => match value {
                Value::Address(address) => addresses.iter().position(|wanted| *wanted == address.to_canonical()),
                _ => None,
            },
            Self::Networks(networks) => {
                let address = match value {
                    Value::Address(address) => *address,
                    Value::Text(text) => std::str::from_utf8(text).ok()?.parse().ok()?,
                    _ => return None,
                };
                networks.iter().position(|network| network.contains(address))
            }
            Self::Compare(comparison, limit) => {
                matches!(value, Value::Number(number) if comparison.holds(*number, *limit)).then_some(0)
            }
            Self::Flag(wanted) => (*value == Value::Flag(*wanted)).then_some(0),
            Self::Present => value.is_present().then_some(0),
            Self::Absent => (!value.is_present()).then_some(0),
            Self::Other { field, anchor, cased } => {
                let other = values.get(*field).to_bytes()?.into_owned();
                let needle = Needle::Literal { bytes: other, anchor: *anchor };
                needle.matches(&value.to_bytes()?, *cased).then_some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/32", "10.1.2.3", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "fe80::1", true),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{network} {address}");
        }
        for text in ["10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/-1"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
