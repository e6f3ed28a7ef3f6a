//! What an intent stages inside a batch, so that a refusal can undo it: for appliers.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
};

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

/// Rows by key: those that were read, with what the batch has changed on top.
///
/// What is put or removed counts at once for the checks that follow, and is undone when its
/// intent is refused.
pub struct Staged<K, V> {
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
    pub fn load(&mut self, key: K, row: V) {
        self.rows.insert(key, row);
    }

    /// The row as it stands now.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// The rows whose key is `first` or later.
    pub fn from(&self, first: K) -> impl Iterator<Item = (&K, &V)> {
        self.rows.range(first..)
    }

    /// Every row that stands now.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    /// Replaces or adds a row.
    pub fn put(&mut self, key: K, row: V) {
        let before = self.rows.insert(key.clone(), row);
        self.note(key, before);
    }

    /// Removes a row, also one that was not read.
    pub fn remove(&mut self, key: &K) {
        let before = self.rows.remove(key);
        self.note(key.clone(), before);
    }

    fn note(&mut self, key: K, before: Option<V>) {
        let first_change = self.changed.insert(key.clone());
        self.undo.push(Undo {
            key,
            before,
            first_change,
        });
    }

    /// Ends the intent: keeps what it staged, or undoes it.
    pub fn settle(&mut self, keep: bool) {
        if keep {
            self.undo.clear();
            return;
        }
        while let Some(undo) = self.undo.pop() {
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
    pub fn changed(&self) -> impl Iterator<Item = (&K, Option<&V>)> {
        self.changed.iter().map(|key| (key, self.rows.get(key)))
    }

    /// The rows that are to be inserted or replaced.
    pub fn written(&self) -> impl Iterator<Item = (&K, &V)> {
        self.changed().filter_map(|(key, row)| Some((key, row?)))
    }

    /// The keys whose rows are to be deleted.
    pub fn deleted(&self) -> impl Iterator<Item = &K> {
        self.changed()
            .filter_map(|(key, row)| row.is_none().then_some(key))
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

    /// What was kept.
    pub fn kept(&self) -> &[T] {
        &self.rows[..self.kept]
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

    #[test]
    fn a_refused_intent_leaves_the_rows_that_stood_before_it() {
        let mut rows = Staged::default();
        rows.load("a", 1);
        rows.put("a", 2);
        rows.put("b", 1);
        rows.settle(true);
        rows.put("a", 3);
        rows.put("a", 4);
        rows.remove(&"b");
        rows.remove(&"a");
        rows.put("c", 1);
        rows.settle(false);
        assert_eq!(
            (rows.get(&"a"), rows.get(&"b"), rows.get(&"c")),
            (Some(&2), Some(&1), None)
        );
        let changed: Vec<_> = rows.changed().collect();
        assert_eq!(changed, [(&"a", Some(&2)), (&"b", Some(&1))]);
    }

    #[test]
    fn a_row_that_was_only_read_is_not_written() {
        let mut rows = Staged::default();
        rows.load("a", 1);
        rows.put("b", 2);
        rows.settle(false);
        assert_eq!(rows.changed().count(), 0);
    }

    #[test]
    fn a_row_made_and_removed_in_one_batch_is_deleted() {
        let mut rows = Staged::default();
        rows.put("a", 1);
        rows.settle(true);
        rows.remove(&"a");
        rows.settle(true);
        assert_eq!(rows.deleted().collect::<Vec<_>>(), [&"a"]);
    }

    #[test]
    fn refused_rows_of_a_journal_are_not_kept() {
        let mut rows = Journal::default();
        rows.push(1);
        rows.settle(true);
        rows.push(2);
        assert_eq!(rows.kept(), [1]);
        rows.settle(false);
        assert_eq!(rows.kept(), [1]);
    }
}
