//! What one batch has read and will write, with the last intent's part undoable.

use std::{collections::HashMap, hash::Hash};

/// Rows by key, as they are after the changes that were staged so far.
pub(crate) struct Staged<K, V> {
    rows: HashMap<K, Slot<V>>,
    /// What stood before the present intent.
    before: Vec<(K, Option<Slot<V>>)>,
}

#[derive(Clone)]
struct Slot<V> {
    /// `None`: there is no such row.
    value: Option<V>,
    changed: bool,
}

impl<K, V> Default for Staged<K, V> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            before: Vec::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Staged<K, V> {
    /// Takes a row as it was read.
    pub(crate) fn load(&mut self, key: K, value: V) {
        let value = Some(value);
        self.rows.insert(
            key,
            Slot {
                value,
                changed: false,
            },
        );
    }

    /// The row as it stands now.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)?.value.as_ref()
    }

    /// Every row that stands now.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows
            .iter()
            .filter_map(|(key, slot)| Some((key, slot.value.as_ref()?)))
    }

    /// Replaces or adds a row.
    pub(crate) fn set(&mut self, key: K, value: V) {
        self.put(key, Some(value));
    }

    /// Removes a row.
    pub(crate) fn remove(&mut self, key: K) {
        self.put(key, None);
    }

    fn put(&mut self, key: K, value: Option<V>) {
        let slot = Slot {
            value,
            changed: true,
        };
        let before = self.rows.insert(key.clone(), slot);
        self.before.push((key, before));
    }

    /// Ends an intent: keeps what it staged, or undoes it.
    pub(crate) fn settle(&mut self, keep: bool) {
        if keep {
            self.before.clear();
            return;
        }
        while let Some((key, before)) = self.before.pop() {
            match before {
                Some(slot) => drop(self.rows.insert(key, slot)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }

    /// The rows that changed, and what they became.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&K, Option<&V>)> {
        self.rows
            .iter()
            .filter(|(_, slot)| slot.changed)
            .map(|(key, slot)| (key, slot.value.as_ref()))
    }

    /// The rows that are to be inserted or replaced.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&K, &V)> {
        self.changes()
            .filter_map(|(key, value)| Some((key, value?)))
    }

    /// The keys whose rows are to be deleted.
    pub(crate) fn deleted(&self) -> impl Iterator<Item = &K> {
        self.changes()
            .filter_map(|(key, value)| value.is_none().then_some(key))
    }
}

#[cfg(test)]
mod tests {
    use super::Staged;

    #[test]
    fn a_refused_intent_leaves_what_stood_before_it() {
        let mut rows = Staged::default();
        rows.load("a", 1);
        rows.set("a", 2);
        rows.set("b", 1);
        rows.settle(true);
        rows.set("a", 3);
        rows.set("a", 4);
        rows.remove("b");
        rows.set("c", 1);
        rows.settle(false);
        assert_eq!(
            (rows.get(&"a"), rows.get(&"b"), rows.get(&"c")),
            (Some(&2), Some(&1), None)
        );
        let mut written: Vec<_> = rows.written().map(|(key, value)| (*key, *value)).collect();
        written.sort_unstable();
        assert_eq!(written, [("a", 2), ("b", 1)]);
    }

    #[test]
    fn a_row_that_was_only_read_is_not_written() {
        let mut rows = Staged::default();
        rows.load("a", 1);
        rows.set("b", 2);
        rows.settle(false);
        assert_eq!(rows.changes().count(), 0);
    }

    #[test]
    fn a_row_made_and_removed_in_one_batch_is_deleted() {
        let mut rows = Staged::default();
        rows.set("a", 1);
        rows.settle(true);
        rows.remove("a");
        rows.settle(true);
        assert_eq!(rows.deleted().collect::<Vec<_>>(), [&"a"]);
    }
}
