//! The thread that asks: files first, which answer at once, then each runtime that is there.

use std::{path::PathBuf, sync::mpsc as answers};

use bstr::{BString, ByteSlice as _};
use tokio::sync::mpsc;
use tonic::Status;

use super::{Answer, Away, NAME_MAX, Names, Places, cri::Runtime, files};

/// Asks what containers are called.
pub(crate) struct Asker {
    places: Places,
    asked: mpsc::Receiver<BString>,
    answer: answers::SyncSender<Answer>,
}

impl Asker {
    pub(super) fn new(places: Places, asked: mpsc::Receiver<BString>, answer: answers::SyncSender<Answer>) -> Self {
        Self { places, asked, answer }
    }

    /// In a thread of its own.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(self) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("container-names".to_owned())
            .spawn(move || runtime.block_on(self.answering()))?;
        Ok(())
    }

    /// One question after the other, until nobody asks any more.
    async fn answering(self) {
        let Self { places, mut asked, answer } = self;
        let Places { sockets, directories } = places;
        let sources = Sources { runtimes: sockets.into_iter().map(Runtime::new).collect(), directories };
        let mut failing = false;
        while let Some(id) = asked.recv().await {
            let named = sources.names(&id.to_str_lossy()).await;
            // Once for each time it begins: hosts without a runtime are no mistake, and a runtime that is away is asked for each container.
            match &named {
                Err(status) if !failing => tracing::info!(%status, "containers stay without names"),
                Ok(_) if failing => tracing::info!("containers are named again"),
                _ => {}
            }
            failing = named.is_err();
            let named = named.map(|named| named.map(bounded)).map_err(|_status| Away);
            if answer.send((id, named)).is_err() {
                return;
            }
        }
    }
}

/// Who may know something.
struct Sources {
    runtimes: Vec<Runtime>,
    directories: Vec<PathBuf>,
}

impl Sources {
    /// `None` when all who could be asked do not know the container.
    async fn names(&self, id: &str) -> Result<Option<Names>, Status> {
        if let Some(names) = self.directories.iter().find_map(|directory| files::names(directory, id)) {
            return Ok(Some(names));
        }
        let mut is_anybody_there = self.directories.iter().any(|directory| directory.exists());
        let mut away = None;
        for runtime in self.runtimes.iter().filter(|runtime| runtime.is_there()) {
            is_anybody_there = true;
            match runtime.names(id).await {
                Ok(None) => {}
                Ok(named) => return Ok(named),
                Err(status) => away = Some(status),
            }
        }
        match away {
            Some(status) => Err(status),
            None if is_anybody_there => Ok(None),
            None => Err(Status::unavailable("no container runtime is here")),
        }
    }
}

fn bounded(mut names: Names) -> Names {
    let pod = names.pod.as_mut().map(|pod| [&mut pod.uid, &mut pod.name, &mut pod.namespace]);
    for text in [&mut names.name, &mut names.image].into_iter().chain(pod.into_iter().flatten()) {
        text.truncate(text.floor_char_boundary(NAME_MAX));
    }
    names
}
