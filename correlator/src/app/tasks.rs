//! The long-lived tasks, in stages that end one after the other.

use std::{collections::BTreeSet, future::Future, time::Duration};

use anyhow::{Context as _, anyhow};
use tokio::{
    task::{AbortHandle, Id, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Tasks that begin and end together.
pub(super) struct Stage {
    name: &'static str,
    stop: CancellationToken,
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    names: Vec<(Id, &'static str)>,
}

impl Stage {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, stop: CancellationToken::new(), tasks: JoinSet::new(), names: Vec::new() }
    }

    /// Cancelled when the stage is to end.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub(super) fn spawn<E>(&mut self, name: &'static str, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let handle: AbortHandle = self.tasks.spawn(async move { (name, task.await.map_err(anyhow::Error::from)) });
        self.names.push((handle.id(), name));
    }

    /// Waits until a task ends, which none should do by itself; says why it did. Waits for ever in a stage without tasks.
    pub(super) async fn failure(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            None => std::future::pending().await,
            Some(Ok((name, Ok(())))) => anyhow!("{name} ended by itself"),
            Some(Ok((name, Err(error)))) => error.context(format!("{name} ended")),
            Some(Err(error)) => {
                let name = self.name_of(error.id());
                anyhow::Error::from(error).context(format!("{name} died"))
            }
        }
    }

    fn name_of(&self, id: Id) -> &'static str {
        self.names.iter().find(|(known, _)| *known == id).map_or("a task", |(_, name)| name)
    }

    /// Ends the stage: asks its tasks, waits for them, and at the deadline leaves those that remain behind, by name.
    pub(super) async fn end(mut self, deadline: Duration) -> anyhow::Result<()> {
        self.stop.cancel();
        let mut remaining: BTreeSet<&'static str> = self.names.iter().map(|(_, name)| *name).collect();
        let mut result = Ok(());
        let drained = timeout(deadline, async {
            while let Some(ended) = self.tasks.join_next().await {
                let (name, ended) = match ended {
                    Ok((name, ended)) => (name, ended),
                    Err(error) => (
                        self.names.iter().find(|(id, _)| *id == error.id()).map_or("a task", |(_, name)| name),
                        Err(error.into()),
                    ),
                };
                remaining.remove(name);
                if let Err(error) = ended.with_context(|| format!("{name} ended badly")) {
                    tracing::error!(error = format!("{error:#}"), "while stopping");
                    result = Err(error);
                }
            }
        })
        .await;
        if drained.is_err() {
            tracing::error!(stage = self.name, ?remaining, "did not end in time and is left behind");
            return Err(anyhow!("{} did not end in time", self.name));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_by_itself_ends_the_stage_with_its_reason() {
        let mut stage = Stage::new("inside");
        let stop = stage.stop();
        stage.spawn("steady", async move {
            stop.cancelled().await;
            Ok::<_, io::Error>(())
        });
        stage.spawn("pump", async { Err(io::Error::other("broke")) });
        assert_eq!(format!("{:#}", stage.failure().await), "pump ended: broke");
        stage.end(Duration::from_secs(20)).await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_panics_is_named() {
        let mut stage = Stage::new("inside");
        stage.spawn("pump", async {
            assert!(std::hint::black_box(false), "on purpose");
            Ok::<_, io::Error>(())
        });
        assert!(format!("{:#}", stage.failure().await).starts_with("pump died"));
    }

    #[tokio::test]
    async fn a_task_that_does_not_end_is_left_behind_at_the_deadline() {
        let mut stage = Stage::new("inside");
        stage.spawn("stuck", std::future::pending::<Result<(), io::Error>>());
        let error = stage.end(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(error.to_string(), "inside did not end in time");
    }
}
