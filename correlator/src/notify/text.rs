//! Text for Slack: escaped so that nothing from a host is a link, a mention or markup, and cut to what Slack takes.

/// `text` for a `mrkdwn` or `text` field, at most `chars_max` characters after escaping. `&`, `<` and `>` are all that Slack's
/// own control sequences begin with; the words that some clients expand by themselves lose their `@`.
pub(crate) fn escaped(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for character in defused(text).chars() {
        let piece = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            // Would end a code span, or begin one over our own words.
            '`' => "'",
            _ => "",
        };
        let piece_chars = piece.len().max(1);
        if length + piece_chars >= chars_max {
            out.push('…');
            break;
        }
        length += piece_chars;
        if piece.is_empty() { out.push(character) } else { out.push_str(piece) }
    }
    out
}

/// `text` for a `plain_text` field, where Slack reads no markup: without the signs of its control sequences all the same, because
/// a notification on a phone shows the same text by other rules.
pub(crate) fn plain(text: &str, chars_max: usize) -> String {
    let text = defused(text).replace(['<', '>', '`'], "'").replace('&', "+");
    match text.char_indices().nth(chars_max.saturating_sub(1)) {
        Some((end, _)) if end + 1 < text.len() || text[end..].chars().count() > 1 => format!("{}…", &text[..end]),
        _ => text,
    }
}

fn defused(text: &str) -> String {
    let mut text = text.to_owned();
    for word in ["channel", "here", "everyone"] {
        let mention = format!("@{word}");
        // ASCII case only: these are Slack's own words.
        while let Some(at) = text.to_ascii_lowercase().find(&mention) {
            text.replace_range(at..=at, "(at)");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_host_is_a_link_or_a_mention() {
        for (text, expected) in [
            ("<!channel>", "&lt;!channel&gt;"),
            ("<https://evil.example|click>", "&lt;https://evil.example|click&gt;"),
            ("<@U123>", "&lt;@U123&gt;"),
            ("hello @Channel and @here", "hello (at)Channel and (at)here"),
            ("a && b", "a &amp;&amp; b"),
            ("&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;"),
            ("`id`", "'id'"),
        ] {
            assert_eq!(escaped(text, 3000), expected);
        }
        assert_eq!(plain("<!here> & @here", 150), "'!here' + (at)here");
    }

    #[test]
    fn a_cut_never_splits_an_escape_and_keeps_the_bound() {
        for length in 1..40 {
            let cut = escaped("ab<cd>ef&gh<<<<>>>>&&&&", length);
            assert!(cut.chars().count() <= length, "{cut}");
            let rest = cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!rest.contains('&'), "{cut}");
            assert!(plain(&"é".repeat(60), length).chars().count() <= length);
        }
        assert_eq!(plain("four", 4), "four");
        assert_eq!(plain("fives", 4), "fiv…");
    }
}
