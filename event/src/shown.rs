//! How bytes that a host or an attacker chose are shown to a person: the one escape that pages, JSON and terminals share.

use std::fmt::{self, Write as _};

/// Bytes as a person may see them: what is not UTF-8 and what is a control character becomes `\xNN`; what turns the direction of
/// writing, has no width, or only looks like a space becomes `\u{N}`; all else stays.
///
/// So no terminal obeys it, no two texts look the same for the sake of a character that nobody sees, and a file name cannot
/// run backwards. A backslash stays as it is: this is for eyes and is not read back.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\0'..='\x1f' | '\x7f' => write!(f, "\\x{:02x}", u32::from(character))?,
                    _ if is_unseen(character) => write!(f, "\\u{{{:x}}}", u32::from(character))?,
                    _ => f.write_char(character)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Characters that show nothing, or show something other than themselves: Unicode's controls, format characters, default
/// ignorables, line and paragraph separators, all spaces but the usual one, and private use.
const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{a0}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{115f}'..='\u{1160}'
            | '\u{1680}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3000}'
            | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffc}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{10ffff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shows_text_and_escapes_what_cannot_be_seen() {
        let cases: &[(&[u8], &str)] = &[
            (b"/usr/bin/id -u", "/usr/bin/id -u"),
            ("봉수대 café 🔥".as_bytes(), "봉수대 café 🔥"),
            (b"\x1b[31mred\x07", "\\x1b[31mred\\x07"),
            (b"two\nlines\t\r\0", "two\\x0alines\\x09\\x0d\\x00"),
            (b"caf\xe9", "caf\\xe9"),
            (b"cut \xf0\x9f", "cut \\xf0\\x9f"),
            ("invoice\u{202e}fdp.sh".as_bytes(), "invoice\\u{202e}fdp.sh"),
            ("a\u{200b}b\u{a0}c\u{85}".as_bytes(), "a\\u{200b}b\\u{a0}c\\u{85}"),
            ("tag\u{e0041}".as_bytes(), "tag\\u{e0041}"),
            (br"back\slash", r"back\slash"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(Shown(bytes).to_string(), *shown);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_reach_a_terminal_as_a_control(bytes: Vec<u8>) {
            let shown = Shown(&bytes).to_string();
            prop_assert!(!shown.chars().any(|character| character.is_control() || is_unseen(character)));
            prop_assert_eq!(Shown(shown.as_bytes()).to_string(), shown, "showing twice changes nothing");
        }
    }
}
