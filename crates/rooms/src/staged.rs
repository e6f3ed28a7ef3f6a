//! What an intent stages inside a batch, so that a refusal can undo it.

use std::{collections::HashMap, hash::Hash};

/// A map of which the newest layer belongs to the intent being checked.
pub(crate) struct Layered<K, V> {
    kept: HashMap<K, V>,
    staged: HashMap<K, V>,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self {
            kept: HashMap::new(),
            staged: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash, V> Layered<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.staged.get(key).or_else(|| self.kept.get(key))
    }

    /// Adds what was read: it stays whatever becomes of the intents.
    pub(crate) fn load(&mut self, key: K, value: V) {
        self.kept.insert(key, value);
    }

    pub(crate) fn stage(&mut self, key: K, value: V) {
        self.staged.insert(key, value);
    }

    pub(crate) fn settle(&mut self, keep: bool) {
        if keep {
            self.kept.extend(self.staged.drain());
        } else {
            self.staged.clear();
        }
    }

    /// What was loaded or kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.kept.iter()
    }

    pub(crate) fn into_kept(self) -> impl Iterator<Item = (K, V)> {
        self.kept.into_iter()
    }
}

/// Rows to be written, of which the last belong to the intent being checked.
pub(crate) struct Journal<T> {
    rows: Vec<T>,
    kept: usize,
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            kept: 0,
        }
    }
}

impl<T> Journal<T> {
    pub(crate) fn push(&mut self, row: T) {
        self.rows.push(row);
    }

    pub(crate) fn settle(&mut self, keep: bool) {
        if keep {
            self.kept = self.rows.len();
        } else {
            self.rows.truncate(self.kept);
        }
    }

    /// What is to be written.
    pub(crate) fn take(&mut self) -> Vec<T> {
        self.kept = 0;
        std::mem::take(&mut self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_intent_leaves_nothing() {
        let mut map = Layered::default();
        let mut rows = Journal::default();
        map.load("a", 1);
        map.stage("a", 2);
        rows.push("kept");
        map.settle(true);
        rows.settle(true);
        map.stage("a", 3);
        rows.push("refused");
        assert_eq!(map.get(&"a"), Some(&3));
        map.settle(false);
        rows.settle(false);
        assert_eq!((map.get(&"a"), rows.take()), (Some(&2), vec!["kept"]));
    }
}
