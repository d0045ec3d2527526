use std::time::Duration;

use super::*;

fn parse(text: &str) -> Result<Config, Vec<String>> {
    Config::parse(text.parse().unwrap())
}

#[test]
fn an_empty_file_is_a_configuration() {
    let config = Config::load(None).unwrap();
    assert_eq!(config.web.to_string(), "127.0.0.1:8470");
    assert_eq!(config.intake.ingest.to_string(), "0.0.0.0:8471");
    assert_eq!(config.intake.enrolment.to_string(), "0.0.0.0:8472");
}

#[test]
fn the_shipped_example_is_a_configuration() {
    parse(include_str!("../../../deploy/correlator.toml")).unwrap();
}

#[test]
fn every_key_means_something() {
    let text = r#"
        [listen]
        web = "127.0.0.1:0"
        ingest = "[::]:1"
        [public]
        names = ["bongsu.example", "192.0.2.1"]
        url = "https://bongsu.example/"
        [detection]
        rules_dir = "/etc/bongsu/rules"
        [anomaly]
        window_seconds = 10
        baseline_windows = 12
        findings_per_day = 5
    "#;
    let config = parse(text).unwrap();
    assert_eq!((config.web.port(), config.intake.ingest.port(), config.intake.enrolment.port()), (0, 1, 8472));
    assert_eq!(config.public.url.as_deref(), Some("https://bongsu.example"));
    assert_eq!(config.public.names, ["bongsu.example", "192.0.2.1"]);
    let anomaly = config.detection.anomaly;
    assert_eq!((anomaly.window, anomaly.windows_min), (Duration::from_secs(10), 12));
    assert_eq!(anomaly.findings_per_day, 5);
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_keys() {
    let text = r#"
        surprise = 1
        public = 2
        [listen]
        web = "nowhere"
        ingest = 3
        enrollment = "0.0.0.0:1"
        [anomaly]
        window_seconds = 0
        baseline_windows = "many"
        [advise]
        model = "x"
        [spelling]
    "#;
    let mistakes = parse(text).unwrap_err();
    let mut keys: Vec<_> = mistakes.iter().map(|mistake| mistake.split(':').next().unwrap()).collect();
    keys.sort_unstable();
    let expected = [
        "advise.endpoint",
        "anomaly.baseline_windows",
        "anomaly.window_seconds",
        "listen.enrollment",
        "listen.ingest",
        "listen.web",
        "public",
        "spelling",
        "surprise",
    ];
    assert_eq!(keys, expected, "{mistakes:#?}");
}

#[test]
fn a_file_that_is_not_there_or_not_toml_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("correlator.toml");
    assert!(matches!(Config::load(Some(&path)), Err(ConfigError::Read { .. })));
    std::fs::write(&path, "[listen").unwrap();
    assert!(matches!(Config::load(Some(&path)), Err(ConfigError::Toml { .. })));
}
