//! Yara rules from source text to one compiled set.
//!
//! A file or rule that does not compile is named and left out; the others stay in force. Bounded by [`FILE_BYTES_MAX`] and
//! [`FILES_MAX`]. `include` is refused: a rule file speaks for itself only.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use yara_x::{Compiler, Rules, SourceCode, errors::CompileError};

use crate::{
    protocol::{PROBLEMS_MAX, Problem, cut},
    shipped,
};

/// A rule file larger than this is left out.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Files of one folder beyond this are left out.
const FILES_MAX: usize = 2000;

/// What came of compiling.
pub(crate) struct Compiled {
    /// The rules in force.
    pub(crate) rules: Rules,
    /// What is not in force.
    pub(crate) problems: Vec<Problem>,
    /// How many problems are not named.
    pub(crate) problems_dropped: usize,
}

/// Compiles the shipped rules and those of `folders`. All share one namespace: a second rule of the same name is a problem of the
/// file that brings it, so that a finding's `yara:NAME` means one rule, and no folder can replace a shipped one.
pub(crate) fn compile(folders: &[PathBuf]) -> Compiled {
    let mut work = Work { compiler: Compiler::new(), problems: Vec::new(), problems_dropped: 0 };
    work.compiler.enable_includes(false);
    for (name, text) in shipped::FILES {
        work.add(name, text.as_bytes());
    }
    for folder in folders {
        work.add_folder(folder);
    }
    Compiled { rules: work.compiler.build(), problems: work.problems, problems_dropped: work.problems_dropped }
}

struct Work {
    compiler: Compiler<'static>,
    problems: Vec<Problem>,
    problems_dropped: usize,
}

impl Work {
    fn add_folder(&mut self, folder: &Path) {
        let (files, beyond) = match rule_files(folder) {
            Ok(files) => files,
            Err(error) => return self.problem(folder, None, &format!("cannot read the folder: {error}")),
        };
        for file in files {
            match read_bounded(&file) {
                Ok(text) => self.add(&file.to_string_lossy(), &text),
                Err(error) => self.problem(&file, None, &format!("cannot read the file: {error}")),
            }
        }
        if beyond > 0 {
            self.problem(folder, None, &format!("{beyond} files left out: at most {FILES_MAX} are read"));
        }
    }

    fn add(&mut self, name: &str, text: &[u8]) {
        let known = self.compiler.errors().len();
        if self.compiler.add_source(SourceCode::from(text).with_origin(name)).is_ok() {
            return;
        }
        let fresh: Vec<(usize, String)> =
            self.compiler.errors()[known..].iter().map(|error| (line_of(text, error), describe(error))).collect();
        for (line, message) in fresh {
            self.problem(Path::new(name), Some(line), &message);
        }
    }

    fn problem(&mut self, file: &Path, line: Option<usize>, message: &str) {
        if self.problems.len() == PROBLEMS_MAX {
            self.problems_dropped += 1;
            return;
        }
        self.problems.push(Problem { file: cut(&file.to_string_lossy()), line, message: cut(message) });
    }
}

/// The `.yar` and `.yara` files of a folder, in the order of their names, and how many more there are.
fn rule_files(folder: &Path) -> io::Result<(Vec<PathBuf>, usize)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "yar" || end == "yara") {
            files.push(path);
        }
    }
    files.sort();
    let beyond = files.len().saturating_sub(FILES_MAX);
    files.truncate(FILES_MAX);
    Ok((files, beyond))
}

fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = Vec::new();
    fs::File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn line_of(text: &[u8], error: &CompileError) -> usize {
    let start = error.labels().next().map_or(0, |label| label.span().start());
    1 + text.iter().take(start).filter(|byte| **byte == b'\n').count()
}

fn describe(error: &CompileError) -> String {
    match error.labels().next().map(|label| label.text().to_owned()) {
        Some(label) if !label.is_empty() => format!("{}: {label}", error.title()),
        _ => error.title().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn every_shipped_rule_compiles_and_says_what_it_means() {
        let compiled = compile(&[]);
        assert!(compiled.problems.is_empty(), "{:?}", compiled.problems);
        let mut count = 0;
        for rule in compiled.rules.iter().filter(|rule| !rule.is_private()) {
            count += 1;
            for key in ["title", "description", "severity", "attack"] {
                assert!(rule.metadata().any(|(name, _)| name == key), "{} lacks meta {key}", rule.identifier());
            }
        }
        assert!(count >= 12, "{count} rules");
    }

    #[test]
    fn a_bad_file_is_named_with_its_line_and_disables_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("a.yar", "rule good_before { condition: true }\n");
        write("b.yar", "rule fine { condition: true }\n\nrule broken {\n  condition: $nothing\n}\n");
        write("c.yar", "rule eicar_test_file { condition: true }\n");
        write("d.yar", "include \"/etc/passwd\"\n");
        write("e.yar", "rule good_after { condition: true }\n");
        write("f.txt", "not a rule file");
        let compiled = compile(&[folder.path().to_owned(), folder.path().join("absent")]);
        let names: Vec<&str> = compiled.rules.iter().map(|rule| rule.identifier()).collect();
        for name in ["good_before", "fine", "good_after", "eicar_test_file", "bongsu_demo_implant"] {
            assert!(names.contains(&name), "{name} is not in force: {names:?}");
        }
        let at = |end: &str| compiled.problems.iter().find(|problem| problem.file.ends_with(end));
        assert_eq!(at("b.yar").unwrap().line, Some(4));
        assert_eq!(at("c.yar").unwrap().line, Some(1));
        assert!(at("d.yar").is_some());
        assert!(at("absent").unwrap().line.is_none());
        assert_eq!(compiled.problems.len(), 4, "{:?}", compiled.problems);
    }
}
