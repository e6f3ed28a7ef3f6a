//! A block of postings: where one word stands in a part of one room's timeline.
//!
//! Each is the difference to the place before it and, in one byte, how much of the text the word
//! is. A word that stands in every tenth message takes two bytes for each.

use store::StoreError;

/// How many postings a block has, at most: about half a page of the database.
pub(crate) const MOST: usize = 512;

/// In which parts of the timeline blocks begin, as far as it can be: whoever sees where a block
/// begins then does not see in which event a rare word stands.
const PART: i64 = 65_536;

/// Where a block begins whose first posting is this, when the one before it ends there.
pub(crate) fn beginning(ord: i64, before: Option<i64>) -> i64 {
    let part = ord.saturating_sub(ord.rem_euclid(PART));
    match before {
        Some(before) if before >= part => ord,
        _ => part,
    }
}

/// That a word stands in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    /// The event's place in the timeline.
    pub(crate) ord: i64,
    /// How much of its text the word is, from 1 to 255.
    pub(crate) weight: u8,
}

/// Postings in the order of the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block(Vec<Posting>);

impl Block {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many postings there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many of the first `most` postings are not behind a place. Whoever walks backwards, and
    /// gives what came out the last time, has the next one in a few steps.
    pub(crate) fn count_up_to(&self, ord: i64, most: usize) -> usize {
        let (mut high, mut stride) = (most.min(self.0.len()), 1);
        let mut low = high;
        while low > 0 && self.0[low - 1].ord > ord {
            high = low - 1;
            low = high.saturating_sub(stride);
            stride *= 2;
        }
        low + self.0[low..high].partition_point(|posting| posting.ord <= ord)
    }

    /// The last one of the first postings, so many of them.
    pub(crate) fn last_of(&self, count: usize) -> Option<Posting> {
        count.checked_sub(1).map(|index| self.0[index])
    }

    /// Adds a posting; one at the same place gives way.
    pub(crate) fn put(&mut self, posting: Posting) {
        match self.0.binary_search_by_key(&posting.ord, |other| other.ord) {
            Ok(index) => self.0[index] = posting,
            Err(index) => self.0.insert(index, posting),
        }
    }

    pub(crate) fn remove(&mut self, ord: i64) {
        self.0.retain(|posting| posting.ord != ord);
    }

    /// Cuts a block off that has become too large; gives what belongs into a next one, and where
    /// that begins.
    pub(crate) fn overflow(&mut self) -> Option<(i64, Self)> {
        let first = self.0.get(MOST)?.ord;
        let rest = Self(self.0.split_off(MOST));
        let last = self.0.last().map(|posting| posting.ord);
        Some((beginning(first, last), rest))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.0.len() * 4);
        let mut before = 0_i64;
        for posting in &self.0 {
            // The first may be negative; every other is behind the one before it.
            push_number(&mut bytes, posting.ord.wrapping_sub(before).cast_unsigned());
            bytes.push(posting.weight);
            before = posting.ord;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        // Each takes two bytes at least.
        let mut postings = Vec::with_capacity(bytes.len() / 2);
        let (mut rest, mut ord) = (bytes, 0_i64);
        while !rest.is_empty() {
            let (number, behind) = split_number(rest).ok_or_else(damaged)?;
            let (&weight, behind) = behind.split_first().ok_or_else(damaged)?;
            let next = ord.wrapping_add(number.cast_signed());
            if !postings.is_empty() && next <= ord {
                return Err(damaged());
            }
            (rest, ord) = (behind, next);
            postings.push(Posting { ord, weight });
        }
        Ok(Self(postings))
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged("search_postings.postings".to_owned())
}

/// Seven bits in each byte, the lowest first; the highest bit says that there are more.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// The number with which bytes begin, and what is behind it.
fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut number = u64::from(first & 0x7f);
    if first < 0x80 {
        return Some((number, rest));
    }
    for shift in (7..64).step_by(7) {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((number, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::{btree_map, vec},
        prelude::*,
    };

    use super::*;

    fn block(entries: impl IntoIterator<Item = (i64, u8)>) -> Block {
        let mut block = Block::default();
        for (ord, weight) in entries {
            block.put(Posting { ord, weight });
        }
        block
    }

    #[test]
    fn a_common_word_takes_two_bytes_for_each_place() {
        let bytes = block((0..100).map(|number| (1_000_000 + number * 10, 9))).to_bytes();
        assert_eq!(bytes.len(), 4 + 99 * 2);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for bytes in [&[1][..], &[0x80], &[1, 9, 0, 9], &[0xff; 12], &[5, 1, 0x80]] {
            assert!(Block::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn blocks_begin_where_few_things_do() {
        assert_eq!(beginning(70_000, None), 65_536);
        assert_eq!(beginning(70_000, Some(65_000)), 65_536);
        assert_eq!(beginning(70_000, Some(65_536)), 70_000);
        assert_eq!(beginning(-1, None), -65_536);
        assert_eq!(beginning(i64::MIN, None), i64::MIN);
        let mut large = block((0..600).map(|ord| (65_100 + ord, 1)));
        assert_eq!(large.overflow().unwrap().0, 65_612);
        let mut large = block((0..600).map(|ord| (65_025 + ord, 1)));
        assert_eq!(large.overflow().unwrap().0, 65_536 + 1);
        let mut large = block((0..600).map(|ord| (65_020 + ord * 2 / 2 + ord / 512 * 10, 1)));
        assert_eq!(large.overflow().unwrap().0, 65_536);
    }

    #[test]
    fn a_block_that_is_too_large_is_parted() {
        let mut large = block((0..600).map(|ord| (ord, 1)));
        let (first, rest) = large.overflow().unwrap();
        assert_eq!((first, rest), (512, block((512..600).map(|ord| (ord, 1)))));
        assert_eq!(large.last_of(large.len()).unwrap().ord, 511);
        assert_eq!(large.overflow(), None);
    }

    proptest! {
        #[test]
        fn a_block_survives_being_written(entries in btree_map(any::<i64>(), any::<u8>(), 0..64)) {
            let block = block(entries);
            prop_assert_eq!(Block::from_bytes(&block.to_bytes()).unwrap(), block);
        }

        /// In one walk and without what was found before.
        #[test]
        fn who_walks_backwards_finds_the_last_up_to_each_place(
            entries in btree_map(-50..50_i64, any::<u8>(), 0..64),
            mut places in vec(-60..60_i64, 1..20),
        ) {
            places.sort_unstable_by(|place, other| other.cmp(place));
            let block = block(entries.clone());
            let mut count = block.len();
            for place in places {
                let wanted = entries.range(..=place).next_back();
                let wanted = wanted.map(|(ord, weight)| (*ord, *weight));
                count = block.count_up_to(place, count);
                prop_assert_eq!(block.count_up_to(place, block.len()), count);
                let found = block.last_of(count).map(|posting| (posting.ord, posting.weight));
                prop_assert_eq!(found, wanted);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            drop(Block::from_bytes(&bytes));
        }
    }
}
