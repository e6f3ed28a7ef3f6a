//! What an intent stages inside a batch, so that a refusal can undo it: for appliers.

use std::{collections::HashMap, hash::Hash};

/// A map of which the newest layer belongs to the intent being checked.
pub struct Layered<K, V> {
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
    /// The newest value.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.staged.get(key).or_else(|| self.kept.get(key))
    }

    /// Adds what was read: it stays whatever becomes of the intents.
    pub fn load(&mut self, key: K, value: V) {
        self.kept.insert(key, value);
    }

    /// Adds what the intent being checked makes.
    pub fn stage(&mut self, key: K, value: V) {
        self.staged.insert(key, value);
    }

    /// Ends the intent: keeps what it staged, or undoes it.
    pub fn settle(&mut self, keep: bool) {
        if keep {
            self.kept.extend(self.staged.drain());
        } else {
            self.staged.clear();
        }
    }

    /// What was loaded or kept.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.kept.iter()
    }

    /// Everything that was loaded or kept.
    pub fn into_kept(self) -> impl Iterator<Item = (K, V)> {
        self.kept.into_iter()
    }
}

/// Rows to be written, of which the last belong to the intent being checked.
pub struct Journal<T> {
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
    /// Adds a row of the intent being checked.
    pub fn push(&mut self, row: T) {
        self.rows.push(row);
    }

    /// Ends the intent: keeps what it staged, or undoes it.
    pub fn settle(&mut self, keep: bool) {
        if keep {
            self.kept = self.rows.len();
        } else {
            self.rows.truncate(self.kept);
        }
    }

    /// What is to be written.
    pub fn take(&mut self) -> Vec<T> {
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
