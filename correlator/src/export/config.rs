//! The `[elasticsearch]` and `[ndjson]` tables of the configuration.

use std::{fs, path::PathBuf};

use reqwest::{Url, header::HeaderValue};
use serde::Deserialize;

use crate::courier::parse_url;

/// Matches the index template that Elasticsearch ships for `logs-*-*`: a data stream with the ECS mappings.
const INDEX: &str = "logs-bongsu.incident-default";

/// `[elasticsearch]` as the file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ElasticsearchFile {
    /// `https://elasticsearch.example:9200`.
    url: Option<String>,
    /// The data stream or index to write to.
    index: Option<String>,
    /// A file with an API key in its encoded form, and nothing else.
    api_key_file: Option<PathBuf>,
}

/// Where the documents go.
#[derive(Debug, Clone)]
pub(crate) struct ElasticsearchConfig {
    /// The address of `_bulk`, index included.
    pub(crate) bulk: Url,
    /// `ApiKey KEY`; marked as sensitive, so that no log shows it.
    pub(crate) authorization: Option<HeaderValue>,
}

impl ElasticsearchFile {
    /// What the file means (`None` without a URL), or everything that is wrong with it, each with the key it is about.
    pub(crate) fn validate(self) -> Result<Option<ElasticsearchConfig>, Vec<String>> {
        let mut mistakes = Vec::new();
        let Some(url) = self.url else {
            if self.index.is_some() || self.api_key_file.is_some() {
                mistakes.push("elasticsearch.url: missing, although other keys of [elasticsearch] are set".to_owned());
            }
            return if mistakes.is_empty() { Ok(None) } else { Err(mistakes) };
        };
        let index = self.index.unwrap_or_else(|| INDEX.to_owned());
        if !is_index(&index) {
            mistakes.push(format!("elasticsearch.index: {index:?} is not a name that Elasticsearch takes"));
        }
        let bulk = parse_url(url.trim_end_matches('/'))
            .and_then(|url| {
                url.join(&format!("{}/{index}/_bulk", url.path().trim_end_matches('/')))
                    .map_err(|error| error.to_string())
            })
            .map_err(|why| mistakes.push(format!("elasticsearch.url: {why}")))
            .ok();
        let authorization = self.api_key_file.and_then(|path| {
            read_key(&path).map_err(|why| mistakes.push(format!("elasticsearch.api_key_file: {why}"))).ok()
        });
        match bulk {
            Some(bulk) if mistakes.is_empty() => Ok(Some(ElasticsearchConfig { bulk, authorization })),
            _ => Err(mistakes),
        }
    }
}

/// Elasticsearch's own rules for names.
fn is_index(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= 255 && name.bytes().all(allowed) && !name.starts_with(['.', '_', '-'])
}

fn read_key(path: &PathBuf) -> Result<HeaderValue, String> {
    let key = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut value = HeaderValue::from_str(&format!("ApiKey {}", key.trim()))
        .ok()
        .ok_or_else(|| format!("{} holds no key that can be sent in a header", path.display()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `[ndjson]` as the file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NdjsonFile {
    /// A folder for one file per incident.
    folder: Option<PathBuf>,
}

/// Where the files go.
#[derive(Debug, Clone)]
pub(crate) struct NdjsonConfig {
    pub(crate) folder: PathBuf,
}

impl NdjsonFile {
    /// What the file means (`None` without a folder), or everything that is wrong with it, each with the key it is about.
    pub(crate) fn validate(self) -> Result<Option<NdjsonConfig>, Vec<String>> {
        match self.folder {
            Some(folder) if !folder.is_absolute() => {
                Err(vec![format!("ndjson.folder: {} is not absolute", folder.display())])
            }
            folder => Ok(folder.map(|folder| NdjsonConfig { folder })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elasticsearch(text: &str) -> Result<Option<ElasticsearchConfig>, Vec<String>> {
        toml::from_str::<ElasticsearchFile>(text).map_err(|error| vec![error.to_string()])?.validate()
    }

    #[test]
    fn a_url_is_enough_and_may_have_a_path() {
        for (url, bulk) in [
            ("http://127.0.0.1:9200", "http://127.0.0.1:9200/logs-bongsu.incident-default/_bulk"),
            ("https://proxy.example/es/", "https://proxy.example/es/logs-bongsu.incident-default/_bulk"),
        ] {
            assert_eq!(elasticsearch(&format!("url = '{url}'")).unwrap().unwrap().bulk.as_str(), bulk);
        }
        assert!(elasticsearch("").unwrap().is_none());
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let mistakes = elasticsearch("url = 'x'\nindex = '../_all'\napi_key_file = '/nonexistent'").unwrap_err();
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        assert!(elasticsearch("index = 'a'").is_err());
        assert!(toml::from_str::<NdjsonFile>("folder = 'relative'").unwrap().validate().is_err());
    }
}
