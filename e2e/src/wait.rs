//! Waiting for what another program does: until it is so, or until a deadline, never for a fixed time.

use std::{
    fmt::Display,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How often the world is looked at. Only how soon we notice depends on it; a look may start a program, which the sensor sees too.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Asks `look` until it has an answer. What it says on the way (`Err`) is what is still missing, and becomes the error at the deadline.
///
/// # Errors
/// When `limit` has passed; names `what` was waited for and what was missing last.
pub fn until<T, E: Display>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, E>) -> Result<T> {
    let start = Instant::now();
    loop {
        match look() {
            Ok(answer) => return Ok(answer),
            Err(missing) if start.elapsed() > limit => {
                bail!("{what}: not so after {} s: {missing:#}", limit.as_secs())
            }
            Err(_) => thread::sleep(LOOK_EVERY),
        }
    }
}
