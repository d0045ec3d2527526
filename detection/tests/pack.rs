//! The shipped rules: that all are shipped, that each loads and does what its own tests say, and that ordinary work is quiet.

use std::{collections::BTreeSet, fs, path::Path};

use bongsu_detection::{Engine, shipped, trial};
use bongsu_event::{Severity, catalogue::FIELDS};

fn files_below(folder: &Path, found: &mut BTreeSet<String>, root: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let below = path.strip_prefix(root).expect("it was found below the root").to_string_lossy().into_owned();
        if path.is_dir() && below != "yara" {
            files_below(&path, found, root)?;
        } else if path.is_file() {
            found.insert(below);
        }
    }
    Ok(())
}

#[test]
fn every_file_of_the_folder_is_shipped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut found = BTreeSet::new();
    files_below(&root, &mut found, &root).unwrap();
    let listed: BTreeSet<_> = shipped().into_iter().map(|file| file.path).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_rule_loads() {
    let files = shipped();
    let loaded = Engine::load(&files);
    let errors: Vec<_> = loaded.errors.iter().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert_eq!(loaded.rule_count + loaded.sequence_count, files.len());
}

#[test]
fn every_rule_says_what_it_is_about() {
    for meta in Engine::load(&shipped()).engine.rules() {
        assert!(!meta.description.is_empty(), "{}: no description", meta.title);
        assert!(!meta.techniques.is_empty(), "{}: no ATT&CK technique", meta.title);
        assert!(!meta.false_positives.is_empty(), "{}: nothing else causes it?", meta.title);
    }
}

#[test]
fn every_rule_matches_what_it_must_and_nothing_that_it_must_not() {
    let report = trial::run(&shipped());
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{} tests, failed:\n{}", report.trials, failures.join("\n"));
    assert!(report.trials >= 2 * shipped().len());
}

#[test]
fn ordinary_work_is_quiet() {
    let events = trial::ordinary(include_str!("ordinary.yml")).unwrap();
    let mut engine = Engine::load(&shipped()).engine;
    let mut findings = Vec::new();
    for event in &events {
        engine.observe(event, &mut findings);
    }
    engine.settle(&mut findings);
    let loud: Vec<_> = findings.iter().filter(|finding| finding.severity >= Severity::Medium).collect();
    assert!(loud.is_empty(), "{loud:#?}");
    assert!(events.len() > 100, "only {} events", events.len());
}

/// The table of fields in the documentation is the catalogue.
#[test]
fn every_field_is_documented() {
    let page = include_str!("../../docs/rule-language.md");
    for field in FIELDS {
        let names: Vec<_> = field.sigma.iter().map(|name| format!("`{name}`")).collect();
        let row = format!("| `{}` | {} | {:?} | {} |", field.ecs, names.join(", "), field.kind, field.about);
        assert!(page.contains(&row), "docs/rule-language.md lacks the row\n{row}");
    }
}
