//! A map that is cheap to clone and to change: a shared base, and a small layer of changes over it.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, sync::Arc};

// Below this many changes a clone costs next to nothing, so they are not worth merging.
const SMALL: usize = 32;
// A layer grows to this share of the base before the two are merged: merging costs a copy of the
// base, so a change costs a few copies of one entry, and so does each entry of the layer per clone.
const SHARE: usize = 32;

#[derive(Debug)]
pub(super) struct Layered<K, V> {
    base: Arc<HashMap<K, V>>,
    // `None` hides an entry of the base.
    changes: HashMap<K, Option<V>>,
    len: usize,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self {
            base: Arc::default(),
            changes: HashMap::default(),
            len: 0,
        }
    }
}

impl<K: Clone, V: Clone> Clone for Layered<K, V> {
    fn clone(&self) -> Self {
        Self {
            base: Arc::clone(&self.base),
            changes: self.changes.clone(),
            len: self.len,
        }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Layered<K, V> {
    pub(super) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        match self.changes.get(key) {
            Some(change) => change.as_ref(),
            None => self.base.get(key),
        }
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.get(&key).is_none() {
            self.len += 1;
        }
        self.change(key, Some(value));
    }

    pub(super) fn remove(&mut self, key: K) {
        if self.get(&key).is_some() {
            self.len -= 1;
            self.change(key, None);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let unchanged = self
            .base
            .iter()
            .filter(|(key, _)| !self.changes.contains_key(*key));
        let changed = self
            .changes
            .iter()
            .filter_map(|(key, change)| Some((key, change.as_ref()?)));
        unchanged.chain(changed)
    }

    fn change(&mut self, key: K, change: Option<V>) {
        // Nobody shares the base while a room is loaded: write to it directly.
        if self.changes.is_empty()
            && let Some(base) = Arc::get_mut(&mut self.base)
        {
            match change {
                Some(value) => drop(base.insert(key, value)),
                None => drop(base.remove(&key)),
            }
            return;
        }
        self.changes.insert(key, change);
        if self.changes.len() > SMALL.max(self.base.len() / SHARE) {
            self.merge();
        }
    }

    fn merge(&mut self) {
        let base = Arc::make_mut(&mut self.base);
        for (key, change) in self.changes.drain() {
            match change {
                Some(value) => drop(base.insert(key, value)),
                None => drop(base.remove(&key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{any, proptest};

    use super::Layered;

    proptest! {
        #[test]
        fn it_behaves_as_a_plain_map_and_clones_do_not_see_later_changes(
            steps in proptest::collection::vec((0u8..120, any::<Option<u8>>(), any::<bool>()), 0..400),
        ) {
            let mut map = Layered::<u8, u8>::default();
            let mut model = BTreeMap::new();
            let mut kept = Vec::new();
            for (key, value, keep) in steps {
                match value {
                    Some(value) => {
                        map.insert(key, value);
                        model.insert(key, value);
                    }
                    None => {
                        map.remove(key);
                        model.remove(&key);
                    }
                }
                if keep && kept.len() < 8 {
                    kept.push((map.clone(), model.clone()));
                }
            }
            kept.push((map, model));
            for (map, model) in kept {
                let entries = map.iter().map(|(key, value)| (*key, *value)).collect::<BTreeMap<_, _>>();
                assert_eq!(entries, model);
                assert_eq!(map.len(), model.len());
                assert!((0..120).all(|key| map.get(&key) == model.get(&key)));
            }
        }
    }
}
