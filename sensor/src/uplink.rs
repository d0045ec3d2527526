//! The uplink: the one connection to the correlator.
//!
//! It sends what the [`spool`](crate::spool) holds durably, frees it when the correlator has stored it, says where every event went, and
//! hands over the images that the correlator asks for. It decides nothing about events and keeps none. Bounded: batches in flight
//! ([`window`]), evidence requests that wait, messages between the tasks.
//!
//! ```text
//! wait -> connect -> Hello -> Welcome -> sending <-> (full window)
//!   ^         |         |         |          |
//!   +---------+---------+---------+----------+   any failure: said in the log, then wait, longer each time
//! ```

pub(crate) mod backoff;
pub(crate) mod connect;
mod evidence;
mod ledger;
mod session;
#[cfg(test)]
mod tests;
mod window;
mod witness;

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{health::Health, kernel::Kernel, spool::owner};
use backoff::Backoff;

pub(crate) use session::SessionError;

/// What the uplink needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// `host:port` of ingest listeners, best first.
    pub(crate) addresses: Vec<String>,
    /// The sensor's TLS identity.
    pub(crate) tls: Arc<ClientConfig>,
    /// Said in Hello.
    pub(crate) host_name: Vec<u8>,
    /// Said in Hello.
    pub(crate) kernel_release: String,
    /// Said in Hello.
    pub(crate) log_paths: Vec<Vec<u8>>,
    /// How often the ledger is sent.
    pub(crate) ledger_every: Duration,
    /// The shortest and the longest wait before connecting again.
    pub(crate) backoff: (Duration, Duration),
    /// How long to go on sending after being told to stop.
    pub(crate) drain_max: Duration,
}

/// The uplink, ready to run.
pub(crate) struct Uplink {
    /// What it needs to know.
    pub(crate) config: Config,
    /// Where events come from.
    pub(crate) spool: owner::Handle,
    /// Hooks, counters and images.
    pub(crate) kernel: Arc<Kernel>,
    /// Told how it goes.
    pub(crate) health: Arc<Health>,
}

impl Uplink {
    /// Keeps a session open until `stop`; then sends what it can within a while, the last ledger, and ends.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), owner::Closed> {
        let (min, max) = self.config.backoff;
        let mut backoff = Backoff::new(min, max);
        for address in self.config.addresses.iter().cycle() {
            match session::run(&self, address, &stop).await {
                Ok(()) => return Ok(()),
                Err(SessionError::Spool(closed)) => return Err(closed),
                Err(error) => {
                    if self.health.disconnected() {
                        backoff.reset();
                    }
                    tracing::warn!(address, error = &error as &dyn std::error::Error, "no session with the correlator");
                }
            }
            let wait = backoff.wait();
            if stop.is_cancelled() || stop.run_until_cancelled(sleep(wait)).await.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }
}
