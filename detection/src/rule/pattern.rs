//! Sigma's strings: text with `*` and `?`, and how they compare with the bytes of a host.
//!
//! Comparison folds the case of ASCII letters and of nothing else: what a host sends is bytes, not necessarily UTF-8.

use bstr::ByteSlice;

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// These bytes.
    Literal(Vec<u8>),
    /// `*`: anything, also nothing.
    Any,
    /// `?`: one character.
    One,
}

/// A string of a rule, its escapes resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Pattern(Vec<Part>);

/// Where in the value a pattern has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Anchor {
    /// It is the whole value.
    Whole,
    /// At its start.
    Start,
    /// At its end.
    End,
    /// Anywhere in it.
    Inside,
}

impl Anchor {
    /// The verb of a sentence about it.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Whole => "is",
            Self::Start => "starts with",
            Self::End => "ends with",
            Self::Inside => "contains",
        }
    }

    /// Whether bytes of `length` found at `start` of a value of `value_length` bytes are where they have to be.
    pub(crate) const fn admits(self, start: usize, length: usize, value_length: usize) -> bool {
        match self {
            Self::Whole => start == 0 && length == value_length,
            Self::Start => start == 0,
            Self::End => start + length == value_length,
            Self::Inside => true,
        }
    }
}

/// A pattern in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Needle {
    /// One run of bytes, in one place. What an automaton can look for.
    Literal { bytes: Vec<u8>, anchor: Anchor },
    /// Anything else, compared piece by piece; covers the whole value.
    Glob(Vec<Part>),
}

impl Pattern {
    /// Reads Sigma's escapes: a backslash makes a following `*`, `?` or backslash literal, and stands for itself before anything
    /// else.
    pub(crate) fn parse(text: &str) -> Self {
        let mut pattern = Self::default();
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => {
                    let escaped = bytes.next_if(|next| matches!(next, b'*' | b'?' | b'\\'));
                    pattern.push_byte(escaped.unwrap_or(b'\\'));
                }
                b'*' => pattern.0.push(Part::Any),
                b'?' => pattern.0.push(Part::One),
                other => pattern.push_byte(other),
            }
        }
        pattern
    }

    /// Just these bytes.
    pub(crate) fn literal(bytes: Vec<u8>) -> Self {
        Self(if bytes.is_empty() { Vec::new() } else { vec![Part::Literal(bytes)] })
    }

    /// The bytes of a pattern without wildcards.
    pub(crate) fn as_literal(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [] => Some(b""),
            [Part::Literal(bytes)] => Some(bytes),
            _ => None,
        }
    }

    fn push_byte(&mut self, byte: u8) {
        if let Some(Part::Literal(bytes)) = self.0.last_mut() {
            bytes.push(byte);
        } else {
            self.0.push(Part::Literal(vec![byte]));
        }
    }

    /// The pattern with what an anchor adds to it: `contains` is a `*` on either side.
    pub(crate) fn anchored(mut self, anchor: Anchor) -> Needle {
        if matches!(anchor, Anchor::End | Anchor::Inside) {
            self.0.insert(0, Part::Any);
        }
        if matches!(anchor, Anchor::Start | Anchor::Inside) {
            self.0.push(Part::Any);
        }
        self.0.dedup_by(|next, before| *next == Part::Any && *before == Part::Any);
        let literal = |bytes: &[u8], anchor| Needle::Literal { bytes: bytes.to_vec(), anchor };
        match self.0.as_slice() {
            [] => literal(b"", Anchor::Whole),
            [Part::Any] => literal(b"", Anchor::Inside),
            [Part::Literal(bytes)] => literal(bytes, Anchor::Whole),
            [Part::Literal(bytes), Part::Any] => literal(bytes, Anchor::Start),
            [Part::Any, Part::Literal(bytes)] => literal(bytes, Anchor::End),
            [Part::Any, Part::Literal(bytes), Part::Any] => literal(bytes, Anchor::Inside),
            _ => Needle::Glob(self.0),
        }
    }

    /// The pattern with each dash that begins a word also as a slash and as the dashes that programs take for it.
    /// `None` when that would be more than [`WINDASH_MAX`] patterns.
    pub(crate) fn windash(self) -> Option<Vec<Self>> {
        let mut all = vec![Vec::new()];
        for part in self.0 {
            let forms = match part {
                Part::Literal(bytes) => dashed(&bytes)?.into_iter().map(Part::Literal).collect(),
                wildcard => vec![wildcard],
            };
            if all.len() * forms.len() > WINDASH_MAX {
                return None;
            }
            all = all
                .iter()
                .flat_map(|before| forms.iter().map(|form| before.iter().chain([form]).cloned().collect()))
                .collect();
        }
        Some(all.into_iter().map(Self).collect())
    }
}

/// How many patterns `windash` may make of one.
pub(crate) const WINDASH_MAX: usize = 625;
const DASHES: [&[u8]; 5] = [b"-", b"/", "\u{2013}".as_bytes(), "\u{2014}".as_bytes(), "\u{2015}".as_bytes()];

/// The bytes with every choice for every dash that stands before a word and not after one.
fn dashed(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let mut all: Vec<Vec<u8>> = vec![Vec::new()];
    for (index, byte) in bytes.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| bytes.get(index));
        if matches!(byte, b'-' | b'/') && !word(before) && word(bytes.get(index + 1)) {
            if all.len() * DASHES.len() > WINDASH_MAX {
                return None;
            }
            all = all.iter().flat_map(|text| DASHES.map(|dash| [text.as_slice(), dash].concat())).collect();
        } else {
            all.iter_mut().for_each(|text| text.push(*byte));
        }
    }
    Some(all)
}

