//! Advice for every incident that changes: the template at once, the model's retelling when the incident has become quiet.

use std::{num::NonZeroUsize, time::Duration};

use bongsu_api::Incident;

use super::{Model, config::ModelConfig, template};
use crate::{
    clock,
    courier::BuildError,
    deliver::{Destination, Failure, Manner, Settling},
    store::{Begin, Due, Store},
};

/// Writes the template. Never waits for anybody.
#[derive(Debug, Clone)]
pub(crate) struct TemplateWriter {
    store: Store,
}

impl TemplateWriter {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

/// The template of an older revision may be written a moment too late; the next round writes the newer one.
async fn put(store: &Store, due: &Due, advice: &bongsu_api::Advice) -> Result<Option<String>, Failure> {
    let put = store.put_advice(due.incident, due.revision, advice, clock::now()).await;
    put.map(|()| None).map_err(|error| Failure::Again { error: error.to_string(), after: None })
}

impl Destination for TemplateWriter {
    fn manner(&self) -> Manner {
        Manner {
            consumer: "advise",
            begin: Begin::AtTheOldest,
            settling: Settling::NONE,
            concurrency: 1,
            attempts_max: None,
        }
    }

    async fn deliver(&self, incident: &Incident, due: &Due) -> Result<Option<String>, Failure> {
        put(&self.store, due, &template::advice(incident)).await
    }
}

/// Has the model retell what the template says, and keeps what holds.
#[derive(Debug, Clone)]
pub(crate) struct ModelWriter {
    store: Store,
    model: Model,
    concurrency: NonZeroUsize,
}

impl ModelWriter {
    /// Makes ready; touches no network.
    pub(crate) fn new(config: ModelConfig, store: Store) -> Result<Self, BuildError> {
        let concurrency = config.concurrency;
        Ok(Self { store, model: Model::new(config)?, concurrency })
    }
}

impl Destination for ModelWriter {
    fn manner(&self) -> Manner {
        Manner {
            consumer: "model",
            begin: Begin::FromNowOn,
            settling: Settling { quiet: Duration::from_secs(2), at_most: Duration::from_secs(10) },
            concurrency: self.concurrency.get(),
            attempts_max: None,
        }
    }

    /// A model that failed is not asked again for the same revision: the template says everything, and says why it stands alone.
    async fn deliver(&self, incident: &Incident, due: &Due) -> Result<Option<String>, Failure> {
        let advice = self.model.improve(template::advice(incident), &template::story(incident)).await;
        put(&self.store, due, &advice).await
    }
}
