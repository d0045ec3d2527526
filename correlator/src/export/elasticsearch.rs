//! Delivery to Elasticsearch: every document of an incident at each of its revisions; those that are there already say so.

use std::time::Duration;

use bongsu_api::Incident;
use tracing::warn;

use super::{bulk, config::ElasticsearchConfig, ecs};
use crate::{
    courier::{BuildError, Courier, Terms},
    deliver::{Destination, Failure, Manner, Settling},
    store::{Begin, Due},
};

const DEADLINE: Duration = Duration::from_secs(30);
/// An answer has a few hundred bytes for each of at most 500 documents.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An Elasticsearch, or what speaks like one.
#[derive(Debug, Clone)]
pub(crate) struct Elasticsearch {
    courier: Courier,
}

impl Elasticsearch {
    /// Makes ready; touches no network.
    pub(crate) fn new(config: ElasticsearchConfig) -> Result<Self, BuildError> {
        let terms = Terms { answer_bytes_max: ANSWER_BYTES_MAX };
        Ok(Self { courier: Courier::new(config.bulk, config.authorization, &terms)? })
    }

    /// Sends one request; how many documents were refused for good.
    async fn send(&self, request: bulk::Request<'_>) -> Result<(usize, Option<String>), Failure> {
        let again = |error: String, after| Failure::Again { error, after };
        let answer = self.courier.post("application/x-ndjson", request.body, DEADLINE).await;
        let answer = answer.map_err(|error| again(error.to_string(), None))?;
        if !answer.status.is_success() {
            let error = format!("Elasticsearch answered {}", answer.status.as_u16());
            return Err(again(error, answer.retry_after));
        }
        let outcome = bulk::read(&answer.body, &request.documents).map_err(|error| again(error.to_string(), None))?;
        if !outcome.again.is_empty() {
            return Err(again(
                format!("Elasticsearch had no room for {} documents", outcome.again.len()),
                answer.retry_after,
            ));
        }
        Ok((outcome.refused, outcome.first_refusal))
    }
}

impl Destination for Elasticsearch {
    fn manner(&self) -> Manner {
        Manner {
            consumer: "elasticsearch",
            begin: Begin::AtTheOldest,
            settling: Settling { quiet: Duration::from_secs(2), at_most: Duration::from_secs(10) },
            concurrency: 1,
            // A cluster may be away for a weekend. The outbox keeps what it has not got.
            attempts_max: None,
        }
    }

    async fn deliver(&self, incident: &Incident, due: &Due) -> Result<Option<String>, Failure> {
        let documents = ecs::documents(incident);
        let (mut refused, mut first) = (0, None);
        for request in bulk::requests(&documents) {
            let (count, refusal) = self.send(request).await?;
            refused += count;
            first = first.or(refusal);
        }
        if refused == 0 {
            return Ok(None);
        }
        let first = first.unwrap_or_default();
        warn!(incident = %due.incident, refused, first, "Elasticsearch refused documents for good");
        Ok(Some(format!("{refused} documents refused for good, the first with {first}")))
    }
}

#[cfg(test)]
mod tests;
