//! One room's lists of places, walked backwards together: where all words stand in one event.

use std::{collections::VecDeque, sync::Arc};

use store::{Reader, StoreError};

use crate::{
    Field,
    block::{Block, Posting},
    blocks,
    room_index::RoomIndex,
};

/// How many blocks are read at once when one after the other is needed, and how many times as many
/// as the last time: each reading is a way to the database and back.
const MOST_AT_ONCE: i64 = 64;
const TIMES_AS_MANY: i64 = 4;

/// Where the words stand in one field of one room.
pub(crate) struct Source {
    pub(crate) room: i64,
    pub(crate) field: Field,
    index: Arc<RoomIndex>,
    lists: Vec<List>,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All words stand there; how much of the text they are, together.
    Match(i64, u32),
    /// Not behind this place.
    UpTo(i64),
    /// Nowhere before.
    End,
}

impl Source {
    pub(crate) fn new(room: i64, field: Field, index: Arc<RoomIndex>) -> Self {
        Self {
            room,
            field,
            index,
            lists: Vec::new(),
        }
    }

    /// The token of a word.
    pub(crate) fn token(&self, word: &str) -> i64 {
        self.index.token(self.field, word)
    }

    /// Adds a word, with the block in which the walk begins.
    pub(crate) fn add(&mut self, token: i64, first: i64, block: Block) {
        self.lists.push(List {
            token,
            first,
            count: block.len(),
            block,
            ahead: VecDeque::new(),
            at_once: 1,
            is_read: false,
        });
    }

    /// Looks for the last place up to `target` where all words stand, until it would have to read
    /// more than once.
    pub(crate) async fn step(
        &mut self,
        reader: &Reader,
        mut target: i64,
        blocks: &mut usize,
    ) -> Result<Step, StoreError> {
        let mut may_read = true;
        loop {
            match self.meet(target)? {
                Meeting::All(weight) => return Ok(Step::Match(target, weight)),
                Meeting::Before(ord) => target = ord,
                Meeting::Nowhere => return Ok(Step::End),
                Meeting::Unread(list, ord) => {
                    if !may_read {
                        return Ok(Step::UpTo(target));
                    }
                    may_read = false;
                    let wanted = (self.room, self.lists[list].token, ord);
                    let list = &mut self.lists[list];
                    *blocks += list.read(reader, wanted).await?;
                }
            }
        }
    }

    /// Whether all words stand at a place, as far as was read.
    fn meet(&mut self, target: i64) -> Result<Meeting, StoreError> {
        let (room, opener) = (self.room, &*self.index);
        let mut weight = 0;
        for (index, list) in self.lists.iter_mut().enumerate() {
            match list.last_up_to(target, (room, opener))? {
                Place::At(posting) if posting.ord == target => weight += u32::from(posting.weight),
                Place::At(posting) => return Ok(Meeting::Before(posting.ord)),
                Place::Unread(ord) => return Ok(Meeting::Unread(index, ord)),
                Place::Nowhere => return Ok(Meeting::Nowhere),
            }
        }
        Ok(Meeting::All(weight))
    }
}

enum Meeting {
    All(u32),
    Before(i64),
    Unread(usize, i64),
    Nowhere,
}

/// The places of one word.
struct List {
    token: i64,
    /// Where the block at hand begins.
    first: i64,
    block: Block,
    /// How many postings of it the walk has not passed.
    count: usize,
    /// The blocks before it that were read, the last one first: where each begins, and what stands
    /// in it, sealed. Most are opened, and those that the walk leaps over are not.
    ahead: VecDeque<(i64, Vec<u8>)>,
    at_once: i64,
    /// Whether there are none before those.
    is_read: bool,
}

enum Place {
    At(Posting),
    /// The block in which this place stands was not read.
    Unread(i64),
    Nowhere,
}

impl List {
    /// Looks for the last place up to a target, none of which is behind the one before.
    fn last_up_to(
        &mut self,
        target: i64,
        (room, opener): (i64, &RoomIndex),
    ) -> Result<Place, StoreError> {
        let mut wanted = target;
        loop {
            if self.first <= wanted {
                self.count = self.block.count_up_to(wanted, self.count);
                if let Some(posting) = self.block.last_of(self.count) {
                    return Ok(Place::At(posting));
                }
                // Its first ones are gone.
                let Some(before) = self.first.checked_sub(1) else {
                    return Ok(Place::Nowhere);
                };
                wanted = before;
            }
            // The other words are rarer: what lies between is not read.
            if self
                .ahead
                .back()
                .is_some_and(|(oldest, _)| *oldest > wanted)
            {
                self.ahead.clear();
                self.at_once = 1;
            }
            match self.ahead.pop_front() {
                Some((first, sealed)) => {
                    self.first = first;
                    if first <= wanted {
                        self.block = opener.open_block((room, self.token, first), &sealed)?;
                        self.count = self.block.len();
                    }
                }
                None if self.is_read => return Ok(Place::Nowhere),
                None => return Ok(Place::Unread(wanted)),
            }
        }
    }

    /// Reads what comes before; tells how many blocks that were, and counts one for the end.
    async fn read(&mut self, reader: &Reader, wanted: blocks::Wanted) -> Result<usize, StoreError> {
        let limit = self.at_once;
        let read = blocks::backward(reader, wanted, limit).await?;
        let count = read.len();
        self.is_read = (count as i64) < limit;
        self.ahead = read;
        self.at_once = (limit * TIMES_AS_MANY).min(MOST_AT_ONCE);
        Ok(count.max(1))
    }
}

#[cfg(test)]
mod tests;
