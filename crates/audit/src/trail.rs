//! The applier: writes records in the transaction of their act.

use std::{convert::Infallible, sync::Arc};

use async_trait::async_trait;
use model::{entropy::Entropy, time::Timestamp};
use seal::{KeySet, Keyring, Place, Scope};
use store::{
    Applier, CheckContext, ColumnType, Insert, Migration, Migrations, Pos, Row, StoreError, Tx,
    Value, Verdict, Writes,
};

use crate::{
    Checkpoint, Record,
    chain::{self, HASH_BYTES, SALT_BYTES},
};

/// The record's table.
pub const MIGRATIONS: Migrations = Migrations {
    owner: "audit",
    steps: &[Migration {
        number: 1,
        name: "records",
        sql: include_str!("../migrations/0001_records.sql"),
    }],
};

const READ_HEAD: &str = "SELECT seq, link FROM audit_records ORDER BY seq DESC LIMIT 1";

static INSERT_RECORDS: Insert = Insert {
    table: "audit_records",
    columns: &[
        ("seq", ColumnType::Int),
        ("pos", ColumnType::Int),
        ("at", ColumnType::Int),
        ("sealed", ColumnType::Bytes),
        ("commitment", ColumnType::Bytes),
        ("link", ColumnType::Bytes),
    ],
    on_conflict: "",
};

/// Writes each record in the transaction of its act, sealed, and linked to the one before it.
///
/// It is registered last: the acts are checked before what is said about them is written.
pub struct AuditTrail {
    keyring: Keyring,
    entropy: Arc<dyn Entropy>,
}

/// What one attempt at a batch adds to the chain.
pub struct Work {
    head: Checkpoint,
    keys: KeySet,
    /// Kept records, then those of the intent that is being checked.
    staged: Vec<Staged>,
    kept: usize,
}

struct Staged {
    pos: Pos,
    at: Timestamp,
    json: String,
}

impl AuditTrail {
    /// Makes the applier.
    pub fn new(keyring: Keyring, entropy: Arc<dyn Entropy>) -> Self {
        Self { keyring, entropy }
    }

    fn row(
        &self,
        keys: &KeySet,
        place: &mut Checkpoint,
        staged: &Staged,
    ) -> Result<Vec<Value>, StoreError> {
        let mut salted = vec![0; SALT_BYTES];
        self.entropy.fill(&mut salted);
        salted.extend_from_slice(staged.json.as_bytes());
        let commitment = chain::commitment(&salted);
        *place = place.then(staged.at, &commitment);
        let sealed = with_place(place.seq, |stands| {
            keys.seal(Scope::Deployment, stands, &salted)
        })?;
        Ok(vec![
            place.seq.into(),
            staged.pos.get().into(),
            staged.at.as_millis().into(),
            sealed.into(),
            commitment.as_slice().into(),
            place.link.as_slice().into(),
        ])
    }
}

/// Where the sealed record of this number stands.
pub(crate) fn with_place<T>(seq: i64, then: impl FnOnce(Place<'_>) -> T) -> T {
    then(Place {
        table: "audit_records",
        column: "sealed",
        id: &seq.to_string(),
    })
}

#[async_trait]
impl Applier for AuditTrail {
    type Change = Record;
    /// The record's number.
    type Outcome = i64;
    type Refusal = Infallible;
    type Work = Work;

    const KIND: &'static str = "audit";

    fn size_bytes(record: &Record) -> usize {
        let details = record
            .details()
            .map(|(name, value)| name.len() + value.len());
        1_024 + details.sum::<usize>()
    }

    async fn prepare(&self, tx: &Tx, _: &[&Record]) -> Result<Work, StoreError> {
        let (head, keys) = futures_util::try_join!(
            tx.query_opt(READ_HEAD, &[]),
            self.keyring.keys_in(tx, [Scope::Deployment])
        )?;
        Ok(Work {
            head: head.map_or(Ok(Checkpoint::START), |row| head_of(&row))?,
            keys,
            staged: Vec::new(),
            kept: 0,
        })
    }

    fn check(
        &self,
        work: &mut Work,
        record: &Record,
        context: &mut CheckContext<'_>,
    ) -> Result<Verdict<i64>, Infallible> {
        work.staged.push(Staged {
            pos: context.pos(),
            at: context.now(),
            json: record.to_canonical_json(),
        });
        let count = i64::try_from(work.staged.len()).unwrap_or(i64::MAX);
        Ok(Verdict::Apply(work.head.seq.saturating_add(count)))
    }

    fn settle(&self, work: &mut Work, keep: bool) {
        if keep {
            work.kept = work.staged.len();
        } else {
            work.staged.truncate(work.kept);
        }
    }

    fn write(&self, work: &mut Work, writes: &mut Writes) -> Result<(), StoreError> {
        let mut place = work.head;
        let rows: Vec<_> = work
            .staged
            .iter()
            .map(|staged| self.row(&work.keys, &mut place, staged))
            .collect::<Result<_, _>>()?;
        writes.insert(&INSERT_RECORDS, rows);
        Ok(())
    }
}

fn head_of(row: &Row) -> Result<Checkpoint, StoreError> {
    let link = <[u8; HASH_BYTES]>::try_from(row.bytes(1)?).map_err(|_| {
        StoreError::Damaged("the last audit record's link is not a hash".to_owned())
    })?;
    Ok(Checkpoint {
        seq: row.int(0)?,
        link,
    })
}
