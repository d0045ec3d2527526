//! YAML as rule files use it: a tree in which every node, keys included, knows its line and column.
//!
//! A file is cut at its document markers before anything is parsed, so that a mistake in one document leaves the others whole.
//! Aliases and tags are refused (a rule has no use for them, and aliases multiply), a key written twice is an error, and depth
//! and size are bounded.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

/// How deep lists and maps may nest.
const DEPTH_MAX: usize = 24;
/// How large one file may be.
pub(crate) const FILE_BYTES_MAX: usize = 1 << 20;

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) data: Data,
}

/// What a node holds. Scalars keep their spelling: whether `0123` is a number depends on the field it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Data {
    /// A scalar; `plain` when it was written without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file, keys unique.
    Map(Vec<Entry>),
}

/// One line of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) mark: Mark,
    pub(crate) value: Node,
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlFault {
    /// Not YAML.
    #[error("not YAML: {0}")]
    Syntax(String),
    /// Nested too deep.
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// An alias.
    #[error("aliases are not read in rules: write the value out")]
    Alias,
    /// A tag.
    #[error("tags are not read in rules: remove {0:?}")]
    Tag(String),
    /// A key that is not a scalar.
    #[error("a key must be a word")]
    KeyNotScalar,
    /// A key twice in one map.
    #[error("the key {0:?} stands twice in this map")]
    DuplicateKey(String),
    /// A file over the limit.
    #[error("the file is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
}

/// A document that cannot be read, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) mark: Mark,
    pub(crate) fault: YamlFault,
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is YAML's null.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The truth value of a scalar that is one.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self.text()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// The nodes of a list, or the node itself as a list of one.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// The entries of a map.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.data {
            Data::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }
}

/// Every document of a file that is not empty, each read or refused on its own.
pub(crate) fn documents(text: &str) -> Vec<Result<Node, YamlError>> {
    if text.len() > FILE_BYTES_MAX {
        return vec![Err(YamlError { mark: Mark { line: 1, column: 1 }, fault: YamlFault::TooLarge })];
    }
    cut(text).into_iter().filter_map(|(offset, document)| read(document, offset).transpose()).collect()
}

/// The file cut before each document marker, with the number of lines above each piece. `---` at the start of a line is a marker
/// wherever it stands, also within a block scalar.
fn cut(text: &str) -> Vec<(u32, &str)> {
    let mut pieces = Vec::new();
    let (mut start, mut start_line, mut position) = (0, 0, 0);
    for (line, content) in (0_u32..).zip(text.split_inclusive('\n')) {
        let marker = content
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker && position > start {
            pieces.push((start_line, &text[start..position]));
            (start, start_line) = (position, line);
        }
        position += content.len();
    }
    pieces.push((start_line, &text[start..]));
    pieces
}

fn read(document: &str, line_offset: u32) -> Result<Option<Node>, YamlError> {
    let mut reader = Reader { parser: Parser::new_from_str(document), line_offset };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => return Ok(None),
            _ => {
                let node = reader.node(event, span, 0)?;
                // A bare `---` is an empty document, which is nothing rather than a null rule.
                let empty = node.is_null();
                reader.end()?;
                return Ok((!empty).then_some(node));
            }
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    line_offset: u32,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// What follows a document must be its end: the rest of a file that YAML does not understand is not passed over.
    fn end(&mut self) -> Result<(), YamlError> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentEnd | Event::Nothing => {}
                _ => {
                    let fault = YamlFault::Syntax("a second document without a `---` before it".to_owned());
                    return Err(YamlError { mark: self.mark(span), fault });
                }
            }
        }
    }

    fn syntax(&self, error: &ScanError) -> YamlError {
        let mark = self.at(error.marker().line(), error.marker().col());
        YamlError { mark, fault: YamlFault::Syntax(error.info().to_owned()) }
    }

    fn mark(&self, span: Span) -> Mark {
        self.at(span.start.line(), span.start.col())
    }

    fn at(&self, line: usize, column: usize) -> Mark {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Mark { line: number(line).max(1).saturating_add(self.line_offset), column: number(column).saturating_add(1) }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let mark = self.mark(span);
        let refuse = |fault| Err(YamlError { mark, fault });
        if depth > DEPTH_MAX {
            return refuse(YamlFault::TooDeep);
        }
        let tag = match &event {
            Event::Scalar(_, _, _, tag) | Event::SequenceStart(_, tag) | Event::MappingStart(_, tag) => tag.as_deref(),
            _ => None,
        };
        if let Some(tag) = tag {
            return refuse(YamlFault::Tag(format!("{}{}", tag.handle, tag.suffix)));
        }
        let data = match event {
            Event::Scalar(text, style, ..) => {
                Data::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            Event::Alias(_) => return refuse(YamlFault::Alias),
            other => return refuse(YamlFault::Syntax(format!("unexpected {other:?}"))),
        };
        Ok(Node { mark, data })
    }

    fn list(&mut self, depth: usize) -> Result<Data, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Data::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Data, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Data::Map(entries));
            }
            let key = self.node(event, span, depth + 1)?;
            let mark = key.mark;
            let Data::Scalar { text: key, .. } = key.data else {
                return Err(YamlError { mark, fault: YamlFault::KeyNotScalar });
            };
            if entries.iter().any(|entry| entry.key == key) {
                return Err(YamlError { mark, fault: YamlFault::DuplicateKey(key) });
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push(Entry { key, mark, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> (u32, u32, YamlFault) {
        let error = documents(text).into_iter().find_map(Result::err).expect("a document that is refused");
        (error.mark.line, error.mark.column, error.fault)
    }

    #[test]
    fn a_broken_document_leaves_the_others_whole() {
        let read = documents("a: 1\n---\nb: [1\n---\n# nothing here\n---\nc: 3\n");
        assert_eq!(read.len(), 3);
        assert!(read[0].is_ok() && read[1].is_err());
        let last = read[2].as_ref().unwrap();
        assert_eq!(last.get("c").unwrap().mark, Mark { line: 7, column: 4 });
    }

    #[test]
    fn what_is_refused_is_refused_at_its_place() {
        assert_eq!(fault("a: 1\nb: 2\na: 3\n"), (3, 1, YamlFault::DuplicateKey("a".to_owned())));
        assert_eq!(fault("a: &x 1\nb: *x\n"), (2, 4, YamlFault::Alias));
        assert!(matches!(fault("a: !!int 1\n"), (1, _, YamlFault::Tag(_))));
        assert_eq!(fault("? [a]\n: 1\n").2, YamlFault::KeyNotScalar);
        assert_eq!(fault(&"[".repeat(60)).2, YamlFault::TooDeep);
        assert_eq!(fault(&"a".repeat(FILE_BYTES_MAX + 1)).2, YamlFault::TooLarge);
        assert!(matches!(fault("a: b\n c: d\n").2, YamlFault::Syntax(_)));
    }

    #[test]
    fn scalars_keep_their_spelling() {
        let read = documents("a: 0123\nb: null\nc: 'null'\nd: true\n").remove(0).unwrap();
        assert_eq!(read.get("a").unwrap().text(), Some("0123"));
        assert!(read.get("b").unwrap().is_null());
        assert!(!read.get("c").unwrap().is_null());
        assert_eq!(read.get("d").unwrap().flag(), Some(true));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-a-z:\\[\\]{}#&*!|>'\"%@,? \n\t]{0,80}") {
            let _read = documents(&text);
        }
    }
}
