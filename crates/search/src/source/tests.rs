//! Walks over blocks give what plain sets of places give.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use seal::{KeySource, Keyring, MasterKey};
use store::{Database, DatabaseOptions, LocalWrite, Location, Snapshot};
use testkit::{clock::FakeClock, entropy::SeededEntropy};

use super::{Source, Step};
use crate::{
    Field,
    block::{Block, Posting, beginning},
    blocks,
    room_index::RoomIndex,
};

const ROOM: i64 = 7;

/// Behind every place.
const LAST: i64 = 1_000_000;

const PUT: &str =
    "INSERT INTO search_postings (room, token, first, postings) VALUES ($1, $2, $3, $4)";

/// Where a word stands, and how much of the text it is.
type Places = BTreeMap<i64, u8>;

/// A word that stands at every so many places of a part of the timeline.
fn every(step: usize, from: i64, to: i64) -> Places {
    let places = (from..to).step_by(step);
    places.map(|ord| (ord, weight_at(ord, step))).collect()
}

fn weight_at(ord: i64, step: usize) -> u8 {
    u8::try_from((ord + step as i64).rem_euclid(255)).unwrap() + 1
}

/// The blocks of an index in which a word came place after place, and left some again.
fn blocks_of(places: &Places, gone: &BTreeSet<i64>) -> BTreeMap<i64, Block> {
    let mut blocks: BTreeMap<i64, Block> = BTreeMap::new();
    for (&ord, &weight) in places {
        let last = blocks.keys().next_back().copied();
        let first = last.unwrap_or_else(|| beginning(ord, None));
        let block = blocks.entry(first).or_default();
        block.put(Posting { ord, weight });
        if let Some((first, rest)) = block.overflow() {
            blocks.insert(first, rest);
        }
    }
    for ord in gone.iter().filter(|ord| places.contains_key(ord)) {
        let block = blocks.range_mut(..=*ord).next_back();
        block.unwrap().1.remove(*ord);
    }
    blocks.retain(|_, block| !block.is_empty());
    blocks
}

struct Site {
    database: Database,
    index: Arc<RoomIndex>,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("test.db"));
        let entropy = Arc::new(SeededEntropy::new(1));
        let source = KeySource::File(folder.path().join("master.key"));
        let master = MasterKey::unlock(&source, &location, &*entropy).await;
        let database = Database::open(DatabaseOptions {
            location,
            server_name: "example.org".to_owned(),
            migrations: vec![seal::MIGRATIONS, crate::MIGRATIONS],
            readers: 1,
        });
        let database = database.await.unwrap();
        let clock = Arc::new(FakeClock::default());
        let keyring = Keyring::unlock(&database, master.unwrap(), entropy, clock).await;
        let index = Arc::new(RoomIndex::new(&keyring.unwrap(), ROOM));
        Self {
            database,
            index,
            _folder: folder,
        }
    }

    /// Writes the index of a word, and tells in how many blocks.
    async fn write(&self, token: i64, blocks: BTreeMap<i64, Block>) -> usize {
        let mut write = LocalWrite::new();
        let count = blocks.len();
        for (first, block) in blocks {
            let sealed = self.index.seal_block((ROOM, token, first), &block);
            let row = vec![ROOM.into(), token.into(), first.into(), sealed.into()];
            write = write.and(PUT, row);
        }
        self.database.initialise(&write).await.unwrap();
        count
    }

    async fn source(&self, snapshot: &Snapshot, tokens: std::ops::Range<i64>) -> Source {
        let mut source = Source::new(ROOM, Field::Body, Arc::clone(&self.index));
        let indexes = HashMap::from([(ROOM, Arc::clone(&self.index))]);
        for token in tokens {
            let wanted = [(ROOM, token, LAST)];
            let found = blocks::around(snapshot, &indexes, &wanted).await.unwrap();
            let ((_, _, first), block) = found.into_iter().next().unwrap();
            source.add(token, first, block);
        }
        source
    }
}

/// All that a walk finds, the newest first, and how many blocks it read for that.
async fn walk(source: &mut Source, snapshot: &Snapshot) -> (Vec<(i64, u32)>, usize) {
    let (mut found, mut read, mut next) = (Vec::new(), 0, LAST);
    loop {
        match source.step(snapshot, next, &mut read).await.unwrap() {
            Step::Match(ord, weight) => {
                found.push((ord, weight));
                next = ord - 1;
            }
            Step::UpTo(ord) => next = ord,
            Step::End => return (found, read),
        }
    }
}

/// The same by comparing everything with everything.
fn plainly(words: &[Places], gone: &BTreeSet<i64>) -> Vec<(i64, u32)> {
    let (first, others) = words.split_first().unwrap();
    let places = first.iter().rev().filter(|(ord, _)| !gone.contains(ord));
    let together = places.filter_map(|(ord, weight)| {
        let mut sum = u32::from(*weight);
        for word in others {
            sum += u32::from(*word.get(ord)?);
        }
        Some((*ord, sum))
    });
    together.collect()
}

#[tokio::test]
async fn words_are_found_together_wherever_their_blocks_begin_and_end() {
    let gone: BTreeSet<i64> = (190_000..203_000).chain([0, 60, 120]).collect();
    for words in [
        // A rare word beside a common one, of some two hundred blocks.
        vec![every(997, 3, 300_000), every(3, 0, 300_000)],
        vec![every(3, 0, 300_000), every(997, 3, 300_000)],
        // One that stands only early, late, or nowhere near the other.
        vec![every(2, 0, 9_000), every(3, 0, 300_000)],
        vec![every(3, 0, 300_000), every(50, 290_000, 300_000)],
        vec![every(5, 0, 60_000), every(5, 200_001, 300_000)],
        // Three, of which two stand together in a part alone.
        vec![
            every(60, 0, 300_000),
            every(4, 100_000, 260_000),
            every(6, 0, 300_000),
        ],
    ] {
        let site = Site::open().await;
        let mut blocks = 0;
        for (token, word) in (0_i64..).zip(&words) {
            blocks += site.write(token, blocks_of(word, &gone)).await;
        }
        let snapshot = site.database.snapshot().await.unwrap();
        let tokens = 0..i64::try_from(words.len()).unwrap();
        let mut source = site.source(&snapshot, tokens).await;
        let (found, read) = walk(&mut source, &snapshot).await;
        assert_eq!(found, plainly(&words, &gone));
        // One more for the end of each list.
        assert!(read <= blocks + words.len(), "{read} of {blocks}");
    }
}
