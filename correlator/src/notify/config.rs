//! The `[slack]` table of the configuration.

use std::{fs, path::PathBuf, time::Duration};

use bongsu_event::Severity;
use reqwest::Url;
use serde::Deserialize;

use crate::courier::parse_url;

const SETTLE_SECONDS: u64 = 5;
const SETTLE_SECONDS_MAX: u64 = 600;

/// As the file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    /// The incoming webhook. Who knows it can post: better in a file of its own.
    webhook_url: Option<String>,
    /// A file with the webhook's URL, and nothing else.
    webhook_url_file: Option<PathBuf>,
    /// Incidents of this severity or more are posted.
    severity_min: Option<Severity>,
    /// So are those with this score or more, whatever their severity.
    score_min: Option<u32>,
    /// How long an incident must be quiet before it is posted, so that one burst is one message.
    settle_seconds: Option<u64>,
}

/// Where and what to post.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) webhook: Url,
    pub(crate) severity_min: Severity,
    pub(crate) score_min: Option<u32>,
    pub(crate) settle: Duration,
}

impl ConfigFile {
    /// What the file means (`None` without a webhook), or everything that is wrong with it, each with the key it is about.
    pub(crate) fn validate(self) -> Result<Option<Config>, Vec<String>> {
        let mut mistakes = Vec::new();
        let text = match (self.webhook_url, self.webhook_url_file) {
            (Some(_), Some(_)) => {
                mistakes.push("slack.webhook_url_file: set together with slack.webhook_url; one is enough".to_owned());
                None
            }
            (Some(url), None) => Some(Ok(url)),
            (None, Some(path)) => {
                Some(fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display())))
            }
            (None, None) => None,
        };
        let webhook = text.and_then(|text| {
            text.and_then(|text| parse_url(&text))
                .map_err(|why| mistakes.push(format!("slack.webhook_url: {why}")))
                .ok()
        });
        if self.score_min.is_some_and(|score| score > 100) {
            mistakes.push("slack.score_min: a score is at most 100".to_owned());
        }
        let settle = self.settle_seconds.unwrap_or(SETTLE_SECONDS);
        if settle > SETTLE_SECONDS_MAX {
            mistakes.push(format!("slack.settle_seconds: {settle} is more than {SETTLE_SECONDS_MAX}"));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(webhook.map(|webhook| Config {
            webhook,
            severity_min: self.severity_min.unwrap_or(Severity::High),
            score_min: self.score_min,
            settle: Duration::from_secs(settle),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate(text: &str) -> Result<Option<Config>, Vec<String>> {
        toml::from_str::<ConfigFile>(text).map_err(|error| vec![error.to_string()])?.validate()
    }

    #[test]
    fn a_webhook_is_enough() {
        let config = validate("webhook_url = 'http://127.0.0.1:1/services/x'").unwrap().unwrap();
        assert_eq!((config.severity_min, config.score_min), (Severity::High, None));
        assert!(validate("").unwrap().is_none());
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let mistakes = validate("webhook_url = 'ftp://x'\nscore_min = 101\nsettle_seconds = 9999").unwrap_err();
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        assert!(validate("webhook_url_file = '/nonexistent'").is_err());
        assert!(validate("severity_min = 'urgent'").is_err());
        assert!(validate("webhok_url = 'x'").is_err());
    }
}
