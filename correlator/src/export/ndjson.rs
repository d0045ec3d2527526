//! Delivery to files: one per incident, whole and in place of the one before, so that nobody reads half of one or a line twice.

use std::{io, path::Path, time::Duration};

use bongsu_api::Incident;
use tokio::{fs, io::AsyncWriteExt};

use super::{config::NdjsonConfig, ecs};
use crate::{
    deliver::{Destination, Failure, Manner, Settling},
    store::{Begin, Due},
};

/// A folder of NDJSON files.
#[derive(Debug, Clone)]
pub(crate) struct Ndjson {
    config: NdjsonConfig,
}

impl Ndjson {
    pub(crate) fn new(config: NdjsonConfig) -> Self {
        Self { config }
    }
}

async fn replace(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder).await?;
    let (path, draft) = (folder.join(name), folder.join(format!(".{name}.draft")));
    let mut file = fs::File::create(&draft).await?;
    file.write_all(content).await?;
    file.sync_all().await?;
    fs::rename(&draft, &path).await?;
    fs::File::open(folder).await?.sync_all().await
}

impl Destination for Ndjson {
    fn manner(&self) -> Manner {
        Manner {
            consumer: "ndjson",
            begin: Begin::AtTheOldest,
            settling: Settling { quiet: Duration::from_secs(2), at_most: Duration::from_secs(10) },
            concurrency: 1,
            attempts_max: None,
        }
    }

    async fn deliver(&self, incident: &Incident, due: &Due) -> Result<Option<String>, Failure> {
        let lines: String = ecs::documents(incident).iter().map(|document| format!("{}\n", document.body)).collect();
        // The number is ours; nothing from a host becomes part of a path.
        let name = format!("{}.ndjson", due.incident);
        let failed = |error: io::Error| Failure::Again {
            error: format!("cannot write {name} in {}: {error}", self.config.folder.display()),
            after: None,
        };
        replace(&self.config.folder, &name, lines.as_bytes()).await.map_err(failed)?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
