//! Whose a connection is, and which ones could not be followed.

use std::sync::Arc;

use bongsu_event::{NetworkActivity, NetworkOperation, Process};
use bongsu_sensor_abi::{TaskRef, User};

use super::Enricher;

/// Counts the connects that were told at once, because the kernel programs had no room to wait for what would come of them.
#[derive(Debug, Default)]
pub(super) struct Unfollowed(u64);

impl Unfollowed {
    /// To be called for each activity. Said at 1, 2, 4, 8, ... of them; each shows itself by having no result.
    pub(super) fn count(&mut self, network: &NetworkActivity) {
        if network.operation == NetworkOperation::Connect && network.result.is_none() {
            self.0 += 1;
            if self.0.is_power_of_two() {
                tracing::warn!(so_far = self.0, "more connects at once than can be followed: no result for some");
            }
        }
    }
}

impl Enricher {
    /// Whose socket it was; `None` when the kernel programs do not know, as for sockets from before they ran.
    pub(super) fn owner(&mut self, task: TaskRef, user: User) -> Option<Arc<Process>> {
        let process = (task.pid != 0).then(|| self.process(task))?;
        Some(self.acting_as(user, process))
    }
}
