//! What a step of the indexing changes: postings that come and go, in the blocks where they stand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use seal::Keyring;
use store::{ColumnType, Insert, LocalWrite, Pos, Reader, StoreError, Value};

use crate::{
    block::{Block, Posting, beginning},
    blocks::{self, Indexes, Key, Wanted},
    room_index::RoomIndex,
    text::Text,
};

static PUT_BLOCKS: Insert = Insert {
    table: "search_postings",
    columns: &[
        ("room", ColumnType::Int),
        ("token", ColumnType::Int),
        ("first", ColumnType::Int),
        ("postings", ColumnType::Bytes),
    ],
    on_conflict: "ON CONFLICT (room, token, first) DO UPDATE SET postings = excluded.postings",
};

const DELETE_BLOCK: &str =
    "DELETE FROM search_postings WHERE room = $1 AND token = $2 AND first = $3";

static PUT_EVENTS: Insert = Insert {
    table: "search_events",
    columns: &[("pos", ColumnType::Int), ("tokens", ColumnType::Bytes)],
    on_conflict: "ON CONFLICT (pos) DO UPDATE SET tokens = excluded.tokens",
};

const READ_EVENT: &str = "SELECT tokens FROM search_events WHERE pos = $1";

const DELETE_EVENT: &str = "DELETE FROM search_events WHERE pos = $1";

/// An event of a room's timeline.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) room: i64,
    pub(crate) pos: Pos,
    pub(crate) ord: i64,
}

/// What comes into the index, and what leaves it.
pub(crate) struct Changes<'a> {
    keyring: &'a Keyring,
    indexes: Indexes,
    added: Vec<(Place, BTreeMap<i64, u8>)>,
    removed: Vec<Place>,
    postings: usize,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(keyring: &'a Keyring) -> Self {
        Self {
            keyring,
            indexes: Indexes::new(),
            added: Vec::new(),
            removed: Vec::new(),
            postings: 0,
        }
    }

    fn index(&mut self, room: i64) -> &RoomIndex {
        let new = || Arc::new(RoomIndex::new(self.keyring, room));
        self.indexes.entry(room).or_insert_with(new)
    }

    /// An event is found by the words of its text.
    pub(crate) fn add(&mut self, place: Place, text: &Text) {
        let tokens = self.index(place.room).tokens(text);
        self.postings += tokens.len();
        if !tokens.is_empty() {
            self.added.push((place, tokens));
        }
    }

    /// An event is found no longer.
    pub(crate) fn remove(&mut self, place: Place) {
        self.index(place.room);
        self.removed.push(place);
    }

    /// Whether nothing comes and nothing leaves.
    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// How many postings come.
    pub(crate) fn postings(&self) -> usize {
        self.postings
    }

    /// What has to be written. What stands in the index is as in `reader` until then: one node
    /// alone writes it at a time.
    pub(crate) async fn to_write(&self, reader: &Reader) -> Result<LocalWrite, StoreError> {
        let mut removed = Vec::new();
        for place in &self.removed {
            let params = [place.pos.get().into()];
            if let Some(row) = reader.query_opt(READ_EVENT, &params).await? {
                let index = &self.indexes[&place.room];
                removed.push((*place, index.open_tokens(place.pos, row.bytes(0)?)?));
            }
        }
        let mut touched = self.touched(reader, &removed).await?;
        for (place, tokens) in &removed {
            for token in tokens {
                touched.remove((place.room, *token), place.ord);
            }
        }
        for (place, tokens) in &self.added {
            for (token, weight) in tokens {
                let posting = Posting {
                    ord: place.ord,
                    weight: *weight,
                };
                touched.put((place.room, *token), posting);
            }
        }
        let rows = self.added.iter().map(|(place, tokens)| {
            let index = &self.indexes[&place.room];
            let tokens = index.seal_tokens(place.pos, tokens.keys().copied());
            vec![place.pos.get().into(), tokens.into()]
        });
        let mut write = touched.to_write(&self.indexes);
        write = write.and_insert(&PUT_EVENTS, rows.collect());
        for (place, _) in removed {
            write = write.and(DELETE_EVENT, vec![place.pos.get().into()]);
        }
        Ok(write)
    }

    /// The blocks that change. What comes stands behind all that is there, in the last block.
    async fn touched(
        &self,
        reader: &Reader,
        removed: &[(Place, Vec<i64>)],
    ) -> Result<Touched, StoreError> {
        let mut wanted = BTreeMap::new();
        for (place, tokens) in &self.added {
            for token in tokens.keys() {
                let first = wanted.entry((place.room, *token)).or_insert(place.ord);
                *first = place.ord.min(*first);
            }
        }
        let of_added = wanted
            .into_iter()
            .map(|((room, token), ord)| (room, token, ord));
        let of_removed = removed.iter().flat_map(|(place, tokens)| {
            let wanted = |token: &i64| (place.room, *token, place.ord);
            tokens.iter().map(wanted)
        });
        let wanted: Vec<Wanted> = of_added.chain(of_removed).collect();
        let blocks = blocks::around(reader, &self.indexes, &wanted).await?;
        Ok(Touched {
            blocks: blocks.into_iter().collect(),
            changed: BTreeSet::new(),
        })
    }
}

/// Blocks that were read, and which of them have changed.
struct Touched {
    blocks: BTreeMap<Key, Block>,
    changed: BTreeSet<Key>,
}

impl Touched {
    fn put(&mut self, (room, token): (i64, i64), posting: Posting) {
        let ord = posting.ord;
        let new = (room, token, beginning(ord, None));
        let key = self.key((room, token), ord).unwrap_or(new);
        let block = self.blocks.entry(key).or_default();
        block.put(posting);
        self.changed.insert(key);
        if let Some((first, rest)) = block.overflow() {
            self.blocks.insert((room, token, first), rest);
            self.changed.insert((room, token, first));
        }
    }

    fn remove(&mut self, (room, token): (i64, i64), ord: i64) {
        let Some(key) = self.key((room, token), ord) else {
            return;
        };
        if let Some(block) = self.blocks.get_mut(&key) {
            block.remove(ord);
            self.changed.insert(key);
        }
    }

    /// The block in which a place stands.
    fn key(&self, (room, token): (i64, i64), ord: i64) -> Option<Key> {
        let mut before = self
            .blocks
            .range((room, token, i64::MIN)..=(room, token, ord));
        before.next_back().map(|(key, _)| *key)
    }

    fn to_write(&self, indexes: &Indexes) -> LocalWrite {
        let mut write = LocalWrite::new();
        let mut rows = Vec::new();
        for key in &self.changed {
            let (room, token, first) = *key;
            let mut row: Vec<Value> = vec![room.into(), token.into(), first.into()];
            match self.blocks.get(key).filter(|block| !block.is_empty()) {
                Some(block) => {
                    row.push(indexes[&room].seal_block(*key, block).into());
                    rows.push(row);
                }
                None => write = write.and(DELETE_BLOCK, row),
            }
        }
        write.and_insert(&PUT_BLOCKS, rows)
    }
}
