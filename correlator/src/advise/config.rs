//! The `[advise]` table of the configuration.

use std::{fs, num::NonZeroUsize, path::PathBuf, time::Duration};

use reqwest::{Url, header::HeaderValue};
use serde::Deserialize;

/// How long a model may take unless the file says otherwise. The template is stored before the model is asked, so this delays nothing.
const TIMEOUT_SECONDS: u64 = 8;
/// A model on a slow machine needs its time; a hanging one must not hold a place for ever.
const TIMEOUT_SECONDS_MAX: u64 = 120;
const CONCURRENCY: usize = 2;
const CONCURRENCY_MAX: usize = 16;

/// As the file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    /// An OpenAI-compatible endpoint, whole: `http://127.0.0.1:8080/v1/chat/completions`. Without it the template is all there is.
    endpoint: Option<String>,
    /// The model to ask for.
    model: Option<String>,
    /// A file with the key, and nothing else; none for servers that want none.
    api_key_file: Option<PathBuf>,
    /// From connecting to the last byte of the answer.
    timeout_seconds: Option<u64>,
    /// How many incidents are told to the model at the same time.
    concurrency: Option<usize>,
}

/// How advice is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    /// The model, when there is one.
    pub(crate) model: Option<ModelConfig>,
}

/// The model to ask.
#[derive(Debug, Clone)]
pub(crate) struct ModelConfig {
    pub(crate) endpoint: Url,
    pub(crate) name: String,
    /// `Bearer KEY`; marked as sensitive, so that no log shows it.
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: NonZeroUsize,
}

impl ConfigFile {
    /// What the file means, or everything that is wrong with it, each with the key it is about.
    pub(crate) fn validate(self) -> Result<Config, Vec<String>> {
        let mut mistakes = Vec::new();
        let Some(endpoint) = self.endpoint else {
            if self.model.is_some() || self.api_key_file.is_some() || self.timeout_seconds.is_some() {
                mistakes.push("advise.endpoint: missing, although other keys of [advise] are set".to_owned());
            }
            return if mistakes.is_empty() { Ok(Config::default()) } else { Err(mistakes) };
        };
        let endpoint =
            crate::courier::parse_url(&endpoint).map_err(|why| mistakes.push(format!("advise.endpoint: {why}"))).ok();
        let name = self.model.filter(|name| !name.trim().is_empty());
        if name.is_none() {
            mistakes.push("advise.model: missing: say which model to ask for".to_owned());
        }
        let authorization = self
            .api_key_file
            .and_then(|path| read_key(&path).map_err(|why| mistakes.push(format!("advise.api_key_file: {why}"))).ok());
        let seconds = self.timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
            mistakes.push(format!("advise.timeout_seconds: {seconds} is not within 1 to {TIMEOUT_SECONDS_MAX}"));
        }
        let concurrency = self.concurrency.unwrap_or(CONCURRENCY);
        let places = NonZeroUsize::new(concurrency).filter(|places| places.get() <= CONCURRENCY_MAX);
        if places.is_none() {
            mistakes.push(format!("advise.concurrency: {concurrency} is not within 1 to {CONCURRENCY_MAX}"));
        }
        match (endpoint, name, places, mistakes.is_empty()) {
            (Some(endpoint), Some(name), Some(concurrency), true) => {
                let timeout = Duration::from_secs(seconds);
                Ok(Config { model: Some(ModelConfig { endpoint, name, authorization, timeout, concurrency }) })
            }
            _ => Err(mistakes),
        }
    }
}

fn read_key(path: &PathBuf) -> Result<HeaderValue, String> {
    let key = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.trim()))
        .ok()
        .ok_or_else(|| format!("{} holds no key that can be sent in a header", path.display()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate(text: &str) -> Result<Config, Vec<String>> {
        toml::from_str::<ConfigFile>(text).map_err(|error| vec![error.to_string()])?.validate()
    }

    #[test]
    fn without_an_endpoint_there_is_no_model() {
        assert!(validate("").unwrap().model.is_none());
    }

    #[test]
    fn defaults_are_within_their_bounds() {
        let model =
            validate("endpoint = 'http://127.0.0.1:1/v1/chat/completions'\nmodel = 'm'").unwrap().model.unwrap();
        assert_eq!((model.timeout, model.concurrency.get()), (Duration::from_secs(8), 2));
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let text =
            "endpoint = 'file:///etc/passwd'\napi_key_file = '/nonexistent'\ntimeout_seconds = 0\nconcurrency = 99";
        let mistakes = validate(text).unwrap_err();
        let keys: Vec<_> = mistakes.iter().map(|it| it.split(':').next().unwrap()).collect();
        assert_eq!(
            keys,
            ["advise.endpoint", "advise.model", "advise.api_key_file", "advise.timeout_seconds", "advise.concurrency"]
        );
        assert!(validate("endpiont = 'x'").is_err());
        assert!(validate("model = 'm'").is_err());
    }
}
