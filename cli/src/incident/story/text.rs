//! Lines of a bounded width.

/// A text that grows line by line.
pub(super) struct Text {
    text: String,
    width: usize,
}

impl Text {
    pub(super) fn new(width: usize) -> Self {
        Self { text: String::new(), width }
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }

    pub(super) fn heading(&mut self, heading: &str) {
        self.text.push('\n');
        self.verbatim(0, heading);
    }

    /// Words, broken into lines that begin `indent` columns in.
    pub(super) fn line(&mut self, indent: usize, words: &str) {
        self.wrapped(&" ".repeat(indent), indent, words);
    }

    /// Words after a mark; further lines begin under the first word.
    pub(super) fn item(&mut self, indent: usize, mark: &str, words: &str) {
        self.wrapped(&format!("{}{mark} ", " ".repeat(indent)), indent + mark.chars().count() + 1, words);
    }

    /// A line that nothing may break, such as a command to copy.
    pub(super) fn verbatim(&mut self, indent: usize, line: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// One line, cut at the width.
    pub(super) fn cut(&mut self, line: &str) {
        if line.chars().count() <= self.width {
            self.verbatim(0, line);
        } else {
            let head: String = line.chars().take(self.width.saturating_sub(1)).collect();
            self.verbatim(0, &format!("{head}…"));
        }
    }

    fn wrapped(&mut self, first: &str, indent: usize, words: &str) {
        let room = self.width.saturating_sub(indent).max(20);
        let mut lead = first.to_owned();
        let mut column = 0;
        for word in words.split(' ').filter(|word| !word.is_empty()).flat_map(|word| pieces(word, room)) {
            let long = word.chars().count();
            if column > 0 && column + 1 + long > room {
                self.text.push('\n');
                lead = " ".repeat(indent);
                column = 0;
            }
            if column == 0 {
                self.text.push_str(&lead);
            } else {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(word);
            column += long;
        }
        if column == 0 {
            self.text.push_str(first.trim_end());
        }
        self.text.push('\n');
    }
}

/// A word in pieces of at most `room` characters.
fn pieces(word: &str, room: usize) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().nth(room).map_or(rest.len(), |(end, _)| end);
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_between_and_only_where_needed_within() {
        let mut text = Text::new(30);
        text.item(2, "1.", "nginx started a shell which connected to 127.0.0.1:4444");
        text.line(4, &"a".repeat(60));
        text.item(2, "-", "");
        text.cut(&"b".repeat(31));
        insta::assert_snapshot!(text.into_string(), @r"
          1. nginx started a shell
             which connected to
             127.0.0.1:4444
            aaaaaaaaaaaaaaaaaaaaaaaaaa
            aaaaaaaaaaaaaaaaaaaaaaaaaa
            aaaaaaaa
          -
        bbbbbbbbbbbbbbbbbbbbbbbbbbbbb…
        ");
    }
}
