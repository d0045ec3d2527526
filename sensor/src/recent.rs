//! What was worked out lately for things that events share.
//!
//! Most events are of a process that was told of just before: fork, exec and exit of a short program, every file a compiler opens. Their
//! snapshot is one `Arc`, and what is made of a snapshot (masked, encoded) need not be made again for each event. A snapshot never
//! changes once it is shared, and it is held here, so the same address means the same content. Bounded: [`KEPT`] entries.

use std::{collections::VecDeque, sync::Arc};

/// The makers and the children that a few cores start at the same time. Measured: a storm of two threads finds nine of ten in it, as
/// many as in one of 64.
const KEPT: usize = 16;

/// The last few things and what was made of each.
#[derive(Debug)]
pub(crate) struct Recent<K: ?Sized, V>(VecDeque<(Arc<K>, V)>);

impl<K: ?Sized, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(VecDeque::with_capacity(KEPT))
    }
}

impl<K: ?Sized, V> Recent<K, V> {
    /// What `make` made of this very thing, now or before.
    pub(crate) fn get_or_make(&mut self, key: &Arc<K>, make: impl FnOnce(&K) -> V) -> &V {
        let found = self.0.iter().position(|(known, _)| Arc::ptr_eq(known, key)).and_then(|at| self.0.remove(at));
        if found.is_none() && self.0.len() >= KEPT {
            self.0.pop_back();
        }
        self.0.push_front(found.unwrap_or_else(|| (Arc::clone(key), make(key))));
        &self.0[0].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_lately_is_not_made_again() {
        let keys: Vec<Arc<u32>> = (0..=16).map(|_| Arc::new(7)).collect();
        let mut recent = Recent::default();
        let mut made = 0;
        let mut ask = |key| {
            recent.get_or_make(key, |_| made += 1);
        };
        keys.iter().take(KEPT).for_each(&mut ask);
        keys.iter().take(KEPT).for_each(&mut ask);
        ask(&keys[KEPT]);
        ask(&keys[1]);
        ask(&keys[0]);
        assert_eq!(made, KEPT + 2, "the one asked for longest ago had to go, equal or not");
    }
}
