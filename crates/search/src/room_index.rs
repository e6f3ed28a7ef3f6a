//! The blind index of one room.

use std::collections::BTreeMap;

use seal::{BlindIndex, Keyring, Place};
use store::{Pos, StoreError};

use crate::{Field, block::Block, blocks::Key, text::Text};

/// Tokens and sealed entries of one room: equal words of two rooms do not look equal.
pub(crate) struct RoomIndex(BlindIndex);

impl RoomIndex {
    pub(crate) fn new(keyring: &Keyring, room: i64) -> Self {
        Self(keyring.blind_index("search.rooms", &room.to_be_bytes()))
    }

    /// The token of a word.
    pub(crate) fn token(&self, field: Field, word: &str) -> i64 {
        let mut data = Vec::with_capacity(1 + word.len());
        data.push(field.prefix());
        data.extend_from_slice(word.as_bytes());
        self.0.token(&data)
    }

    /// The tokens of a text, each with how much of the text its word is.
    pub(crate) fn tokens(&self, text: &Text) -> BTreeMap<i64, u8> {
        let words = text.words().into_iter();
        words
            .map(|(word, weight)| (self.token(text.field, &word), weight))
            .collect()
    }

    pub(crate) fn seal_block(&self, key: Key, block: &Block) -> Vec<u8> {
        self.0.seal(block_place(&block_id(key)), &block.to_bytes())
    }

    pub(crate) fn open_block(&self, key: Key, sealed: &[u8]) -> Result<Block, StoreError> {
        Block::from_bytes(&self.0.open(block_place(&block_id(key)), sealed)?)
    }

    /// Seals by which tokens an event is found.
    pub(crate) fn seal_tokens(&self, pos: Pos, tokens: impl Iterator<Item = i64>) -> Vec<u8> {
        let tokens: Vec<u8> = tokens.flat_map(i64::to_be_bytes).collect();
        self.0.seal(tokens_place(&pos.get().to_string()), &tokens)
    }

    pub(crate) fn open_tokens(&self, pos: Pos, sealed: &[u8]) -> Result<Vec<i64>, StoreError> {
        let plain = self.0.open(tokens_place(&pos.get().to_string()), sealed)?;
        let (tokens, _) = plain.as_chunks::<8>();
        Ok(tokens
            .iter()
            .map(|token| i64::from_be_bytes(*token))
            .collect())
    }
}

fn block_id((room, token, first): Key) -> String {
    format!("{room}:{token}:{first}")
}

fn block_place(id: &str) -> Place<'_> {
    Place {
        table: "search_postings",
        column: "postings",
        id,
    }
}

fn tokens_place(id: &str) -> Place<'_> {
    Place {
        table: "search_events",
        column: "tokens",
        id,
    }
}
