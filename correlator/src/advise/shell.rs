//! Strings from a host inside commands that a person copies. What cannot be quoted beyond doubt is left out (promise 6).

/// How long a string may be that a person is asked to paste.
const WORD_BYTES_MAX: usize = 256;

/// `text` as one word of a POSIX shell; `None` when a person could not see what the word holds, or when the text is not surely
/// what the host had: the API shows unprintable bytes as `\xNN`, so a backslash is never taken back.
pub(crate) fn word(text: &str) -> Option<String> {
    let visible = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'\\' && byte != b'!';
    if text.is_empty() || text.len() > WORD_BYTES_MAX || text.starts_with('-') || !text.bytes().all(visible) {
        return None;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:@%+=,".contains(&byte);
    if text.bytes().all(plain) {
        return Some(text.to_owned());
    }
    Some(format!("'{}'", text.replace('\'', r"'\''")))
}

/// `name` when it is the kind of account name that every tool takes for one: nothing to quote, nothing to misread.
pub(crate) fn account(name: &str) -> Option<&str> {
    let first = name.bytes().next()?;
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    ((first.is_ascii_lowercase() || first == b'_') && name.len() <= 32 && name.bytes().all(rest)).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_back_exactly_what_was_quoted() {
        for text in ["plain", "/tmp/a b", "it's", "$(id)", "`id`; rm -rf /", "a&b|c>d<e", "*?[]{}~", "\"", "''", "#x"] {
            let quoted = word(text).unwrap();
            for shell in ["sh", "bash"] {
                let output = Command::new(shell).arg("-c").arg(format!("printf %s {quoted}")).output().unwrap();
                assert_eq!(String::from_utf8(output.stdout).unwrap(), text, "{shell}: {quoted}");
            }
        }
    }

    #[test]
    fn what_cannot_be_quoted_beyond_doubt_is_left_out() {
        for text in ["", "-rf", "a\nb", "a\u{202e}b", r"a\x1b", "ä", "wow!", &"x".repeat(257)] {
            assert_eq!(word(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_ordinary_account_names_are_put_into_commands() {
        for name in ["root", "www-data", "_apt", "a1"] {
            assert_eq!(account(name), Some(name));
        }
        for name in ["", "-x", "Root", "a b", "$(id)", "1x", &"a".repeat(33)] {
            assert_eq!(account(name), None, "{name:?}");
        }
    }
}
