//! Standard output and standard error.
//!
//! A document goes out whole or as lines; text for people goes through [`bongsu_event::Shown`] where it came from elsewhere, and
//! JSON has every character that a terminal might obey written as `\uNNNN`.

use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
};

use bongsu_event::Shown;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::{args::Format, failure::Failure};

/// The fires of a severity, so that it can be seen without reading.
pub(crate) fn fires(severity: &str) -> String {
    match severity.parse::<bongsu_event::Severity>() {
        Ok(level) => {
            let lit = usize::from(level.fires());
            format!("{}{}", "▲".repeat(lit), "△".repeat(5 - lit))
        }
        Err(_) => "?".repeat(5),
    }
}

/// Text from elsewhere, safe for a terminal.
pub(crate) fn safe(text: &str) -> String {
    Shown(text.as_bytes()).to_string()
}

/// Minutes are precise enough for a list: `2026-11-22 09:00`.
pub(crate) fn to_the_minute(time: &str) -> String {
    safe(&time.chars().take(16).collect::<String>().replacen('T', " ", 1))
}

/// A list in the format asked for. `row` makes the line of the table.
pub(crate) fn list<T: Serialize, const N: usize>(
    format: Format,
    items: &[T],
    head: [&str; N],
    row: impl Fn(&T) -> [String; N],
) -> Result<(), Failure> {
    match format {
        Format::Json => document(items),
        Format::Ndjson => items.iter().try_for_each(line),
        Format::Table => {
            let mut table = Table::new();
            table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width());
            table.set_header(head);
            for item in items {
                table.add_row(row(item));
            }
            let text: String = table.lines().fold(String::new(), |mut text, line| {
                text.push_str(line.trim_end());
                text.push('\n');
                text
            });
            write(&text)
        }
    }
}

/// One thing in the format asked for. `story` makes the text for people, for a terminal of so many columns.
pub(crate) fn one<T: Serialize>(format: Format, item: &T, story: impl Fn(&T, usize) -> String) -> Result<(), Failure> {
    match format {
        Format::Json => document(item),
        Format::Ndjson => line(item),
        Format::Table => write(&story(item, usize::from(width()))),
    }
}

/// Text for people.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // `bongsu incident list | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|source| Failure::Output { source }),
    }
}

/// One line of standard error. When even that cannot be written, the exit code has to speak alone.
pub(crate) fn complain(message: &impl fmt::Display) {
    drop(writeln!(io::stderr(), "bongsu: {message}"));
}

fn document<T: Serialize + ?Sized>(item: &T) -> Result<(), Failure> {
    write(&(quiet(&serde_json::to_string_pretty(item).expect("the API's types are all JSON")) + "\n"))
}

fn line<T: Serialize>(item: &T) -> Result<(), Failure> {
    write(&(quiet(&serde_json::to_string(item).expect("the API's types are all JSON")) + "\n"))
}

/// The same JSON with every unseen character escaped. Such characters occur within strings only, where an escape means the same;
/// the line ends between the parts are ours.
fn quiet(json: &str) -> String {
    let mut quiet = String::with_capacity(json.len());
    let mut bytes = [0; 4];
    for character in json.chars() {
        let text = character.encode_utf8(&mut bytes);
        if character == '\n' || character.is_ascii_graphic() || Shown(text.as_bytes()).to_string() == *text {
            quiet.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(quiet, "\\u{unit:04x}").expect("writing to a String does not fail");
            }
        }
    }
    quiet
}

/// The terminal's width; 100 columns where there is none.
fn width() -> u16 {
    const NARROWEST: u16 = 40;
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col >= NARROWEST => size.ws_col,
        _ => 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_means_the_same_and_obeys_nobody() {
        let hostile = ["\u{9b}31m", "\u{202e}txt", "\u{7f}", "\u{e0041}", "봉수 \" \\ \n"];
        let quiet = quiet(&serde_json::to_string(&hostile).unwrap());
        assert_eq!(serde_json::from_str::<Vec<String>>(&quiet).unwrap(), hostile);
        assert_eq!(safe(&quiet), quiet);
    }

    #[test]
    fn a_severity_shows_its_fires() {
        assert_eq!(fires("high"), "▲▲▲▲△");
        assert_eq!(fires("<x>"), "?????");
    }
}
