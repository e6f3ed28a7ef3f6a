//! A cache that the log keeps true.

use std::{collections::VecDeque, hash::Hash};

use moka::sync::Cache;
use parking_lot::Mutex;

use crate::Pos;

/// How many recent changes are remembered, to judge a value that was read a moment ago.
const REMEMBERED: usize = 4_096;

/// A bounded cache of values that committed changes replace or remove.
///
/// A reader may load a value from a snapshot while a batch that changes it commits. The cache
/// therefore asks of each loaded value at which head it was read, and takes it only if no
/// change of its key has been seen since.
pub struct Coherent<K, V> {
    values: Cache<K, V>,
    recent: Mutex<Recent<K>>,
}

struct Recent<K> {
    changes: VecDeque<(Pos, K)>,
    /// Changes at or before this position may have been forgotten.
    floor: Pos,
}

impl<K, V> Coherent<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Makes an empty cache of at most `capacity` values.
    pub fn new(capacity: u64) -> Self {
        Self::weighing(capacity, |_| 1)
    }

    /// Makes an empty cache of values that weigh at most `capacity` together. One that weighs more
    /// than all of that is never kept.
    pub fn weighing(capacity: u64, weight: impl Fn(&V) -> u32 + Send + Sync + 'static) -> Self {
        let recent = Mutex::new(Recent {
            changes: VecDeque::new(),
            floor: Pos::START,
        });
        let values = Cache::builder().max_capacity(capacity);
        Self {
            values: values.weigher(move |_, value| weight(value)).build(),
            recent,
        }
    }

    /// The value, if it is in memory.
    pub fn get(&self, key: &K) -> Option<V> {
        self.values.get(key)
    }

    /// Takes a value that was read in a snapshot at `head`, unless it changed since.
    pub fn fill(&self, key: K, value: V, head: Pos) {
        let recent = self.recent.lock();
        if recent.is_unchanged_since(&key, head) {
            self.values.insert(key, value);
        }
    }

    /// Takes the value that the change at `pos` made.
    pub fn put(&self, key: K, value: V, pos: Pos) {
        let mut recent = self.recent.lock();
        recent.note(pos, key.clone());
        self.values.insert(key, value);
    }

    /// Takes what the change at `pos` made of the value, if that is in memory.
    pub fn follow(&self, key: &K, pos: Pos, change: impl FnOnce(V) -> V) {
        let mut recent = self.recent.lock();
        recent.note(pos, key.clone());
        if let Some(value) = self.values.get(key) {
            self.values.insert(key.clone(), change(value));
        }
    }

    /// Does something if no change of a key was seen after `pos`; until it is done, none will be.
    pub fn if_unchanged_since(&self, key: &K, pos: Pos, then: impl FnOnce()) {
        let recent = self.recent.lock();
        if recent.is_unchanged_since(key, pos) {
            then();
        }
    }

    /// Forgets a value that the change at `pos` made untrue.
    pub fn forget(&self, key: &K, pos: Pos) {
        let mut recent = self.recent.lock();
        recent.note(pos, key.clone());
        self.values.invalidate(key);
    }

    /// Forgets everything: a change at `pos` may have touched any key.
    pub fn forget_all(&self, pos: Pos) {
        let mut recent = self.recent.lock();
        recent.floor = recent.floor.max(pos);
        recent.changes.clear();
        self.values.invalidate_all();
    }
}

impl<K: Eq> Recent<K> {
    fn is_unchanged_since(&self, key: &K, since: Pos) -> bool {
        // Not in order: a batch of this node is told late when a later one was seen first.
        let mut changes = self.changes.iter().rev();
        since >= self.floor && !changes.any(|(pos, other)| *pos > since && other == key)
    }

    fn note(&mut self, pos: Pos, key: K) {
        if self.changes.len() >= REMEMBERED
            && let Some((oldest, _)) = self.changes.pop_front()
        {
            self.floor = self.floor.max(oldest);
        }
        self.changes.push_back((pos, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_read_before_a_change_is_not_taken_after_it() {
        let cache = Coherent::new(8);
        cache.forget(&"a", Pos::new(5));
        cache.fill("a", 1, Pos::new(4));
        assert_eq!(cache.get(&"a"), None);
        cache.fill("a", 2, Pos::new(5));
        assert_eq!(cache.get(&"a"), Some(2));
    }

    #[test]
    fn a_committed_value_is_not_overwritten_by_an_older_reading() {
        let cache = Coherent::new(8);
        cache.put("a", 7, Pos::new(9));
        cache.fill("a", 1, Pos::new(8));
        assert_eq!(cache.get(&"a"), Some(7));
    }

    #[test]
    fn a_change_that_is_told_late_hides_no_later_one() {
        let cache = Coherent::new(8);
        cache.forget(&"a", Pos::new(9));
        cache.forget(&"b", Pos::new(5));
        cache.fill("a", 1, Pos::new(7));
        assert_eq!(cache.get(&"a"), None);
        let mut is_done = false;
        cache.if_unchanged_since(&"a", Pos::new(7), || is_done = true);
        assert!(!is_done);
        cache.if_unchanged_since(&"a", Pos::new(9), || is_done = true);
        assert!(is_done);
    }

    #[test]
    fn a_value_follows_a_change_if_it_is_there() {
        let cache = Coherent::new(8);
        cache.follow(&"a", Pos::new(5), |value| value + 1);
        assert_eq!(cache.get(&"a"), None);
        cache.fill("a", 1, Pos::new(4));
        assert_eq!(cache.get(&"a"), None);
        cache.fill("a", 2, Pos::new(5));
        cache.follow(&"a", Pos::new(6), |value| value + 1);
        cache.fill("a", 2, Pos::new(5));
        assert_eq!(cache.get(&"a"), Some(3));
    }

    #[test]
    fn a_reading_older_than_what_is_remembered_is_not_taken() {
        let cache = Coherent::new(8);
        for pos in 1..=(REMEMBERED as i64 + 2) {
            cache.forget(&pos, Pos::new(pos));
        }
        cache.fill(0, 1, Pos::new(1));
        assert_eq!(cache.get(&0), None);
        cache.fill(0, 1, Pos::new(3));
        assert_eq!(cache.get(&0), Some(1));
    }

    #[test]
    fn forgetting_all_refuses_earlier_readings() {
        let cache = Coherent::new(8);
        cache.put("a", 1, Pos::new(1));
        cache.forget_all(Pos::new(4));
        cache.fill("b", 1, Pos::new(3));
        assert_eq!((cache.get(&"a"), cache.get(&"b")), (None, None));
    }
}
