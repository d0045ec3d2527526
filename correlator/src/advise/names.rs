//! Names and strings of a host inside our own sentences: quoted, short, and with nothing in them that a reader cannot see.

use bongsu_event::Shown;

/// How many characters of one string a sentence shows.
const SHOWN_CHARS_MAX: usize = 100;

/// `text` in quotation marks, cut when long, with characters that hide or reorder text escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut characters = text.chars();
    let mut shown = visible(&characters.by_ref().take(SHOWN_CHARS_MAX).collect::<String>()).replace(['“', '”'], "\"");
    if characters.next().is_some() {
        shown.push('…');
    }
    format!("“{shown}”")
}

/// `text` without quotation marks and whole, with characters that hide or reorder text escaped.
pub(crate) fn visible(text: &str) -> String {
    Shown(text.as_bytes()).to_string()
}

/// "a, b and c".
pub(crate) fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_reorders_is_shown_as_its_number() {
        assert_eq!(quoted("a\u{202e}b\u{200b}\n"), "“a\\u{202e}b\\u{200b}\\x0a”");
        assert_eq!(quoted("say “yes”"), "“say \"yes\"”");
        assert_eq!(quoted("파일"), "“파일”");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), SHOWN_CHARS_MAX + 3);
    }

    #[test]
    fn lists_read_as_people_write_them() {
        let parts: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        assert_eq!(listed(&parts), "a, b and c");
        assert_eq!(listed(&parts[..2]), "a and b");
        assert_eq!(listed(&parts[..1]), "a");
    }
}
