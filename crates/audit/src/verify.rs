//! Proving that the record stands as it was written, or naming the first that does not.

use std::fmt;

use model::time::Timestamp;
use seal::{KeySet, Keyring, SealError};
use store::{Database, Row, StoreError};

use crate::{
    Checkpoint,
    chain::{self, Hash},
    trail::with_place,
};

/// Records are read in pages, and never changed behind the reader: memory stays bounded.
const READ_PAGE: &str = "SELECT seq, at, commitment, link, pos, sealed FROM audit_records \
     WHERE seq > $1 ORDER BY seq LIMIT 256";

/// A record that was moved keeps its time, commitment and link; only these are looked through.
const READ_LINKS: &str = "SELECT seq, at, commitment, link FROM audit_records \
     WHERE seq > $1 ORDER BY seq LIMIT 4096";

/// The record stands as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many records there are.
    pub records: u64,
    /// How many of them have had their content erased; the chain vouches that they were there.
    pub erased: u64,
    /// The last record: kept elsewhere, it later proves that nothing up to it has changed.
    pub head: Checkpoint,
}

/// The first record that does not stand as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit record {seq}: {wrong}")]
pub struct Broken {
    /// The record's number.
    pub seq: i64,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is gone, though later ones are there.
    Missing,
    /// It and all that followed are gone, though the checkpoint knew them.
    CutOff,
    /// It stands under another number.
    Moved {
        /// That number.
        stands_at: i64,
    },
    /// It stands before the first record.
    Inserted,
    /// Its time, its commitment or its link is not what was written.
    Altered,
    /// Its content is not what was written.
    ContentAltered,
    /// Its position in the log is not after that of the record before it.
    PositionAltered,
    /// It fits those before it, and is another one than the checkpoint knew: the record was
    /// written anew, here or earlier.
    Rewritten,
}

/// Why nothing was proved.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A record does not stand as it was written.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("it is missing"),
            Self::CutOff => formatter
                .write_str("it is missing, with all that followed, though the checkpoint knew it"),
            Self::Moved { stands_at } => {
                write!(formatter, "it was moved: it stands as record {stands_at}")
            }
            Self::Inserted => formatter.write_str("it stands before the first record"),
            Self::Altered => formatter.write_str("its time, commitment or link was altered"),
            Self::ContentAltered => formatter.write_str("its content was altered"),
            Self::PositionAltered => formatter.write_str("its position in the log was altered"),
            Self::Rewritten => formatter.write_str("it is not the record that the checkpoint knew"),
        }
    }
}

/// Proves that every record stands as it was written, in its place, with none missing.
///
/// Records cut off at the end are only noticed with the `expected` checkpoint, written down
/// earlier: the database alone cannot know of them.
pub async fn verify(
    database: &Database,
    keyring: &Keyring,
    expected: Option<Checkpoint>,
) -> Result<Verified, VerifyError> {
    let mut walk = Walk {
        verified: Verified {
            records: 0,
            erased: 0,
            head: Checkpoint::START,
        },
        last_pos: i64::MIN,
        expected,
    };
    let mut after = i64::MIN;
    loop {
        let snapshot = database.snapshot().await?;
        let rows = snapshot.query(READ_PAGE, &[after.into()]).await?;
        let Some(last) = rows.last() else { break };
        after = last.int(0)?;
        let sealed = rows
            .iter()
            .filter_map(|row| row.opt_bytes(5).ok().flatten());
        let keys = keyring.keys_of(&snapshot, sealed).await?;
        drop(snapshot);
        for row in &rows {
            if let Err(broken) = walk.step(row, &keys)? {
                return Err(broken
                    .looked_for(database, &walk.verified.head)
                    .await?
                    .into());
            }
        }
    }
    match expected {
        Some(expected) if expected.seq > walk.verified.head.seq => Err(Broken {
            seq: walk.verified.head.seq + 1,
            wrong: Wrong::CutOff,
        }
        .into()),
        _ => Ok(walk.verified),
    }
}

struct Walk {
    verified: Verified,
    last_pos: i64,
    expected: Option<Checkpoint>,
}

type Step = Result<(), Broken>;

impl Walk {
    /// Goes on to the next row.
    fn step(&mut self, row: &Row, keys: &KeySet) -> Result<Step, StoreError> {
        let seq = self.verified.head.seq + 1;
        let broken = |wrong| Ok(Err(Broken { seq, wrong }));
        let found = row.int(0)?;
        if found < seq {
            let wrong = Wrong::Inserted;
            return Ok(Err(Broken { seq: found, wrong }));
        }
        if found > seq {
            return broken(Wrong::Missing);
        }
        let Some(linked) = Linked::read(row) else {
            return broken(Wrong::Altered);
        };
        let Some(place) = linked.follows(&self.verified.head) else {
            return broken(Wrong::Altered);
        };
        match row.opt_bytes(5)? {
            None => self.verified.erased += 1,
            Some(sealed) => match content(seq, sealed, keys) {
                Ok(salted) if chain::commitment(&salted) == linked.commitment => {}
                Err(SealError::Store(error)) => return Err(error),
                Ok(_) | Err(_) => return broken(Wrong::ContentAltered),
            },
        }
        let pos = row.int(4)?;
        if pos <= self.last_pos {
            return broken(Wrong::PositionAltered);
        }
        if self
            .expected
            .is_some_and(|expected| expected.seq == seq && expected != place)
        {
            return broken(Wrong::Rewritten);
        }
        self.last_pos = pos;
        self.verified.records += 1;
        self.verified.head = place;
        Ok(Ok(()))
    }
}

fn content(seq: i64, sealed: &[u8], keys: &KeySet) -> Result<Vec<u8>, SealError> {
    with_place(seq, |place| keys.open(place, sealed))
}

/// What links a row to the one before it.
struct Linked {
    at: Timestamp,
    commitment: Hash,
    link: Hash,
}

impl Linked {
    /// `None` when the columns are not what they must be.
    fn read(row: &Row) -> Option<Self> {
        let hash = |index| Hash::try_from(row.bytes(index).ok()?).ok();
        Some(Self {
            at: Timestamp::from_millis(row.int(1).ok()?),
            commitment: hash(2)?,
            link: hash(3)?,
        })
    }

    /// The row's place, if it was linked to `last`.
    fn follows(&self, last: &Checkpoint) -> Option<Checkpoint> {
        let place = last.then(self.at, &self.commitment);
        (place.link == self.link).then_some(place)
    }
}

impl Broken {
    /// Looks whether the record that should follow `last` stands further on: then it was moved.
    async fn looked_for(self, database: &Database, last: &Checkpoint) -> Result<Self, StoreError> {
        if !matches!(self.wrong, Wrong::Missing | Wrong::Altered) {
            return Ok(self);
        }
        let mut after = last.seq;
        loop {
            let rows = database.query(READ_LINKS, &[after.into()]).await?;
            let Some(row) = rows.last() else {
                return Ok(self);
            };
            after = row.int(0)?;
            let moved = rows
                .iter()
                .find(|row| Linked::read(row).is_some_and(|linked| linked.follows(last).is_some()));
            if let Some(row) = moved {
                let wrong = Wrong::Moved {
                    stands_at: row.int(0)?,
                };
                return Ok(Self { wrong, ..self });
            }
        }
    }
}