impl Needle {
    /// Whether the value is as the needle says.
    pub(crate) fn matches(&self, value: &[u8], cased: bool) -> bool {
        match self {
            Self::Literal { bytes, anchor } => match anchor {
                Anchor::Whole => same(value, bytes, cased),
                Anchor::Start => value.get(..bytes.len()).is_some_and(|start| same(start, bytes, cased)),
                Anchor::End => value
                    .len()
                    .checked_sub(bytes.len())
                    .and_then(|start| value.get(start..))
                    .is_some_and(|end| same(end, bytes, cased)),
                Anchor::Inside if cased => value.contains_str(bytes),
                Anchor::Inside => bytes.is_empty() || value.windows(bytes.len()).any(|part| same(part, bytes, false)),
            },
            Self::Glob(parts) => glob(parts, value, cased),
        }
    }
}

fn same(left: &[u8], right: &[u8], cased: bool) -> bool {
    if cased { left == right } else { left.eq_ignore_ascii_case(right) }
}

/// Compares piece by piece. On a dead end only the last `*` takes one byte more: what an earlier one could take instead, the last
/// one can take as well, so the work is bounded by pieces times bytes.
fn glob(parts: &[Part], value: &[u8], cased: bool) -> bool {
    let (mut part, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match parts.get(part) {
            Some(Part::Any) => {
                star = Some((part + 1, at));
                part += 1;
                continue;
            }
            Some(Part::Literal(bytes)) => {
                value.get(at..at + bytes.len()).filter(|found| same(found, bytes, cased)).map(<[u8]>::len)
            }
            Some(Part::One) => character_length(&value[at..]),
            None if at == value.len() => return true,
            None => None,
        };
        match (step, star) {
            (Some(length), _) => (part, at) = (part + 1, at + length),
            (None, Some((after, taken))) if taken < value.len() => {
                star = Some((after, taken + 1));
                (part, at) = (after, taken + 1);
            }
            _ => return false,
        }
    }
}

/// How many bytes the first character takes; a byte that is not UTF-8 counts as one.
fn character_length(bytes: &[u8]) -> Option<usize> {
    match bstr::decode_utf8(bytes) {
        (Some(_), length) => Some(length),
        (None, 0) => None,
        (None, _) => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(pattern: &str, anchor: Anchor, value: &str) -> bool {
        Pattern::parse(pattern).anchored(anchor).matches(value.as_bytes(), false)
    }

    #[test]
    fn wildcards_and_escapes_are_those_of_sigma() {
        let whole = [
            ("abc", "ABC", true),
            ("abc", "abcd", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "a봉c", true),
            ("*a*b*c*", "xxaxxbxxc", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            (r"a\*c", "a*c", true),
            (r"a\*c", "abc", false),
            (r"a\?c", "a?c", true),
            (r"a\bc", r"a\bc", true),
            (r"a\\bc", r"a\bc", true),
            (r"a\\*", r"a\bc", true),
            (r"a\\*", "abc", false),
            (r"a\\\*", r"a\*", true),
            (r"a\", r"a\", true),
        ];
        for (pattern, value, expected) in whole {
            assert_eq!(holds(pattern, Anchor::Whole, value), expected, "{pattern} against {value}");
        }
    }

    #[test]
    fn anchors_say_where() {
        for (pattern, anchor, value, expected) in [
            ("/tmp/", Anchor::Start, "/TMP/x", true),
            ("/tmp/", Anchor::Start, "/var/tmp/x", false),
            ("/sh", Anchor::End, "/bin/sh", true),
            ("/sh", Anchor::End, "/bin/bash", false),
            ("min", Anchor::Inside, "xmrMINer", true),
            ("a*b", Anchor::Inside, "xxaxxbxx", true),
            ("a?", Anchor::End, "xab", true),
            ("longer than the value", Anchor::End, "value", false),
        ] {
            assert_eq!(holds(pattern, anchor, value), expected, "{pattern} {anchor:?} {value}");
        }
    }

    #[test]
    fn windash_changes_only_dashes_that_begin_a_word() {
        let texts = |text: &str| {
            let all = Pattern::parse(text).windash().unwrap();
            all.into_iter()
                .map(|one| String::from_utf8(one.as_literal().unwrap().to_vec()).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(" -a"), [" -a", " /a", " \u{2013}a", " \u{2014}a", " \u{2015}a"]);
        assert_eq!(texts("a-b"), ["a-b"]);
        assert_eq!(texts("-a -b").len(), 25);
        assert!(Pattern::parse("-a -b -c -d -e").windash().is_none());
    }

    proptest! {
        /// The straightforward definition, exponential and plainly right.
        #[test]
        fn glob_agrees_with_its_definition(pattern in "[ab*?]{0,8}", value in "[ab]{0,10}") {
            fn plain(pattern: &[u8], value: &[u8]) -> bool {
                match (pattern.split_first(), value.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), first) => {
                        plain(rest, value) || first.is_some_and(|(_, after)| plain(pattern, after))
                    }
                    (Some((b'?', rest)), Some((_, after))) => plain(rest, after),
                    (Some((byte, rest)), Some((first, after))) => byte == first && plain(rest, after),
                    _ => false,
                }
            }
            prop_assert_eq!(holds(&pattern, Anchor::Whole, &value), plain(pattern.as_bytes(), value.as_bytes()));
        }

        #[test]
        fn no_value_panics(pattern in "[a\\\\*?-]{0,8}", value: Vec<u8>) {
            for anchor in [Anchor::Whole, Anchor::Start, Anchor::End, Anchor::Inside] {
                let needle = Pattern::parse(&pattern).anchored(anchor);
                let cased = needle.matches(&value, true);
                prop_assert!(!cased || needle.matches(&value, false));
            }
        }
    }
}
