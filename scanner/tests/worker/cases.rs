//! Reads `rules/yara/tests/*.cases`; the README beside them says how they are written.

use std::{fs, path::Path};

pub(crate) struct Case {
    /// The yara rule it is about.
    pub(crate) rule: String,
    pub(crate) name: String,
    pub(crate) must_match: bool,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn read_all() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/yara/tests");
    let mut cases = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "cases") {
            let rule = path.file_stem().unwrap().to_str().unwrap();
            read(rule, &fs::read_to_string(&path).unwrap(), &mut cases);
        }
    }
    cases
}

fn read(rule: &str, text: &str, cases: &mut Vec<Case>) {
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let begin = |must_match, name: &str| Case {
            rule: rule.to_owned(),
            name: name.to_owned(),
            must_match,
            bytes: Vec::new(),
        };
        if let Some(name) = line.strip_prefix("match: ") {
            cases.push(begin(true, name));
        } else if let Some(name) = line.strip_prefix("no match: ") {
            cases.push(begin(false, name));
        } else {
            let case = cases.last_mut().expect("a case begins with its name");
            add(&mut case.bytes, line);
        }
    }
}

fn add(bytes: &mut Vec<u8>, line: &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "line" => bytes.extend(format!("{rest}\n").bytes()),
        "text" => bytes.extend(rest.bytes()),
        "string" => bytes.extend(format!("{rest}\0").bytes()),
        "hex" => bytes.extend(rest.split(' ').map(|pair| u8::from_str_radix(pair, 16).unwrap())),
        "zeros" => bytes.resize(bytes.len() + rest.parse::<usize>().unwrap(), 0),
        "elf" => bytes.extend(elf(rest)),
        other => panic!("unknown word {other:?} in {line:?}"),
    }
}

/// An ELF header for x86-64 and its program headers: PT_LOAD, and PT_INTERP for a program that is loaded dynamically.
fn elf(kind: &str) -> Vec<u8> {
    let (file_type, segments): (u16, &[u32]) = match kind {
        "exec" => (2, &[1]),
        "dyn" => (3, &[1]),
        "pie" => (3, &[3, 1]),
        other => panic!("unknown kind of ELF {other:?}"),
    };
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(file_type.to_le_bytes());
    bytes.extend(62_u16.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    // Entry point, program headers right behind this header, no section headers.
    for word in [0x40_1000_u64, 64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    for half in [64, 56, u16::try_from(segments.len()).unwrap(), 64, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    for segment in segments {
        bytes.extend(segment.to_le_bytes());
        bytes.extend(5_u32.to_le_bytes());
        for word in [0_u64, 0x40_0000, 0x40_0000, 0x1000, 0x1000, 0x1000] {
            bytes.extend(word.to_le_bytes());
        }
    }
    bytes
}
