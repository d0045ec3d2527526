//! Batches that were sent and are not acknowledged. Bounded, so that a slow correlator slows the sensor's reading of its spool and
//! nothing else.

use std::collections::VecDeque;

/// Enough to keep the correlator busy while acks travel.
const BATCHES_MAX: usize = 8;

/// The batches in flight.
#[derive(Debug)]
pub(super) struct Window {
    /// The last number of each batch.
    batches: VecDeque<u64>,
    /// The next number to send.
    next_seq: u64,
    acked: u64,
}

/// The correlator acknowledged what it never got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the correlator acknowledges number {up_to}, and {sent} is the last that was sent")]
pub(crate) struct BadAck {
    up_to: u64,
    sent: u64,
}

impl Window {
    pub(super) fn new(stored_up_to: u64) -> Self {
        Self { batches: VecDeque::new(), next_seq: stored_up_to + 1, acked: stored_up_to }
    }

    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub(super) fn has_room(&self) -> bool {
        self.batches.len() < BATCHES_MAX
    }

    pub(super) fn all_acked(&self) -> bool {
        self.batches.is_empty()
    }

    pub(super) fn sent(&mut self, next_seq: u64) {
        self.batches.push_back(next_seq - 1);
        self.next_seq = next_seq;
    }

    /// True when the ack is news.
    pub(super) fn ack(&mut self, up_to: u64) -> Result<bool, BadAck> {
        if up_to >= self.next_seq {
            return Err(BadAck { up_to, sent: self.next_seq - 1 });
        }
        while self.batches.front().is_some_and(|last| *last <= up_to) {
            self.batches.pop_front();
        }
        let news = up_to > self.acked;
        self.acked = self.acked.max(up_to);
        Ok(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_fills_and_empties_by_acks() {
        let mut window = Window::new(10);
        for batch in 0..BATCHES_MAX as u64 {
            assert!(window.has_room());
            window.sent(11 + (batch + 1) * 5);
        }
        assert!(!window.has_room());
        assert_eq!(window.ack(14), Ok(true), "half a batch is acknowledged and frees no room");
        assert!(!window.has_room());
        assert_eq!(window.ack(15), Ok(true));
        assert_eq!(window.ack(15), Ok(false), "the same ack again is no news");
        assert!(window.has_room());
        assert!(window.ack(51).is_err(), "what was not sent cannot be acknowledged");
        assert_eq!(window.ack(50), Ok(true));
        assert!(window.all_acked());
    }
}
