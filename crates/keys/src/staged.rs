//! Rows read under the log's lock, and what the changes of a batch make of them.

use std::collections::{BTreeMap, BTreeSet};

/// Rows by key: those that were read, with what the batch has changed on top.
///
/// What is put or removed counts at once for the checks that follow, and is undone when its
/// intent is refused.
pub(crate) struct Staged<K, V> {
    rows: BTreeMap<K, V>,
    changed: BTreeSet<K>,
    undo: Vec<Undo<K, V>>,
}

struct Undo<K, V> {
    key: K,
    before: Option<V>,
    first_change: bool,
}

impl<K, V> Default for Staged<K, V> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            changed: BTreeSet::new(),
            undo: Vec::new(),
        }
    }
}

impl<K: Clone + Ord, V> Staged<K, V> {
    /// Takes a row as the database holds it.
    pub(crate) fn load(&mut self, key: K, row: V) {
        self.rows.insert(key, row);
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// The rows whose key is `first` or later.
    pub(crate) fn from(&self, first: K) -> impl Iterator<Item = (&K, &V)> {
        self.rows.range(first..)
    }

    /// All rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    pub(crate) fn put(&mut self, key: K, row: V) {
        let before = self.rows.insert(key.clone(), row);
        self.note(key, before);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(before) = self.rows.remove(key) {
            self.note(key.clone(), Some(before));
        }
    }

    fn note(&mut self, key: K, before: Option<V>) {
        let first_change = self.changed.insert(key.clone());
        self.undo.push(Undo {
            key,
            before,
            first_change,
        });
    }

    /// Keeps what was staged since the last call, or undoes it.
    pub(crate) fn settle(&mut self, keep: bool) {
        for undo in std::mem::take(&mut self.undo).into_iter().rev() {
            if keep {
                continue;
            }
            if undo.first_change {
                self.changed.remove(&undo.key);
            }
            match undo.before {
                Some(row) => self.rows.insert(undo.key, row),
                None => self.rows.remove(&undo.key),
            };
        }
    }

    /// The keys that changed, with their rows; `None` for those to be deleted.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (&K, Option<&V>)> {
        self.changed.iter().map(|key| (key, self.rows.get(key)))
    }
}

/// Writes in the order in which their changes were checked.
pub(crate) struct Steps<T> {
    kept: Vec<T>,
    pending: Vec<T>,
}

impl<T> Default for Steps<T> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            pending: Vec::new(),
        }
    }
}

impl<T> Steps<T> {
    pub(crate) fn push(&mut self, step: T) {
        self.pending.push(step);
    }

    /// Keeps what was pushed since the last call, or forgets it.
    pub(crate) fn settle(&mut self, keep: bool) {
        if keep {
            self.kept.append(&mut self.pending);
        } else {
            self.pending.clear();
        }
    }

    pub(crate) fn kept(&self) -> &[T] {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_intent_leaves_the_rows_as_they_were() {
        let mut staged = Staged::default();
        staged.load("a", 1);
        staged.put("a", 2);
        staged.settle(true);
        staged.put("a", 3);
        staged.remove(&"a");
        staged.put("b", 9);
        staged.settle(false);
        assert_eq!(staged.get(&"a"), Some(&2));
        let changed: Vec<_> = staged.changed().collect();
        assert_eq!(changed, [(&"a", Some(&2))]);
    }

    #[test]
    fn a_removed_row_is_told_as_changed() {
        let mut staged = Staged::default();
        staged.load("a", 1);
        staged.remove(&"a");
        staged.settle(true);
        assert_eq!(staged.changed().collect::<Vec<_>>(), [(&"a", None)]);
    }

    #[test]
    fn refused_steps_are_forgotten() {
        let mut steps = Steps::default();
        steps.push(1);
        steps.settle(true);
        steps.push(2);
        steps.settle(false);
        assert_eq!(steps.kept(), [1]);
    }
}
