//! Stories take turns: each watches the whole machine, and one that runs beside another would measure and disturb it.

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// Waits for this story's turn; it lasts until the guard is dropped.
pub fn take() -> MutexGuard<'static, ()> {
    // A story that failed before this one has nothing to do with it.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
