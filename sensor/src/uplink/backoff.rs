//! How long to wait before trying again: twice as long each time, with a random part so that a fleet does not return in step.

use std::time::Duration;

use rand::RngExt as _;

/// The waiting times.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// From `min` up to `max`.
    #[must_use]
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// It worked: start small again.
    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }

    /// How long to wait now: between half and all of the step.
    pub(crate) fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.max);
        step.mul_f64(rand::rng().random_range(0.5..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_its_limit_and_starts_small_again() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second * 5);
        for step in [1, 2, 4, 5, 5] {
            let wait = backoff.wait();
            assert!(wait >= second * step / 2 && wait <= second * step, "{wait:?} at {step}");
        }
        backoff.reset();
        assert!(backoff.wait() <= second);
    }
}
