//! Posting to Slack: once when an incident is bad enough, and again only when it gets worse.
//!
//! At least once: a crash between Slack's answer and our note of it posts twice, which a reader survives better than silence.

use std::time::Duration;

use bongsu_api::Incident;
use bongsu_event::Severity;
use reqwest::Url;

use super::{
    config::Config,
    message::{Occasion, message},
};
use crate::{
    advise,
    courier::{BuildError, Courier, PostError, Terms},
    deliver::{Destination, Failure, Manner, Settling},
    store::{Begin, Due},
};

const DEADLINE: Duration = Duration::from_secs(10);
/// Slack answers with a word.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// About half an hour of trying.
const ATTEMPTS_MAX: u32 = 12;

/// A Slack channel, by its incoming webhook.
#[derive(Debug, Clone)]
pub(crate) struct Slack {
    courier: Courier,
    config: Config,
    /// Where the pages are, as the reader's browser finds them.
    pages: Option<Url>,
}

impl Slack {
    /// Makes ready; touches no network. `pages` is the base of the pages' addresses.
    pub(crate) fn new(config: Config, pages: Option<Url>) -> Result<Self, BuildError> {
        let terms = Terms { answer_bytes_max: ANSWER_BYTES_MAX };
        Ok(Self { courier: Courier::new(config.webhook.clone(), None, &terms)?, config, pages })
    }

    /// Whether to post, given the severity that was posted before.
    fn occasion(&self, incident: &Incident, posted: Option<Severity>) -> Option<Occasion> {
        let severity = severity(incident);
        let is_bad_enough = severity >= self.config.severity_min
            || self.config.score_min.is_some_and(|score| incident.summary.score >= score);
        match posted {
            _ if incident.summary.status != "open" => None,
            None => is_bad_enough.then_some(Occasion::Opened),
            Some(posted) => (severity > posted).then_some(Occasion::Worsened),
        }
    }

    async fn post(&self, incident: &Incident, occasion: Occasion) -> Result<(), Failure> {
        let page = self.pages.as_ref().and_then(|pages| pages.join(&format!("incidents/{}", incident.summary.id)).ok());
        let body = message(incident, occasion, page.as_ref()).to_string();
        let answer = match self.courier.post("application/json", body, DEADLINE).await {
            Ok(answer) => answer,
            Err(error @ PostError::Redirected(_)) => return Err(Failure::Never { error: error.to_string() }),
            Err(error) => return Err(Failure::Again { error: error.to_string(), after: None }),
        };
        if answer.status.is_success() {
            return Ok(());
        }
        // Slack's own codes are words such as `invalid_blocks`; anything else is not for our log.
        let code = str::from_utf8(&answer.body).ok().filter(|code| is_code(code)).unwrap_or("no code");
        let error = format!("Slack answered {} ({code})", answer.status.as_u16());
        match answer.status.as_u16() {
            408 | 429 | 500..=599 => Err(Failure::Again { error, after: answer.retry_after }),
            _ => Err(Failure::Never { error }),
        }
    }
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.len() <= 60 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn severity(incident: &Incident) -> Severity {
    incident.summary.severity.parse().unwrap_or(Severity::Info)
}

impl Destination for Slack {
    fn manner(&self) -> Manner {
        Manner {
            consumer: "slack",
            begin: Begin::FromNowOn,
            settling: Settling { quiet: self.config.settle, at_most: self.config.settle * 4 },
            concurrency: 1,
            attempts_max: Some(ATTEMPTS_MAX),
        }
    }

    async fn deliver(&self, incident: &Incident, due: &Due) -> Result<Option<String>, Failure> {
        let posted = due.note.as_deref().and_then(|note| note.parse().ok());
        let Some(occasion) = self.occasion(incident, posted) else { return Ok(None) };
        if incident.advice.story.is_empty() {
            let told = Incident { advice: advise::advice(incident), ..incident.clone() };
            self.post(&told, occasion).await?;
        } else {
            self.post(incident, occasion).await?;
        }
        Ok(Some(severity(incident).to_string()))
    }
}

#[cfg(test)]
mod tests;
